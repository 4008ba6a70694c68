"""How a live client sends: equal messages at the pace of speech, shaken a little. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

RATE_HZ = 16_000


@dataclass(frozen=True, slots=True)
class Message:
    """Samples [start, stop) of a session, sent at `at_s` seconds after its first was spoken."""

    at_s: float
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Pace:
    """A kind of client. jitter_ms: a message is late by a random time up to this."""

    message_ms: int
    jitter_ms: int

    def messages(self, n_samples: int, seed: int) -> Iterator[Message]:
        """Yield the messages of a session in order: none before its last sample is spoken.

        None overtakes another, as on one connection.
        """
        rng = np.random.default_rng(seed)
        size = self.message_ms * RATE_HZ // 1000
        at_s = 0.0
        for start in range(0, n_samples, size):
            stop = min(start + size, n_samples)
            at_s = max(at_s, stop / RATE_HZ + rng.uniform(0, self.jitter_ms / 1000))
            yield Message(at_s, start, stop)


PACES = (Pace(20, 10), Pace(100, 20))


def pace_of(session: int) -> Pace:
    """Return how a session sends: every other one in short messages, the rest in long ones."""
    return PACES[session % len(PACES)]


def began_s(session: int) -> float:
    """Return when a session begins, within the first second: no two in step with each other."""
    return float(np.random.default_rng(session).uniform(0, 1))
