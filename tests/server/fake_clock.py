"""A clock that passes only when somebody sleeps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class FakeClock:
    """Time in seconds; tests may set it forward."""

    time_s: float = 0.0

    def now_s(self) -> float:
        """Return the time."""
        return self.time_s

    def sleep_until(self, at_s: float) -> None:
        """Let time pass."""
        self.time_s = max(self.time_s, at_s)
