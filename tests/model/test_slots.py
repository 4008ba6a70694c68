"""Slots are added while sessions run, and a spoilt session shows in its own tokens."""

from __future__ import annotations

import numpy as np
import pytest

from tests.model.models import alone, make_model, make_recording, mel_of
from voxwire.model.stream import NO_TOKEN, NOT_FINITE, Probe, SlotBatch

N_SAMPLES = 16_000
DELAY = 6


def recorded(seeds: range) -> np.ndarray:
    return np.stack([mel_of(make_model(), make_recording(s, N_SAMPLES), DELAY) for s in seeds])


def test_slots_added_while_sessions_run_change_no_token() -> None:
    batch, mel = SlotBatch(make_model(), 1), recorded(range(3))
    batch.reset(0, DELAY)
    tokens = [batch.advance([0], mel[:1, :56])[0]]
    nbytes = batch.nbytes
    batch.widen(4)
    assert (batch.n_slots, batch.nbytes) == (4, 4 * nbytes)
    for slot in (3, 1):
        batch.reset(slot, DELAY)
    tokens.append(batch.advance([0], mel[:1, 56:])[0])
    others = batch.advance([3, 1], mel[1:])
    for seed, ids in enumerate([np.concatenate(tokens), *others]):
        alone("tiny", seed, N_SAMPLES, DELAY).assert_same(ids[ids != NO_TOKEN].tolist())


@pytest.mark.parametrize("guessing", [False, True])
@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
def test_a_spoilt_row_says_so_and_no_other_does(spoilt: float, guessing: bool) -> None:
    batch, mel = SlotBatch(make_model(), 3, max_guess=4), recorded(range(3))
    for slot in range(3):
        batch.reset(slot, DELAY)
    mel[1, 40:48] = spoilt
    tokens = (batch.advance_guessing if guessing else batch.advance)(range(3), mel)
    assert (tokens[1][tokens[1] != NO_TOKEN] == NOT_FINITE).all()
    for slot in (0, 2):
        ids = tokens[slot]
        alone("tiny", slot, N_SAMPLES, DELAY).assert_same(ids[ids != NO_TOKEN].tolist())


def test_a_slot_is_whole_again_after_a_spoilt_session() -> None:
    batch, mel = SlotBatch(make_model(), 1), recorded(range(1))
    batch.reset(0, DELAY)
    batch.advance([0], np.full_like(mel, np.nan))
    batch.settle()
    batch.reset(0, DELAY)
    ids = batch.advance([0], mel)[0]
    alone("tiny", 0, N_SAMPLES, DELAY).assert_same(ids[ids != NO_TOKEN].tolist())


def test_scored_tokens_are_the_tokens_with_their_probabilities() -> None:
    model, mel = make_model(), recorded(range(2))
    scored, plain = SlotBatch(model, 2), SlotBatch(model, 2)
    for slot in range(2):
        scored.reset(slot, DELAY)
        plain.reset(slot, DELAY)
    probe = Probe()
    ids, log_probs = scored.advance_scored([0, 1], mel)
    assert np.array_equal(ids, plain.advance([0, 1], mel, probe))
    chances = np.exp(probe.logits.astype(np.float64))
    chances /= chances.sum(axis=-1, keepdims=True)
    assert np.allclose(np.exp(log_probs), chances.max(axis=-1), atol=1e-5)


def test_a_full_slot_is_what_a_slot_becomes() -> None:
    batch, mel = SlotBatch(make_model(), 3), recorded(range(1))
    foreseen = batch.full_slot_nbytes
    for _ in range(2):
        batch.reset(0, DELAY)
        batch.advance([0], np.tile(mel, (1, 10, 1)))
    assert foreseen <= batch.nbytes // 3 <= foreseen * 1.2  # the tails are not counted
