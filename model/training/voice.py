"""A row being composed, and the disguise that a speaker wears in it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from .augment import WARPS, equaliser, neutral_bank
from .clips import HEARD_SIZE, Span


@dataclass(slots=True)
class Row:
    """One composed row before its spectrogram: samples, words with times, voices with spans."""

    samples: np.ndarray
    heard: np.ndarray  # [positions, HEARD_SIZE] of Whisper, NaN where nothing is told
    words: list[Span] = field(default_factory=list)
    unsure: list[Span] = field(default_factory=list)  # words neither owed nor forbidden
    voices: list[tuple[int, int, int, np.ndarray]] = field(default_factory=list)

    @classmethod
    def of(cls, n_samples: int) -> Row:
        """Make a silent row."""
        heard = np.full((n_samples // 1280, HEARD_SIZE), np.nan, np.float32)
        return cls(np.zeros(n_samples, np.float32), heard)


@dataclass(slots=True)
class Voice:
    """One drawn disguise, kept over a string: speed, tempo, vocal tract, level, equaliser."""

    speed: float
    tempo: float
    bank: int
    level: float
    gains: np.ndarray

    @classmethod
    def draw(cls, rng: Generator) -> Voice:
        """Draw a voice; one in eight is made a child's: short vocal tract, high pitch."""
        child = rng.random() < 0.125
        factor = rng.uniform(1.12, 1.35) if child else float(np.exp(rng.normal(0, 0.09)))
        restore = 1 / factor if child else 1.0
        own = float(np.exp(rng.normal(0, 0.16))) if rng.random() < 0.45 else 1.0
        warp = rng.normal(1, 0.065)
        bank = int(np.argmin(np.abs(WARPS - warp))) if rng.random() < 0.75 else neutral_bank()
        level = 10 ** (rng.uniform(-34, -8) / 20)
        return cls(factor, restore * own, bank, level, equaliser(rng))
