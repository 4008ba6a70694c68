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


@dataclass(frozen=True, slots=True)
class Load:
    """What the machine carries now.

    n_sustainable: live sessions that keep pace. n_slots: sessions that memory suffices for.
    """

    n_slots: int
    n_sustainable: int
    is_behind: bool


_MIN_RETRY_S, _DEFAULT_RETRY_S, _MAX_RETRY_S = 1.0, 5.0, 60.0
_N_DEPARTURES = 8


class Admission:
    """Counts open sessions, and refuses one too many with a hint when to come back.

    load: as the engine last measured it; set by its owner.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._departures: deque[float] = deque(maxlen=_N_DEPARTURES)
        self.n_open = dict.fromkeys(Kind, 0)
        self.load = Load(limits.max_sessions, limits.max_sessions, is_behind=False)

    @property
    def n_free(self) -> int:
        """Live sessions that would be admitted now."""
        n_live = self.n_open[Kind.LIVE]
        by_count = self._max_sessions - sum(self.n_open.values())
        return 0 if self.load.is_behind else max(0, min(by_count, self._max_live - n_live))

    def admit(self, kind: Kind) -> None:
        """Count one more session. Raises CapacityError or OverloadedError, with a retry hint."""
        refusal = self._refusal(kind)
        if refusal is not None:
            raise refusal
        self.n_open[kind] += 1

    def replace(self, kind: Kind) -> None:
        """Count one more session, in the place of one that was just closed."""
        self.n_open[kind] += 1

    def release(self, kind: Kind) -> None:
        """Count one session less."""
        self.n_open[kind] -= 1
        self._departures.append(self._clock())

    @property
    def _max_sessions(self) -> int:
        return min(self._limits.max_sessions, self.load.n_slots)

    @property
    def _max_live(self) -> int:
        # One is always let in, or else nothing would ever be measured again.
        return max(1, self.load.n_sustainable)

    def _refusal(self, kind: Kind) -> RefusedError | None:
        if sum(self.n_open.values()) >= self._max_sessions:
            return CapacityError(f"all {self._max_sessions} sessions are taken", self._retry_s())
        max_uploads = self._limits.max_uploads
        if kind is Kind.UPLOAD and self.n_open[kind] >= max_uploads:
            return CapacityError(f"all {max_uploads} uploads are taken", self._retry_s())
        if self.load.is_behind:
            return OverloadedError("the sessions that are open are behind", _MIN_RETRY_S)
        if kind is Kind.LIVE and self.n_open[kind] >= self._max_live:
            message = f"this machine carries {self._max_live} live sessions"
            return OverloadedError(message, self._retry_s())
        return None

    def _retry_s(self) -> float:
        """Return how long it takes, at the pace of late, until somebody leaves."""
        if len(self._departures) < 2:
            return _DEFAULT_RETRY_S
        mean_s = (self._clock() - self._departures[0]) / len(self._departures)
        return min(max(mean_s, _MIN_RETRY_S), _MAX_RETRY_S)
