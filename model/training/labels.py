"""Turn words with times into the token the decoder owes at each position."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .clips import Span
from .vocabulary import BOS, STREAMING_PAD, STREAMING_WORD, WORDS, token_id

LEFT_PAD = 32
POSITION_S = 0.08
IGNORED = -100  # a target that costs nothing: cross_entropy's own default
LATEST = 4


def emitted(
    words: list[Span], n_tokens: int, late: Sequence[int] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sampled tokens [n_tokens]: pad, or [STREAMING_WORD] and the word once it ended.

    Token k has heard the audio up to 80 (k + 1) ms plus the delay, so a word that ends at t starts
    at k = ceil(t / 80 ms) - 1; one that comes due while another is written follows it at once.

    late: how many tokens after it is due each word is written, in the words' order. The second
    array is what is owed at each position, which is the same but for late words: their
    [STREAMING_WORD] is owed from the first position they are due at, in vain until they are
    written. Training draws late words, for when a word ended is unclear by a position or two:
    where only one position owed it, each of them alone would rather be another pad.
    """
    late = late if late is not None else [0] * len(words)
    tokens = np.full(n_tokens, STREAMING_PAD, np.int64)
    owed = tokens.copy()
    free = 0  # first token not yet spoken for
    for (word, _, end_s), lateness in sorted(zip(words, late, strict=True), key=_end):
        first = math.ceil(end_s / POSITION_S) - 1
        at = max(first + lateness, free)
        is_joined = first + lateness < free
        piece = [token_id(word)] if is_joined else [STREAMING_WORD, token_id(word)]
        if at + len(piece) > n_tokens:
            break
        owed[max(first, free) : at] = STREAMING_WORD  # nothing where it is joined
        tokens[at : at + len(piece)] = owed[at : at + len(piece)] = piece
        free = at + len(piece)
    return tokens, owed


def _end(late_word: tuple[Span, int]) -> float:
    return late_word[0][2]


def position_labels(
    words: list[Span],
    delay: int,
    n: int,
    late: Sequence[int] | None = None,
    unsure: Sequence[Span] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """Return fed tokens and targets [n]; targets are IGNORED before the prompt's last position.

    unsure: words that may be written or not; no pad is owed from their start until LATEST
    positions after they are due.
    """
    prompt = [BOS] + [STREAMING_PAD] * (LEFT_PAD + delay)
    sampled, owed = emitted(words, n - len(prompt) + 1, late)
    for _, start_s, end_s in unsure:
        zone = owed[max(0, int(start_s / POSITION_S)) : int(end_s / POSITION_S) + LATEST]
        zone[zone == STREAMING_PAD] = IGNORED
    fed = np.concatenate([prompt, sampled[:-1]])
    return fed, np.concatenate([np.full(len(prompt) - 1, IGNORED), owed])


def frame_labels(words: list[Span], n: int, unsure: Sequence[Span] = ()) -> np.ndarray:
    """Return the word being spoken at each position [n], 0 for none, one position late.

    The lateness lets the auxiliary head hear a little of the word before it must name it.
    """
    labels = np.zeros(n, np.int64)
    for _, start_s, end_s in unsure:
        first, last = (LEFT_PAD + int(t / POSITION_S) for t in (start_s, end_s))
        labels[max(0, first) : last + 2] = IGNORED
    for word, start_s, end_s in words:
        first = LEFT_PAD + int((start_s + 0.3 * (end_s - start_s)) / POSITION_S) + 1
        last = LEFT_PAD + int(end_s / POSITION_S) + 1
        labels[min(first, last) : last + 1] = WORDS.index(word) + 1
    return labels
