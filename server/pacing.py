"""Play recorded audio at the speed at which it was spoken."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Protocol

from .frames import SAMPLE_RATE_HZ, Samples


class Clock(Protocol):
    """The wall clock, or a test's own."""

    def now_s(self) -> float:
        """Return seconds since some fixed moment."""

    def sleep_until(self, at_s: float) -> None:
        """Return at `at_s`, or at once if that is past."""


class WallClock:
    """Real time, unaffected by changes of the system's date."""

    def now_s(self) -> float:
        """Return seconds since some fixed moment."""
        return time.monotonic()

    def sleep_until(self, at_s: float) -> None:
        """Return at `at_s`, or at once if that is past."""
        time.sleep(max(0.0, at_s - time.monotonic()))


def as_spoken(pieces: Iterable[Samples], clock: Clock) -> Iterator[Samples]:
    """Yield each piece at the moment its last sample has been spoken.

    The first sample is spoken when the first piece is asked for. Where the reader is slower than
    speech, pieces that are due follow at once: nothing is left out, and the delay shows.
    """
    started_s = clock.now_s()
    n_samples = 0
    for piece in pieces:
        n_samples += len(piece)
        clock.sleep_until(started_s + n_samples / SAMPLE_RATE_HZ)
        yield piece
