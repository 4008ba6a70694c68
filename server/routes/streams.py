"""The WebSockets: which dialect is spoken at which path, and how a client is refused."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from ...protocol.deepgram.dialect import Deepgram
from ...protocol.dialect import Close, Context, Dialect, Message
from ...protocol.errors import NotFoundError, VoxwireError
from ...protocol.mistral.dialect import Mistral
from ...protocol.native.dialect import Native
from ...protocol.native.resume import Resumption, refusal
from ...protocol.realtime import Realtime, asks_for_beta
from ..connection import Connection
from ..doors.asgi import visitor_of
from ..resumption import Carried
from ..service import Service, new_id
from .errors import error_response

log = logging.getLogger(__name__)
router = APIRouter()

Refuse: TypeAlias = Callable[[WebSocket, VoxwireError], Awaitable[None]]
FromQuery: TypeAlias = Callable[[Mapping[str, str], Context], Dialect]


@router.websocket("/v1/stream")
async def native(socket: WebSocket) -> None:
    """Speak voxwire's own dialect, on a session that outlives its sockets."""
    if "resume" in socket.query_params:
        await resume(socket)
    else:
        refuse = _refuse_page if "origin" in socket.headers else _refuse_handshake
        await converse(socket, Native.from_query, refuse=refuse)


@router.websocket("/v1/realtime")
async def realtime(socket: WebSocket) -> None:
    """Speak OpenAI's Realtime dialect, or vLLM's.

    A token brings the settings that it was issued with, as if the client had sent them first.
    """
    token = visitor_of(socket).token
    session = json.loads(token.session) if token is not None and token.session else None
    opening = [json.dumps({"type": "session.update", "session": session})] if session else []
    is_beta = asks_for_beta(socket.headers.get("openai-beta", ""), socket.scope["subprotocols"])
    await converse(socket, partial(Realtime.from_query, is_beta=is_beta), opening)


@router.websocket("/v1/audio/transcriptions/realtime")
async def mistral(socket: WebSocket) -> None:
    """Speak Mistral's realtime dialect."""
    await converse(socket, Mistral.from_query)


@router.websocket("/v1/listen")
async def deepgram(socket: WebSocket) -> None:
    """Speak Deepgram's live dialect."""
    await converse(socket, Deepgram.from_query)


@router.websocket("/{elsewhere:path}")
async def nothing(socket: WebSocket) -> None:
    """Refuse in our words a WebSocket where there is none."""
    error = NotFoundError(f"expected the path of a dialect, got {socket.url.path[:200]}")
    await socket.send_denial_response(error_response(error))


async def _refuse_handshake(socket: WebSocket, error: VoxwireError) -> None:
    await socket.send_denial_response(error_response(error))


async def _refuse_page(socket: WebSocket, error: VoxwireError) -> None:
    """Accept and say why not: a page cannot read the HTTP answer to a handshake that fails."""
    await socket.accept(visitor_of(socket).subprotocol)
    await _say_refusal(socket, error)


async def _say_refusal(socket: WebSocket, error: VoxwireError) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # gone again meanwhile
        await socket.send_text(refusal(error))
        await socket.close(1008, error.code)


async def converse(
    socket: WebSocket,
    from_query: FromQuery,
    opening: Sequence[Message] = (),
    refuse: Refuse = _refuse_handshake,
) -> None:
    """Admit a client and carry its session, or refuse it.

    opening: messages that count as the client's first.
    """
    service: Service = socket.app.state.service
    visitor = visitor_of(socket)
    try:
        session_id = new_id("sess")
        dialect = from_query(socket.query_params, service.context(session_id))
        session = service.open_session(dialect.settings, dialect.name, visitor.key_id, session_id)
    except VoxwireError as error:
        log.info("path=%s refused=%s", socket.url.path, error.code)
        service.metrics.refused(error.code)
        await refuse(socket, error)
        return
    carried = Carried(session, dialect, visitor.key_id)
    if isinstance(dialect, Native) and dialect.resume_token is not None:
        service.resumptions.add(dialect.resume_token, carried)
    try:
        await socket.accept(visitor.subprotocol)
    except BaseException:
        service.resumptions.forget(carried)
        raise
    await _carry(socket, carried, dialect.greet(), opening)


async def resume(socket: WebSocket) -> None:
    """Go on with a session on another socket; where it is lost, say so there, as to a page."""
    service: Service = socket.app.state.service
    visitor = visitor_of(socket)
    await socket.accept(visitor.subprotocol)
    carried: Carried | None = None
    try:
        wanted = Resumption.from_query(socket.query_params)
        carried, received = await service.resumptions.claim(wanted.token, visitor.key_id)
        assert isinstance(carried.dialect, Native)
        greeting = carried.dialect.resume(wanted.after_seq, received)
    except VoxwireError as error:
        log.info("path=%s refused=%s", socket.url.path, error.code)
        service.metrics.refused(error.code)
        if carried is not None:
            service.resumptions.let_go(carried, is_told=False)
        await _say_refusal(socket, error)
        return
    await _carry(socket, carried, greeting, ())


async def _carry(
    socket: WebSocket,
    carried: Carried,
    greeting: Sequence[Message | Close],
    opening: Sequence[Message],
) -> None:
    """Carry a session until this socket is over; the session may wait for another."""
    service: Service = socket.app.state.service
    idle_s = service.settings.session_idle_s
    connection = Connection(socket, carried.dialect, carried.session, greeting, opening, idle_s)
    carried.connection = connection
    is_told = False
    try:
        is_told = await connection.run()
    finally:
        if carried.connection is connection:  # else it was displaced
            service.resumptions.let_go(carried, is_told=is_told)
