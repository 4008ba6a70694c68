"""The session's audio clock: where what the model heard lies in what the client sent.

The model hears less than was sent where a voice activity detector leaves out silence, and more
where a flush adds padding. Plain Python, one thread.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

from .samples import RATE_HZ

SAMPLES_PER_TOKEN = 1280


class SessionClock:
    """Translates times on the model's axis to the session's. All counts are of 16 kHz samples."""

    def __init__(self) -> None:
        self.n_sent = 0  # by the client: the session's axis
        self.n_heard = 0  # fed to the model, without padding
        self._skips: list[tuple[int, int]] = [(0, 0)]  # n_heard, and n_sent - n_heard from there on
        self._flushes: deque[int] = deque()  # n_heard at each flush that is not done
        self._padding = 0  # of the flushes that are done
        self._floor = 0  # n_heard at the last of them
        self._origin = 0  # n_heard where the model's axis begins

    def heard(self, n_samples: int) -> None:
        """Count samples that were fed to the model."""
        self.n_sent += n_samples
        self.n_heard += n_samples

    def skipped(self, n_samples: int) -> None:
        """Count samples that were not."""
        self.n_sent += n_samples
        gap = self.n_sent - self.n_heard
        if self._skips[-1][0] == self.n_heard:
            self._skips[-1] = (self.n_heard, gap)
        else:
            self._skips.append((self.n_heard, gap))

    def flush_begins(self) -> None:
        """Note that the model is about to be given padding."""
        self._flushes.append(self.n_heard)

    def flush_done(self, padding_samples: int) -> None:
        """Note that the oldest flush is done, and how much padding it was."""
        self._floor = self._flushes.popleft()
        self._padding += padding_samples
        place = bisect_left(self._skips, (self._floor, -1))
        del self._skips[: max(0, place - 1)]  # nothing before it will be asked for

    def begin_anew(self, token_index: int, heard_at: int) -> None:
        """Note that the model hears again from `heard_at` on, and writes that as a token."""
        self._origin = heard_at - token_index * SAMPLES_PER_TOKEN
        self._padding = 0
        self._floor = heard_at

    def heard_at(self, token_index: int) -> int:
        """Return how much of n_heard lies before a token, padding left out."""
        return self._heard(token_index * SAMPLES_PER_TOKEN)

    def session_s(self, model_s: float) -> float:
        """Return the session's time of a time on the model's axis, in seconds."""
        heard = self._heard(round(model_s * RATE_HZ))
        # Where silence was left out, time stands at its start for what ends there; what was
        # flushed has ended, so that what stands there now begins, after the silence.
        is_begin = heard == self._floor
        place = bisect_left(self._skips, (heard + is_begin, -1)) - 1
        return (heard + self._skips[max(0, place)][1]) / RATE_HZ

    @property
    def sent_s(self) -> float:
        """Seconds that the client sent."""
        return self.n_sent / RATE_HZ

    def _heard(self, model_samples: int) -> int:
        ceiling = self._flushes[0] if self._flushes else self.n_heard
        heard = model_samples + self._origin - self._padding
        return max(self._floor, min(heard, ceiling))
