"""Discriminants tell words apart and are blind to what differs within a word."""

from __future__ import annotations

import numpy as np

from voxwire.model.training.clips import STRIDE, Clip
from voxwire.model.training.discriminants import discriminants

ROWS = 20  # of one clip
WORD = (0.2, 0.6)  # seconds: rows 5 to 14


def told(seed: int) -> tuple[list[Clip], np.ndarray]:
    """Make clips of two words: numbers 0 and 1 tell them faintly, number 2 a loud voice."""
    rng = np.random.default_rng(seed)
    clips, rows = [], []
    for i in range(200):
        word = ("one", "two")[i % 2]
        clips.append(
            Clip("", "fsdd", "a", word, "train", i * ROWS * STRIDE, ROWS * STRIDE, [(word, *WORD)])
        )
        block = rng.normal(0, 0.1, (ROWS, 8))
        block[5:15, i % 2] += 0.5
        block[:, 2] += rng.normal(0, 10)
        rows.append(block)
    return clips, np.concatenate(rows)


def test_a_faint_difference_between_words_counts_more_than_a_loud_one_within_them() -> None:
    clips, x = told(1)
    found = discriminants(clips, x, 1)[:, 0]
    one, two = found[0], found[1]
    assert abs(one - two) * 0.5 > 10 * abs(found[2]) * 10


def test_rows_of_words_have_unit_variance_in_them() -> None:
    clips, x = told(2)
    inside = np.concatenate([np.arange(i * ROWS + 5, i * ROWS + 15) for i in range(len(clips))])
    projected = x[inside] @ discriminants(clips, x, 3)
    assert np.isclose(np.mean((projected - projected.mean(0)) ** 2), 1.0, atol=0.01)


def test_fluent_sentences_are_not_asked() -> None:
    clips, x = told(3)
    strange = Clip("", "ocean", "b", "you may go now", "train", 0, ROWS * STRIDE, [("go", *WORD)])
    found = discriminants([*clips, strange], x, 2)
    np.testing.assert_array_equal(found, discriminants(clips, x, 2))
