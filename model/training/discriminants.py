"""What in a teacher's numbers tells words apart, whoever speaks them: Fisher's discriminants.

Most of what Whisper tells is the voice, the room and the place in a sentence. A small encoder that
is asked for all of it spends itself on that; these directions are what it needs.
Source: R. A. Fisher, "The use of multiple measurements in taxonomic problems" (1936), for many
classes (C. R. Rao, 1948). A class is a fifth of a word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .clips import STRIDE, Clip
from .pools import is_sentence
from .vocabulary import WORDS

PARTS = 5  # of a word, each a class of its own
RIDGE = 0.01  # share of the mean variance added, lest a rare direction look like a sure one
STRIDE_S = STRIDE / 16000


def discriminants(clips: Sequence[Clip], told: np.ndarray, n: int) -> np.ndarray:
    """Find the n directions in which parts of words differ most for the spread within a part.

    clips: those that may be learned from, with their words' times; told: float [N / 640, M], row k
    for the packed samples from 640 k on. Returns float32 [M, n]: projected on it, the rows of words
    have unit variance on average.
    """
    rows, classes = _labelled(clips)
    x = told[rows].astype(np.float64)
    x -= x.mean(0)
    means = np.zeros((classes.max() + 1, x.shape[1]))
    np.add.at(means, classes, x)
    means /= np.maximum(1, np.bincount(classes))[:, None]
    apart, within = means[classes], x - means[classes]
    spread = within.T @ within / len(x)
    spread += RIDGE * np.trace(spread) / len(spread) * np.eye(len(spread))
    whiten = np.linalg.inv(np.linalg.cholesky(spread)).T
    _, vectors = np.linalg.eigh(whiten.T @ (apart.T @ apart / len(x)) @ whiten)
    found = whiten @ vectors[:, ::-1][:, :n]
    return (found / np.sqrt(np.mean((x @ found) ** 2))).astype(np.float32)


def _labelled(clips: Sequence[Clip]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that lie in words, and the class of each."""
    pairs = [pair for clip in clips if not is_sentence(clip) for pair in _parts(clip)]
    rows, classes = np.array(pairs, np.int64).T
    return rows, classes


def _parts(clip: Clip) -> Iterator[tuple[int, int]]:
    first = clip.start // STRIDE
    for word, start_s, end_s in clip.spans:
        stop_s = min(end_s, clip.n_samples / 16000)
        for row in range(int(start_s / STRIDE_S), int(stop_s / STRIDE_S)):
            share = ((row + 0.5) * STRIDE_S - start_s) / (end_s - start_s)
            part = min(PARTS - 1, max(0, int(PARTS * share)))
            yield first + row, PARTS * WORDS.index(word) + part
