"""Find when each word of a known text is spoken: PocketSphinx's aligner, ends trimmed by energy."""

from __future__ import annotations

import re

import numpy as np
from pocketsphinx import Decoder

from .clips import Span

RATE_HZ = 16000
FRAME_S = 0.01
PAD_S = 0.3  # the aligner wants silence around the words
TRIM_DB = 26.0  # a frame this far below the loudest is not part of an isolated word
MIN_WORD_S, MAX_WORD_S = 0.08, 1.3
EXTRA_WORDS = {"snowboy": "S N OW B OY"}


def dictionary() -> Decoder:
    """Return PocketSphinx with its small US English model, knowing the words it lacks too."""
    decoder = Decoder(lm=None, samprate=RATE_HZ, loglevel="FATAL")
    for word, phones in EXTRA_WORDS.items():
        decoder.add_word(word, phones, True)
    return decoder


class Aligner:
    """Forced alignment with PocketSphinx's own small US English model. Not thread safe."""

    def __init__(self) -> None:
        self._decoder = dictionary()

    def align(self, samples: np.ndarray, text: str) -> list[Span] | None:
        """Return (word, start_s, end_s) for each word of the text; None where alignment fails.

        samples: int16 [N] at 16 kHz. A word missing from the dictionary fails the whole text.
        """
        words = text.split()
        if any(self._decoder.lookup_word(word) is None for word in words):
            return None
        pad = np.random.default_rng(0).normal(0, 3, int(PAD_S * RATE_HZ)).astype(np.int16)
        self._decoder.set_align_text(text)
        self._decoder.start_utt()
        self._decoder.process_raw(np.concatenate([pad, samples, pad]).tobytes(), full_utt=True)
        self._decoder.end_utt()
        if self._decoder.hyp() is None:
            return None
        spans = [
            (
                re.sub(r"\(\d+\)$", "", seg.word),
                seg.start_frame * FRAME_S - PAD_S,
                (seg.end_frame + 1) * FRAME_S - PAD_S,
            )
            for seg in self._decoder.seg()
            if not seg.word.startswith(("<", "["))
        ]
        return spans if [s[0] for s in spans] == words and _plausible(spans) else None


def _plausible(spans: list[Span]) -> bool:
    return all(MIN_WORD_S <= end - start <= MAX_WORD_S for _, start, end in spans)


def loud_span(samples: np.ndarray) -> tuple[float, float]:
    """Return start and end in seconds of what rises out of the noise in a short clip.

    samples: int16 [N]. The threshold lies TRIM_DB below the loudest frame, or 6 dB over the
    quietest tenth where that is higher.
    """
    n_frames = max(1, len(samples) // 160)
    frames = samples[: n_frames * 160].astype(np.float32).reshape(n_frames, -1)
    level_db = 10 * np.log10(np.mean(frames**2, axis=1) + 1.0)
    level_db = np.convolve(np.pad(level_db, 1, mode="edge"), np.ones(3) / 3, mode="valid")
    floor = np.percentile(level_db, 10) + 6.0
    threshold = max(level_db.max() - TRIM_DB, min(floor, level_db.max() - 10.0))
    loud = np.flatnonzero(level_db >= threshold)
    return float(loud[0] * FRAME_S), float((loud[-1] + 1) * FRAME_S)


def align_isolated(aligner: Aligner, samples: np.ndarray, text: str) -> list[Span]:
    """Align a clip that holds one word or phrase; falls back to its loud part, split evenly."""
    low, high = loud_span(samples)
    words = text.split()
    spans = aligner.align(samples, text)
    if spans is None:
        bounds = np.linspace(low, high, len(words) + 1)
        return [(w, float(bounds[i]), float(bounds[i + 1])) for i, w in enumerate(words)]
    start, end = max(spans[0][1], low), min(spans[-1][2], high)
    if end - start < MIN_WORD_S:
        start, end = low, high
    inner = [min(max(s[2], start), end) for s in spans[:-1]]
    edges = [start, *inner, end]
    return [(w, edges[i], edges[i + 1]) for i, w in enumerate(words)]
