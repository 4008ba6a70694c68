"""How a refusal looks over HTTP, before a WebSocket is accepted too: OpenAI's error object."""

from __future__ import annotations

import math

from ...protocol.errors import (
    ForbiddenError,
    InvalidRequestError,
    RefusedError,
    UnauthorizedError,
    VoxwireError,
)

# The first class that an error is of decides.
_STATUS: tuple[tuple[type[VoxwireError], int, str], ...] = (
    (UnauthorizedError, 401, "authentication_error"),
    (ForbiddenError, 403, "permission_error"),
    (RefusedError, 503, "service_unavailable"),
    (InvalidRequestError, 400, "invalid_request_error"),
    (VoxwireError, 500, "server_error"),
)


def status_of(error: VoxwireError) -> int:
    """Return the HTTP status of an error."""
    return next(status for kind, status, _ in _STATUS if isinstance(error, kind))


def body_of(error: VoxwireError) -> dict[str, object]:
    """Return an error as OpenAI's clients read it."""
    name = next(name for kind, _, name in _STATUS if isinstance(error, kind))
    param = error.param if isinstance(error, InvalidRequestError) else None
    return {"error": {"message": error.message, "type": name, "param": param, "code": error.code}}


def headers_of(error: VoxwireError) -> dict[str, str]:
    """Return the headers that say what to do next."""
    headers = {}
    if isinstance(error, UnauthorizedError):
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    return headers
