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
    """A request that is wrong in itself: a delay that does not exist, audio that is none.

    param: the field that is wrong. ref: the client's own id of its message.
    """

    code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None, ref: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.ref = ref


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


class IllegalMoveError(InvalidRequestError):
    """A request that the session's state does not allow; names the state it is in."""

    code = "illegal_state"


class IdleError(SessionFailedError):
    """No audio came for too long."""

    code = "idle"


class SessionLimitError(SessionFailedError):
    """The session reached the longest length that is configured."""

    code = "session_too_long"


class SlowReaderError(SessionFailedError):
    """The client did not read what it was sent."""

    code = "slow_reader"


class UnauthorizedError(RefusedError):
    """No key, or not one of ours."""

    code = "unauthorized"


class ForbiddenError(RefusedError):
    """A page of another site, or a host that we are not."""

    code = "forbidden"


class UnsupportedError(InvalidRequestError):
    """A request for something that this server does not do; names what it does."""

    code = "unsupported"


class MediaRefusedError(InvalidRequestError):
    """An uploaded file that is no recording, or is damaged, or could not be decoded."""

    code = "invalid_media"


class TooLargeError(InvalidRequestError):
    """More bytes or seconds than the operator allows."""

    code = "too_large"


class WrongContentTypeError(InvalidRequestError):
    """A body in another form than the one that is read."""

    code = "wrong_content_type"


class StalledError(InvalidRequestError):
    """A client that stopped sending in the middle of its request, or reading the answer."""

    code = "stalled"


class NotFoundError(InvalidRequestError):
    """A name that nothing has."""

    code = "not_found"


class ResumeError(RefusedError):
    """A session that cannot be gone on with: its token is unknown, or its time is over."""

    code = "resume_lost"


class DisplacedError(SessionFailedError):
    """The session goes on, on another connection."""

    code = "resumed_elsewhere"
