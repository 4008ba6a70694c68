"""Write the frozen references: `python -m tests.parity.make_reference` in the parity venv.

Runs transformers on every frozen case and writes tests/parity/frozen/*.npz and manifest.json.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.other_layouts import write_hf
from tests.parity.cases import FROZEN, FROZEN_CASES, Case
from tests.parity.compare import Greedy
from tests.parity.frozen_file import STRIDES, FrozenReference
from tests.parity.reference import Reference, ReferenceModel

PACKAGES = ("torch", "transformers", "mistral-common", "numpy")


def main() -> None:
    """Make every reference anew and print one line for each."""
    # One thread sums in one order, so that the command gives the same bytes again.
    torch.set_num_threads(1)
    for stale in FROZEN.glob("*.npz"):
        stale.unlink()
    cases = [_freeze(case) for case in FROZEN_CASES]
    manifest = _provenance() | {"cases": cases}
    (FROZEN / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def _freeze(case: Case) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as directory:
        checkpoint = write_hf(Path(directory), case.params, case.weights())
        reference = ReferenceModel(checkpoint).run(case.samples(), case.delay_ms)
    path = FROZEN / f"{case.name}.npz"
    FrozenReference.of(reference, STRIDES).save(path)
    summary = _summary(reference)
    print(f"{path.name} {path.stat().st_size} bytes {summary}")
    return case.describe() | {"file": path.name} | summary


def _summary(reference: Reference) -> dict[str, Any]:
    """Return what tells how hard the case is: few ties, many tokens, its own rounding."""
    own = np.abs(reference.streaming_logits - reference.logits).max(1)
    own /= np.abs(reference.logits).max(1)
    return {
        "n_tokens": len(reference.tokens),
        "n_distinct_tokens": len(np.unique(reference.tokens)),
        "smallest_margin": float(Greedy.of(reference.logits).margin.min()),
        "streaming_against_offline": float(own.max()),
    }


def _provenance() -> dict[str, Any]:
    return {
        "command": "python -m tests.parity.make_reference",
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} CPUs",
        "python": sys.version.split()[0],
        "packages": {package: version(package) for package in PACKAGES},
    }


if __name__ == "__main__":
    main()
