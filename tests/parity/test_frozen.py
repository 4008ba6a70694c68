"""The model agrees with frozen outputs of transformers, stage by stage and step by step."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from tests.parity.cases import FINGERPRINT_TOLERANCE, FROZEN, FROZEN_CASES, Case
from tests.parity.compare import RELATIVE_TOLERANCE
from tests.parity.frozen_file import FrozenReference
from tests.parity.ours import WRITERS, evenly, forced_logits, load, observe, raggedly
from tests.random_checkpoint import write_mistral
from voxwire.model.checkpoint.load import load_checkpoint
from voxwire.model.delay import delay_tokens_from_ms
from voxwire.model.offline import transcribe_tokens
from voxwire.model.voxtral import Voxtral

# Grouped queries and heads wider than the model: what a wrong permutation would spoil.
LAYOUT_CASES = FROZEN_CASES[:2]


@dataclass(frozen=True, slots=True)
class Pair:
    """One case, what transformers made of it, and our model with the same weights."""

    case: Case
    reference: FrozenReference
    model: Voxtral


@pytest.fixture(scope="module", params=FROZEN_CASES, ids=lambda case: case.name)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    case: Case = request.param
    directory = write_mistral(tmp_path_factory.mktemp("mistral"), case.params, case.weights())
    return Pair(case, frozen(case), load(directory))


def frozen(case: Case) -> FrozenReference:
    return FrozenReference.load(FROZEN / f"{case.name}.npz")


def too_large(errors: dict[str, float]) -> dict[str, float]:
    return {stage: error for stage, error in errors.items() if not error < RELATIVE_TOLERANCE}


@pytest.mark.parametrize("case", FROZEN_CASES, ids=lambda case: case.name)
def test_inputs_are_those_the_reference_was_made_of(case: Case) -> None:
    entries = json.loads((FROZEN / "manifest.json").read_text())["cases"]
    (entry,) = (entry for entry in entries if entry["file"] == f"{case.name}.npz")
    for key, value in case.describe().items():
        wanted = pytest.approx(value, rel=FINGERPRINT_TOLERANCE) if "sums" in key else value
        assert entry[key] == wanted, f"{key}: run `python -m tests.parity.make_reference`"


def test_the_recording_outruns_both_windows(pair: Pair) -> None:
    config, seconds = pair.model.config, len(pair.case.samples()) / 16000
    assert seconds * 50 > config.encoder.window
    assert seconds * 12.5 > config.decoder.window


def test_live_in_chunks_of_80_ms_every_stage_agrees(pair: Pair) -> None:
    observed = observe(pair.model, pair.case.samples(), pair.case.delay_ms, evenly(1280))
    assert too_large(pair.reference.errors(observed)) == {}
    assert pair.reference.unexcused(observed.tokens, pair.model.config.decoder.window) == []


def test_live_in_ragged_chunks_every_stage_agrees(pair: Pair) -> None:
    observed = observe(pair.model, pair.case.samples(), pair.case.delay_ms, raggedly(seed=3))
    assert too_large(pair.reference.errors(observed)) == {}
    assert pair.reference.unexcused(observed.tokens, pair.model.config.decoder.window) == []


def test_offline_tokens_agree(pair: Pair) -> None:
    delay_tokens = delay_tokens_from_ms(pair.case.delay_ms)
    tokens = transcribe_tokens(pair.model, pair.case.samples(), delay_tokens)
    window = pair.model.config.decoder.window
    assert pair.reference.unexcused(np.array(tokens, np.int32), window) == []


def test_all_positions_in_one_pass_agree(pair: Pair) -> None:
    samples, delay_ms = pair.case.samples(), pair.case.delay_ms
    observed = observe(pair.model, samples, delay_ms, evenly(len(samples)))
    assert too_large(pair.reference.errors(observed)) == {}
    logits = forced_logits(pair.model, observed.mel, delay_ms, pair.reference.greedy.tokens)
    assert pair.reference.logits.errors(logits).max() < RELATIVE_TOLERANCE


def test_angles_that_start_again_every_80_positions_agree(tmp_path: Path) -> None:
    case = FROZEN_CASES[0]
    model = load(write_mistral(tmp_path, case.params, case.weights()))
    observed = observe(model, case.samples(), case.delay_ms, evenly(1280), anchor_positions=80)
    assert too_large(frozen(case).errors(observed)) == {}
    assert frozen(case).unexcused(observed.tokens, model.config.decoder.window) == []


@pytest.mark.parametrize("layout", ["hugging-face", "voxmlx", "mlx-audio"])
@pytest.mark.parametrize("case", LAYOUT_CASES, ids=lambda case: case.name)
def test_every_other_layout_agrees(case: Case, layout: str, tmp_path: Path) -> None:
    model = load(WRITERS[layout](tmp_path, case.params, case.weights()))
    observed = observe(model, case.samples(), case.delay_ms, evenly(1280))
    assert too_large(frozen(case).errors(observed)) == {}
    assert frozen(case).unexcused(observed.tokens, model.config.decoder.window) == []


@pytest.mark.parametrize("stack", ["encoder", "decoder"])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_window_off_by_one_would_be_noticed(stack: str, change: int, tmp_path: Path) -> None:
    case = FROZEN_CASES[0]
    directory = write_mistral(tmp_path, case.params, case.weights())
    checkpoint = load_checkpoint(directory, dtype=mx.float32)
    sizes = getattr(checkpoint.config, stack)
    sizes = replace(sizes, window=sizes.window + change)
    wrong = replace(checkpoint, config=replace(checkpoint.config, **{stack: sizes}))
    observed = observe(Voxtral(wrong, mx.float32), case.samples(), case.delay_ms, evenly(1280))
    assert frozen(case).errors(observed)["logits"] > 100 * RELATIVE_TOLERANCE
