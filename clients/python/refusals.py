"""What the server refused, as the error that it was there."""

from __future__ import annotations

import json
from collections.abc import Iterator

from websockets.http11 import Response

from ...protocol.errors import RefusedError, SessionFailedError, VoxwireError


def error_of(code: str, message: str, retry_after_s: float | None = None) -> VoxwireError:
    """Return the error with this code; SessionFailedError for a code that is not known here."""
    kinds = {kind.code: kind for kind in _kinds(VoxwireError) if "code" in vars(kind)}
    error = kinds.get(code, SessionFailedError)(message)
    error.retry_after_s = retry_after_s
    return error


def refusal_of(response: Response) -> VoxwireError:
    """Return the error that an HTTP answer to a handshake stands for."""
    after = response.headers.get("Retry-After", "")
    retry_after_s = float(after) if after.isdecimal() else None
    try:
        told = json.loads(response.body or b"")["error"]
        return error_of(told["code"], told["message"], retry_after_s)
    except (ValueError, LookupError, TypeError):
        message = f"expected a WebSocket, got HTTP status {response.status_code}"
        return RefusedError(message, retry_after_s)


def _kinds(kind: type[VoxwireError]) -> Iterator[type[VoxwireError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)
