"""When a token of a live session is due, and what share of them came late. No clock, no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

POSITION_SAMPLES = 1280
# The last mel window of a position reaches half a window less a hop beyond it: 200 - 160.
LOOK_AHEAD_SAMPLES = 40
RATE_HZ = 16_000
LIMIT_S = 0.2


def samples_needed(token: int, delay_tokens: int) -> int:
    """Return how many samples of a session's own audio its token number `token` (from 0) needs.

    Token k is sampled at the position that hears the audio of place k + delay, whole.
    """
    return (token + delay_tokens + 1) * POSITION_SAMPLES + LOOK_AHEAD_SAMPLES


def due_s(token: int, delay_tokens: int) -> float:
    """Return when a token is due: the moment its last needed sample is spoken.

    In seconds since the session's first sample was. What a client takes to fill and send its
    message comes after this, and counts as lateness.
    """
    return samples_needed(token, delay_tokens) / RATE_HZ


def tokens_due(n_samples: int, delay_tokens: int) -> int:
    """Return how many tokens the first `n_samples` of a session owe."""
    n_positions = (n_samples - LOOK_AHEAD_SAMPLES) // POSITION_SAMPLES
    return max(0, n_positions - delay_tokens)


@dataclass(frozen=True, slots=True)
class Lateness:
    """Of some sessions' tokens, in ms: a token that never came is infinitely late."""

    n_due: int
    n_missing: int
    median_ms: float
    p99_ms: float
    max_ms: float

    @property
    def is_kept(self) -> bool:
        """Whether 99 of 100 tokens came within the limit."""
        return self.p99_ms <= 1000 * LIMIT_S


def lateness(late_s: Sequence[float], n_due: int) -> Lateness:
    """Sum up how late the tokens came that came, of those that were due."""
    n_missing = max(0, n_due - len(late_s))
    all_ms = np.concatenate([1000 * np.asarray(late_s, np.float64), np.full(n_missing, np.inf)])
    if not len(all_ms):
        return Lateness(0, 0, np.inf, np.inf, np.inf)
    median, p99 = (float(np.quantile(all_ms, q, method="inverted_cdf")) for q in (0.5, 0.99))
    return Lateness(n_due, n_missing, median, p99, float(all_ms.max()))
