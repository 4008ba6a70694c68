"""Who may begin a session: decided by what the machine was measured to carry.

Plain Python with an injected clock; the thread of the event loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ...protocol.errors import CapacityError, OverloadedError, RefusedError


class Kind(Enum):
    """How a session's audio comes: as it is spoken, or as fast as it can be read."""

    LIVE = "live"
    UPLOAD = "upload"


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator allows. max_uploads: of the sessions, how many may be uploads."""

    max_sessions: int = 128
    max_uploads: int = 16


_MIN_RETRY_S, _DEFAULT_RETRY_S, _MAX_RETRY_S = 1.0, 5.0, 60.0
_N_DEPARTURES = 8


class Admission:
    """Counts open sessions, and refuses one too many with a hint when to come back."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._departures: deque[float] = deque(maxlen=_N_DEPARTURES)
        self.n_open = dict.fromkeys(Kind, 0)
        # Both as the engine last measured them.
        self._n_sustainable = limits.max_sessions
        self._is_behind = False

    def update(self, n_sustainable: int, is_behind: bool) -> None:
        """Take what the engine measured: live sessions that keep pace, and whether those do.

        One session is always let in, or else nothing would ever be measured again.
        """
        self._n_sustainable = max(1, n_sustainable)
        self._is_behind = is_behind

    @property
    def n_free(self) -> int:
        """Live sessions that would be admitted now."""
        n_live = self.n_open[Kind.LIVE]
        by_count = self._limits.max_sessions - sum(self.n_open.values())
        return 0 if self._is_behind else max(0, min(by_count, self._n_sustainable - n_live))

    def admit(self, kind: Kind) -> None:
        """Count one more session. Raises CapacityError or OverloadedError, with a retry hint."""
        refusal = self._refusal(kind)
        if refusal is not None:
            raise refusal
        self.n_open[kind] += 1

    def release(self, kind: Kind) -> None:
        """Count one session less."""
        self.n_open[kind] -= 1
        self._departures.append(self._clock())

    def _refusal(self, kind: Kind) -> RefusedError | None:
        limits = self._limits
        if sum(self.n_open.values()) >= limits.max_sessions:
            return CapacityError(f"all {limits.max_sessions} sessions are taken", self._retry_s())
        if kind is Kind.UPLOAD and self.n_open[kind] >= limits.max_uploads:
            return CapacityError(f"all {limits.max_uploads} uploads are taken", self._retry_s())
        if self._is_behind:
            return OverloadedError("the sessions that are open are behind", _MIN_RETRY_S)
        if kind is Kind.LIVE and self.n_open[kind] >= self._n_sustainable:
            message = f"this machine carries {self._n_sustainable} live sessions"
            return OverloadedError(message, self._retry_s())
        return None

    def _retry_s(self) -> float:
        """Return how long it takes, at the pace of late, until somebody leaves."""
        if len(self._departures) < 2:
            return _DEFAULT_RETRY_S
        mean_s = (self._clock() - self._departures[0]) / len(self._departures)
        return min(max(mean_s, _MIN_RETRY_S), _MAX_RETRY_S)
