"""A recording, whole or in any chunks, gives the same tokens, and exactly as many as it should."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.models import alone, make_model, make_recording
from tests.random_checkpoint import PARAMS, random_weights, write_mistral
from voxwire.model.checkpoint.load import load_checkpoint
from voxwire.model.delay import sampled_tokens
from voxwire.model.errors import AudioError, DelayError, LogitsError
from voxwire.model.mel import Floats, MelStream
from voxwire.model.offline import BLOCK_TOKENS, token_blocks, transcribe_tokens
from voxwire.model.stream import NO_TOKEN, SlotBatch
from voxwire.model.voxtral import Voxtral

N_SAMPLES = 28_000


@pytest.mark.parametrize("n_samples", [0, 1, 39, 40, 1279, 1280, 1281, N_SAMPLES])
@pytest.mark.parametrize("delay", [1, 30])
def test_every_recording_yields_its_number_of_tokens(n_samples: int, delay: int) -> None:
    tokens = transcribe_tokens(make_model(), make_recording(31, n_samples), delay)
    assert len(tokens) == sampled_tokens(n_samples, delay)
    alone("tiny", 31, n_samples, delay).assert_same(tokens)


@settings(deadline=None, derandomize=True, max_examples=6)
@given(cuts=st.lists(st.integers(0, N_SAMPLES), max_size=20), live=st.booleans())
def test_any_cutting_of_the_audio_gives_the_offline_tokens(cuts: list[int], live: bool) -> None:
    samples, model = make_recording(31, N_SAMPLES), make_model()
    edges = [0, *sorted(cuts), N_SAMPLES]
    chunks = [samples[a:b] for a, b in itertools.pairwise(edges)]
    expected = alone("tiny", 31, N_SAMPLES, 6)
    if not live:
        expected.assert_same([t for block in token_blocks(model, chunks, 6) for t in block])
        return
    stream, batch, tokens = MelStream(model.config, 6), SlotBatch(model, 1), []
    batch.reset(0, 6)
    for chunk in chunks:
        stream.feed(chunk)
        while stream.n_ready:
            tokens += batch.step([0], stream.take(1)[None]).tolist()
    stream.flush()
    while stream.n_ready:
        tokens += batch.step([0], stream.take(1)[None]).tolist()
    expected.assert_same([token for token in tokens if token != NO_TOKEN])


def test_numbers_that_are_spoilt_are_no_tokens(tmp_path: Path) -> None:
    weights = random_weights(PARAMS["tiny"])
    weights["norm.weight"][:] = 3e38  # finite, as all of a checkpoint must be
    directory = write_mistral(tmp_path, PARAMS["tiny"], weights)
    with pytest.raises(LogitsError, match="expected finite logits"):
        transcribe_tokens(Voxtral(load_checkpoint(directory)), make_recording(31, 16_000), 6)


def test_tokens_are_reported_as_they_come() -> None:
    reported: list[int] = []
    tokens = transcribe_tokens(make_model(), make_recording(31, 16_000), 6, reported.append)
    assert reported == tokens


def test_blocks_come_while_the_audio_still_does() -> None:
    """Memory is bounded: of an endless recording, only a block is ever waited for."""
    asked = 0

    def microphone() -> Iterator[Floats]:
        nonlocal asked
        while True:
            asked += 1
            yield np.zeros(1280, np.float32)

    blocks = token_blocks(make_model(), microphone(), 6)
    for n_blocks in range(1, 4):
        assert len(next(blocks)) <= BLOCK_TOKENS
        assert asked <= n_blocks * BLOCK_TOKENS + 1


def test_wrong_audio_and_delays_are_refused() -> None:
    with pytest.raises(AudioError):
        transcribe_tokens(make_model(), np.full(10, np.nan, np.float32), 6)
    with pytest.raises(DelayError):
        transcribe_tokens(make_model(), np.zeros(10, np.float32), 17)
