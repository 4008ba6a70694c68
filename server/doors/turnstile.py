"""How many sessions each key has open. Event loop only."""

from __future__ import annotations

from collections import Counter

from ...protocol.errors import CapacityError

_RETRY_S = 5.0


class Turnstile:
    """Counts the sessions of each key, at most `max_per_key`; 0 sets no limit.

    Visitors without a key count as one.
    """

    def __init__(self, max_per_key: int) -> None:
        self._max_per_key = max_per_key
        self._n_open: Counter[str | None] = Counter()

    def enter(self, key_id: str | None) -> None:
        """Count one more session. Raises CapacityError."""
        if 0 < self._max_per_key <= self._n_open[key_id]:
            who = "visitors without a key have" if key_id is None else "this key has"
            plural = "" if self._max_per_key == 1 else "s"
            message = f"{who} {self._max_per_key} session{plural} open, and no more may be"
            raise CapacityError(message, _RETRY_S)
        self._n_open[key_id] += 1

    def leave(self, key_id: str | None) -> None:
        """Count one session less."""
        self._n_open[key_id] -= 1
        if not self._n_open[key_id]:
            del self._n_open[key_id]
