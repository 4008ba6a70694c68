"""Run one measurement in a process of its own: nothing lingers, and memory means something.

usage: python -m tests.bench.child MODULE OPTIONS
MODULE is one of tests.bench with a function `measure`; OPTIONS are its arguments as JSON. The last
line of standard output is its result as JSON.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.bench.disturbance import Disturbance

ROOT = Path(__file__).resolve().parents[2]


class ChildError(Exception):
    """A measurement that did not end well."""


def in_child(module: str, **options: Any) -> dict[str, Any]:
    """Return what `measure(**options)` of a module gives in a fresh process.

    Adds how many cores others kept busy meanwhile. Raises ChildError.
    """
    watch = Disturbance()
    command = [sys.executable, "-m", "tests.bench.child", module, json.dumps(options)]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if run.returncode:
        raise ChildError(f"{module} ended with status {run.returncode}")
    result: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return {**result, "cores_busy_elsewhere": watch.cores()}


def main(module: str, options: str) -> None:
    """Measure, and print the result."""
    import voxwire.model  # noqa: F401  # before MLX, so that it finds the BLAS

    measure = importlib.import_module(f"tests.bench.{module}").measure
    print(json.dumps(measure(**json.loads(options))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
