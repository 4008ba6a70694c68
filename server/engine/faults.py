"""What a fault of the model means for the sessions in it."""

from __future__ import annotations

from ...protocol.errors import OutOfMemoryError, SessionFailedError, StepFaultError

# How MLX's back-ends say it; they raise RuntimeError for everything.
_MEMORY_WORDS = ("malloc", "out of memory", "unable to allocate", "insufficient memory")


class FaultLimitError(Exception):
    """Steps fail one after another: the process is not fit to go on."""


def fault_of(error: BaseException) -> SessionFailedError:
    """Return what a session is told when `error` came out of the model."""
    text = str(error).lower()
    if isinstance(error, MemoryError) or any(word in text for word in _MEMORY_WORDS):
        return OutOfMemoryError("the device ran out of memory")
    return StepFaultError("a step of the model failed")


def forget_frames(error: BaseException) -> None:
    """Drop the tracebacks of an error and its causes, and with them the arrays in their frames."""
    cause: BaseException | None = error
    while cause is not None:
        cause.__traceback__ = None
        cause = cause.__cause__ or cause.__context__
