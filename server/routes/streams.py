"""The WebSockets: which dialect is spoken at which path, and how a client is refused."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

from fastapi import APIRouter, WebSocket
from fastapi.responses import JSONResponse

from ...protocol.deepgram.dialect import Deepgram
from ...protocol.dialect import Context, Dialect
from ...protocol.errors import (
    ForbiddenError,
    InvalidRequestError,
    RefusedError,
    UnauthorizedError,
    VoxwireError,
)
from ...protocol.mistral.dialect import Mistral
from ...protocol.native.dialect import Native
from ...protocol.realtime import Realtime
from ..connection import Connection
from ..doors.asgi import visitor_of
from ..service import Service

log = logging.getLogger(__name__)
router = APIRouter()

FromQuery: TypeAlias = Callable[[Mapping[str, str], Context], Dialect]


@router.websocket("/v1/stream")
async def native(socket: WebSocket) -> None:
    """Speak voxwire's own dialect."""
    await converse(socket, Native.from_query)


@router.websocket("/v1/realtime")
async def realtime(socket: WebSocket) -> None:
    """Speak OpenAI's Realtime dialect, or vLLM's."""
    await converse(socket, Realtime.from_query)


@router.websocket("/v1/audio/transcriptions/realtime")
async def mistral(socket: WebSocket) -> None:
    """Speak Mistral's realtime dialect."""
    await converse(socket, Mistral.from_query)


@router.websocket("/v1/listen")
async def deepgram(socket: WebSocket) -> None:
    """Speak Deepgram's live dialect."""
    await converse(socket, Deepgram.from_query)


async def converse(socket: WebSocket, from_query: FromQuery) -> None:
    """Admit a client and carry its session, or refuse it by an HTTP answer to its handshake."""
    service: Service = socket.app.state.service
    visitor = visitor_of(socket)
    try:
        dialect = from_query(socket.query_params, service.context())
        session = service.open_session(dialect.settings, visitor.key_id)
    except VoxwireError as error:
        log.info("path=%s refused=%s", socket.url.path, error.code)
        service.metrics.refused(error.code)
        await socket.send_denial_response(refusal(error))
        return
    try:
        await socket.accept(visitor.subprotocol)
        await Connection(socket, dialect, session, service.settings.session_idle_s).run()
    finally:
        service.close_session(session)


def refusal(error: VoxwireError) -> JSONResponse:
    """Return the HTTP answer to a handshake that is refused, shaped as OpenAI's errors are."""
    body = {
        "message": error.message,
        "type": "invalid_request_error" if _status(error) < 500 else "server_error",
        "param": error.param if isinstance(error, InvalidRequestError) else None,
        "code": error.code,
    }
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return JSONResponse({"error": body}, _status(error), headers)


def _status(error: VoxwireError) -> int:
    match error:
        case UnauthorizedError():
            return 401
        case ForbiddenError():
            return 403
        case RefusedError():
            return 503
        case InvalidRequestError():
            return 400
        case _:
            return 500
