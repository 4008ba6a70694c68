"""A packed catalogue of tones in place of recordings."""

from __future__ import annotations

import numpy as np

from voxwire.model.training.clips import HEARD_SIZE, STRIDE, Clip
from voxwire.model.training.vocabulary import DIGITS, WORDS

CLIP_SAMPLES = 12 * STRIDE


def packed() -> tuple[list[Clip], np.ndarray, np.ndarray]:
    """Return a catalogue of tone bursts, one clip or more for every pool, and what is told of it.

    Of its row k in every number k is told.
    """
    clips: list[Clip] = []

    def add(corpus: str, speaker: str, text: str, spoken: bool) -> None:
        start = len(clips) * CLIP_SAMPLES
        words = [w for w in text.split() if w in WORDS] if spoken else []
        width = 0.3 / max(1, len(words))
        spans = [(w, 0.1 + i * width, 0.1 + (i + 1) * width) for i, w in enumerate(words)]
        clips.append(Clip("", corpus, speaker, text, "train", start, CLIP_SAMPLES, spans))

    for digit in DIGITS:
        add("fsdd", "a", digit, True)
        add("commands", "b", digit, True)
    add("commands", "b", "yes", True)
    add("wake", "c", "smart mirror", True)
    add("flite:slt", "flite:slt", "one two", True)
    add("kokoro", "k", "one two", True)
    add("ocean", "d", "three four", True)
    add("ocean", "d", "you may go", True)
    for corpus in ("ocean", "lj", "coffee", "commands", "kokoro"):
        add(corpus, "e", "something else", False)
    add("noise", "rain", "", False)
    t = np.arange(len(clips) * CLIP_SAMPLES)
    heard = np.arange(len(t) // STRIDE, dtype=np.float16)[:, None].repeat(HEARD_SIZE, 1)
    return clips, (8000 * np.sin(0.2 * t)).astype(np.int16), heard
