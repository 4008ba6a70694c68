"""How a connection closes when its session has ended: one code per kind of end, in all dialects."""

from __future__ import annotations

from .dialect import Close
from .errors import (
    EngineDeadError,
    IdleError,
    InvalidRequestError,
    RefusedError,
    SessionLimitError,
    ShutdownError,
    SlowReaderError,
    UnauthorizedError,
    VoxwireError,
)
from .session import CloseReason, Ended

# RFC 6455 and the registry that it founded.
NORMAL = 1000
POLICY = 1008
INTERNAL = 1011
RESTART = 1012  # come back at once: another process takes over
TRY_LATER = 1013

_CODES: tuple[tuple[type[VoxwireError], int], ...] = (
    (ShutdownError, RESTART),
    (EngineDeadError, RESTART),
    (UnauthorizedError, POLICY),
    (RefusedError, TRY_LATER),
    (InvalidRequestError, POLICY),
    (IdleError, POLICY),
    (SessionLimitError, POLICY),
    (SlowReaderError, POLICY),
)


def closing(ended: Ended) -> Close:
    """Return the close that follows a session's end: its error's code, or its reason, in words."""
    error = ended.error
    if error is None:
        code = RESTART if ended.reason is CloseReason.SHUTDOWN else NORMAL
        return Close(code, ended.reason)
    codes = (code for kind, code in _CODES if isinstance(error, kind))
    return Close(next(codes, INTERNAL), error.code)
