"""Every way in which a session is refused or ends before its time, as one tree of exceptions.

Each has a `code` that clients may rely on, a message for people, and, where waiting helps, a hint
when to come back.
"""

from __future__ import annotations

from typing import ClassVar


class VoxwireError(Exception):
    """Base of all errors that a client is told about.

    retry_after_s: when the same request may succeed; None where it never will, or nobody knows.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s


class InvalidRequestError(VoxwireError):
    """A request that is wrong in itself: a delay that does not exist, audio that is none."""

    code = "invalid_request"


class SessionClosedError(VoxwireError):
    """A call on a session that has ended, or whose audio has."""

    code = "session_closed"


class RefusedError(VoxwireError):
    """A session that was not begun; nothing of it exists."""

    code = "refused"


class CapacityError(RefusedError):
    """As many sessions as the operator allows are open."""

    code = "at_capacity"


class OverloadedError(RefusedError):
    """One more session would push those that are open past real time."""

    code = "overloaded"


class NotReadyError(RefusedError):
    """The model is still being loaded, or the server is shutting down."""

    code = "not_ready"


class SessionFailedError(VoxwireError):
    """A session that ended before its time. What it had written stands."""

    code = "session_failed"


class RowFaultError(SessionFailedError):
    """This session's own audio or state could not be worked on; others go on."""

    code = "row_fault"


class NotFiniteError(RowFaultError):
    """The model's numbers for this session became NaN or infinite."""

    code = "not_finite"


class StepFaultError(SessionFailedError):
    """A step of the model failed, and with it the sessions that were in it."""

    code = "step_fault"


class OutOfMemoryError(StepFaultError):
    """The device had no memory for a step or for another slot."""

    code = "out_of_memory"


class ShutdownError(SessionFailedError):
    """The server stopped while the session was open."""

    code = "shutdown"


class EngineDeadError(SessionFailedError):
    """The engine gave up: the process is about to be replaced."""

    code = "engine_dead"
