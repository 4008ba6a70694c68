"""Guessing runs of padding changes how many passes there are, and no token."""

from __future__ import annotations

from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.models import alone, make_checkpoint, make_model, make_recording, mel_of, run_alone
from tests.random_checkpoint import PARAMS, random_weights
from voxwire.model.delay import STREAMING_PAD_ID, sampled_tokens
from voxwire.model.stream import NO_TOKEN, SlotBatch
from voxwire.model.voxtral import Voxtral

N_SAMPLES = 31_999


def padding_model(weight: float) -> Voxtral:
    """Return a model that writes [STREAMING_PAD] the more often the greater the weight.

    The token that random weights favour changes places with padding, and is made likelier yet.
    """
    params = PARAMS["tiny"]
    weights = random_weights(params)
    table = next(w for name, w in weights.items() if name.endswith("tok_embeddings.weight"))
    tokens = alone("tiny", 1, N_SAMPLES, 6).tokens
    favourite = max(set(tokens), key=tokens.count)
    table[[STREAMING_PAD_ID, favourite]] = table[[favourite, STREAMING_PAD_ID]]
    table[STREAMING_PAD_ID] *= weight
    return Voxtral(make_checkpoint(params, weights))


@settings(deadline=None, max_examples=10, derandomize=True)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([1, 6, 30])), min_size=1, max_size=4
    ),
    max_guess=st.sampled_from([1, 2, 5, 8]),
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=40),
    guesses=st.lists(st.booleans(), min_size=1, max_size=5),
)
def test_guessed_tokens_are_the_tokens(
    rows: list[tuple[int, int]], max_guess: int, sizes: list[int], guesses: list[bool]
) -> None:
    batch = SlotBatch(make_model(), len(rows), max_guess=max_guess)
    mels = [mel_of(make_model(), make_recording(seed, N_SAMPLES), delay) for seed, delay in rows]
    for slot, (_, delay) in enumerate(rows):
        batch.reset(slot, delay)
    tokens: list[list[int]] = [[] for _ in rows]
    done, turn = 0, 0
    while stepping := [slot for slot, mel in enumerate(mels) if len(mel) // 8 > done]:
        n = min(sizes[turn % len(sizes)], *(len(mels[slot]) // 8 - done for slot in stepping), 20)
        mel = np.stack([mels[slot][8 * done : 8 * (done + n)] for slot in stepping])
        guessing = guesses[turn % len(guesses)]
        new = (batch.advance_guessing if guessing else batch.advance)(stepping, mel)
        for slot, ids in zip(stepping, new, strict=True):
            tokens[slot] += ids[ids != NO_TOKEN].tolist()
        done, turn = done + n, turn + 1
    for (seed, delay), written in zip(rows, tokens, strict=True):
        assert len(written) == sampled_tokens(N_SAMPLES, delay)
        alone("tiny", seed, N_SAMPLES, delay).assert_same(written)


@pytest.mark.parametrize("weight", [1.0, 1.3])
def test_right_and_wrong_guesses_give_the_same_tokens(
    weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, samples = padding_model(weight), make_recording(1, N_SAMPLES)
    expected = run_alone(model, samples, 6)
    n_pads = expected.tokens.count(STREAMING_PAD_ID)
    assert 0 < n_pads < len(expected.tokens)
    batch, mel = SlotBatch(model, 1, max_guess=8), mel_of(model, samples, 6)
    batch.reset(0, 6)
    decode = Mock(wraps=model.decode)
    monkeypatch.setattr(model, "decode", decode)
    tokens = batch.advance_guessing([0], mel[None])[0]
    expected.assert_same(tokens[tokens != NO_TOKEN].tolist())
    # At least the prompt's own positions and every right guess were spared a pass.
    assert decode.call_count <= len(mel) // 8 - n_pads // 2
