"""Run transformers beside the model on fresh seeds: `make parity`, where torch is installed.

PARITY_SEED=n repeats a run; without it every run draws other weights, recordings and delays.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from tests.other_layouts import HF_ADA_DIM, write_hf
from tests.parity.cases import SHAPES, Case, Synthetic
from tests.parity.compare import RELATIVE_TOLERANCE
from tests.parity.conftest import Table
from tests.parity.frozen_file import WHOLE, FrozenReference
from tests.parity.ours import WRITERS, evenly, load, measure, observe, raggedly
from tests.random_checkpoint import write_mistral
from voxwire.model.checkpoint.load import load_checkpoint
from voxwire.model.voxtral import Voxtral

pytest.importorskip("torch", reason="`make parity` has it")
reference = pytest.importorskip("tests.parity.reference")

# transformers fills in the length it was going to use anyway, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:Using the model-agnostic default")

SEED = int(os.environ.get("PARITY_SEED", time.time()))
DELAYS_MS = (80, 160, 240, 480, 720, 960, 1200, 2400)
UNWINDOWED = 1_000_000


def fresh_cases(seed: int) -> list[Case]:
    """Draw a case of every shape that transformers can hold, and two of a minute."""
    rng = np.random.default_rng(seed)
    lengths_s = [(name, 12.0) for name in SHAPES] + [("wide-heads", 60.0), ("peers", 60.0)]
    return [
        Case(
            shape=name,
            weights_seed=int(rng.integers(1 << 31)),
            audio=Synthetic(round(seconds + rng.uniform(0, 2), 4), int(rng.integers(1 << 31))),
            delay_ms=int(rng.choice(DELAYS_MS)),
        )
        for name, seconds in lengths_s
        if SHAPES[name]["ada_rms_norm_t_cond_dim"] <= HF_ADA_DIM
    ]


@pytest.fixture(scope="module", autouse=True)
def seed_line(table: Table) -> None:
    """Say in the table how to repeat the run."""
    table.lines.append(f"PARITY_SEED={SEED}")


@pytest.fixture(scope="module", params=fresh_cases(SEED), ids=lambda case: case.name)
def judged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Case, FrozenReference]:
    case: Case = request.param
    directory = write_hf(tmp_path_factory.mktemp("hf"), case.params, case.weights())
    return case, judge(case, directory)


def judge(case: Case, directory: Path, *, windows: bool = True) -> FrozenReference:
    model = reference.ReferenceModel(directory, windows=windows)
    return FrozenReference.of(model.run(case.samples(), case.delay_ms), WHOLE)


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_agrees(
    judged: tuple[Case, FrozenReference], layout: str, tmp_path: Path, table: Table
) -> None:
    case, wanted = judged
    model = load(WRITERS[layout](tmp_path, case.params, case.weights()))
    chunks = evenly(1280) if layout == "mistral" else raggedly(case.weights_seed)
    errors = measure(wanted, model, case.samples(), case.delay_ms, chunks)
    table.add(f"{case.name} {layout}", errors, wanted)
    assert max(errors.values()) < RELATIVE_TOLERANCE, f"PARITY_SEED={SEED}"


def without_windows(directory: Path) -> Voxtral:
    checkpoint = load_checkpoint(directory, dtype=mx.float32)
    config = replace(
        checkpoint.config,
        encoder=replace(checkpoint.config.encoder, window=UNWINDOWED),
        decoder=replace(checkpoint.config.decoder, window=UNWINDOWED),
    )
    return Voxtral(replace(checkpoint, config=config), mx.float32)


def test_windows_matter_and_without_them_both_still_agree(tmp_path: Path, table: Table) -> None:
    case = Case("tiny", SEED, Synthetic(15.0, SEED), 480)
    hf = write_hf(tmp_path / "hf", case.params, case.weights())
    mistral = write_mistral(tmp_path / "mistral", case.params, case.weights())
    windowless = judge(case, hf, windows=False)

    model = load(mistral)
    ours = observe(model, case.samples(), case.delay_ms, evenly(1280))
    assert windowless.unexcused(ours.tokens, model.config.decoder.window)

    bare = without_windows(mistral)
    errors = measure(windowless, bare, case.samples(), case.delay_ms, evenly(1280))
    table.add(f"{case.name} without windows", errors, windowless)
    assert max(errors.values()) < RELATIVE_TOLERANCE, f"PARITY_SEED={SEED}"
