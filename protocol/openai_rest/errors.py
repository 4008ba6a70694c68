"""Errors as OpenAI's REST interface writes them, with the HTTP status of each."""

from __future__ import annotations

from pydantic import BaseModel, Field

from ..errors import (
    EngineDeadError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    ShutdownError,
    StalledError,
    TooLargeError,
    UnauthorizedError,
    VoxwireError,
    WrongContentTypeError,
)

_STATUS: dict[type[VoxwireError], int] = {
    WrongContentTypeError: 415,
    TooLargeError: 413,
    StalledError: 408,
    NotFoundError: 404,
    InvalidRequestError: 400,
    UnauthorizedError: 401,
    ForbiddenError: 403,
    RefusedError: 503,
    ShutdownError: 503,
    EngineDeadError: 503,
    VoxwireError: 500,
}
_TYPES = {401: "authentication_error", 403: "permission_error"}


class ErrorDetail(BaseModel):
    """What went wrong. All four keys are always there."""

    message: str = Field(description="For people: what was expected and what came.")
    type: str = Field(description="invalid_request_error, server_error, or one for keys.")
    param: str | None = Field(description="The form field that is wrong, where it is one.")
    code: str | None = Field(description="For programs: stable.")


class ErrorBody(BaseModel):
    """The body of every answer that is not 2xx."""

    error: ErrorDetail


def status_of(error: VoxwireError) -> int:
    """Return the HTTP status that says `error`."""
    return next(_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)


def error_body(error: VoxwireError) -> ErrorBody:
    """Return the body that says `error`."""
    param = error.param if isinstance(error, InvalidRequestError) else None
    return body_of(status_of(error), error.message, error.code, param)


def body_of(status: int, message: str, code: str, param: str | None = None) -> ErrorBody:
    """Return the body of an answer with an HTTP status of 4xx or 5xx."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return ErrorBody(error=ErrorDetail(message=message, type=kind, param=param, code=code))


def error_headers(error: VoxwireError) -> dict[str, str]:
    """Return the HTTP headers that go with `error`: what to bring, when to come back (whole s)."""
    headers = {}
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, -int(-error.retry_after_s // 1)))
    return headers
