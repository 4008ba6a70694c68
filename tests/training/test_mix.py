"""Batches are always the same after a seed, and owe what was spoken where it ends."""

from __future__ import annotations

import numpy as np
import pytest

from tests.training.tones import packed
from voxwire.model.training.labels import IGNORED, LEFT_PAD
from voxwire.model.training.mix import ROW_POSITIONS, TAIL_POSITIONS, Mixer
from voxwire.model.training.vocabulary import STREAMING_WORD, WORDS, token_id


@pytest.fixture(scope="module")
def mixer() -> Mixer:
    return Mixer(*packed())


def test_a_seed_gives_the_same_batch_for_ever(mixer: Mixer) -> None:
    mixer.reseed(5)
    first = mixer.batch(2)
    mixer.batch(1)
    mixer.reseed(5)
    again = mixer.batch(2)
    assert all(np.array_equal(first[key], again[key], equal_nan=True) for key in first)


def test_a_batch_has_one_mel_position_for_each_label(mixer: Mixer) -> None:
    mixer.reseed(1)
    batch = mixer.batch(2)
    n = LEFT_PAD + ROW_POSITIONS + 15 + TAIL_POSITIONS
    assert batch["delay"].max() <= 15
    assert batch["mel"].shape == (2, 8 * n, 128)
    assert batch["tokens"].shape == batch["targets"].shape == batch["words"].shape == (2, n)
    assert np.isfinite(batch["mel"]).all()
    assert np.all(batch["mel"][:, : 8 * LEFT_PAD - 8] == -0.625)


def test_batches_come_in_two_lengths_whatever_their_delays(mixer: Mixer) -> None:
    lengths = {}
    for seed in range(24):
        mixer.reseed(seed)
        batch = mixer.batch(1)
        lengths[int(batch["delay"][0])] = batch["tokens"].shape[1]
    assert len(lengths) > 5
    short = LEFT_PAD + ROW_POSITIONS + 15 + TAIL_POSITIONS
    assert all(n == (short if delay <= 15 else short + 15) for delay, n in lengths.items())


def test_as_many_rows_as_wanted_have_a_long_delay() -> None:
    mixer = Mixer(*packed(), long_share=0.45, long_delays=(30,))
    n_long = int((mixer.batch(100)["delay"] == 30).sum())
    assert 30 < n_long < 60


def test_targets_open_a_group_for_what_was_spoken(mixer: Mixer) -> None:
    mixer.reseed(3)
    batch = mixer.batch(1)
    targets = batch["targets"][0]
    words = set(targets[targets >= token_id(WORDS[0])])
    assert words
    assert (targets == STREAMING_WORD).sum() > 0
    assert {WORDS[label - 1] for label in set(batch["words"][0]) - {0, IGNORED}} >= {
        WORDS[int(token) - token_id(WORDS[0])] for token in words
    }
