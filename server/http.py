"""HTTP and WebSockets as uvicorn speaks them, but for faults that keep clients out, or in for ever.

uvicorn 0.54 waits for ever for a request's head, and for a client that takes nothing of what it was
sent: each costs a descriptor, and some a task.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from ..protocol.errors import CapacityError, InvalidRequestError, StalledError, VoxwireError
from ..protocol.openai_rest.errors import error_body, error_headers, status_of
from .descriptors import most_connections

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent

HEAD_S = 20.0  # for the head of a request to come
REFUSED_HEAD_S = 1.0  # where it will only be refused
RETRY_S = 5.0
TAKES_NOTHING_S = 60.0  # who takes nothing for so long, or twice that, is gone
PING_S = 20.0  # so often a WebSocket's client is asked whether it is there
PONG_S = 20.0  # for it to answer, or it is gone
# What is parsed before the session takes it: a frame of a byte costs a hundred times its length.
PIECE_BYTES = 1 << 14
MAX_FRAGMENTS = 10_000  # of one message: empty ones cost memory, and no length


class _Watch:
    """Breaks off a connection whose client takes nothing of what it is sent."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._n_unsent = 0
        self._look_later()

    def stop(self) -> None:
        """Watch no more."""
        self._timer.cancel()

    def _look_later(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TAKES_NOTHING_S, self._look)

    def _look(self) -> None:
        n_unsent = self._transport.get_write_buffer_size()
        if n_unsent and n_unsent == self._n_unsent:
            self._transport.abort()  # `close` would wait for the client
            return
        self._n_unsent = n_unsent
        self._look_later()


class Http(H11Protocol):
    """Sees that a WebSocket is asked for, also where a client sends two Connection headers.

    HTTP libraries add a `Connection: keep-alive` of their own to a handshake (LiveKit's plugin for
    Mistral does). Fields of one name are one list (RFC 9110, 5.3); uvicorn 0.54 reads the last
    alone, and answers 404. Refuses in our words what is no HTTP.
    """

    _watch: _Watch | None = None
    _head_timer: asyncio.TimerHandle | None = None
    _is_one_too_many = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request's head, and not for ever."""
        super().connection_made(transport)
        self._watch = _Watch(transport)
        self._is_one_too_many = len(self.connections) > most_connections()
        self._expect_head(REFUSED_HEAD_S if self._is_one_too_many else HEAD_S)

    def data_received(self, data: bytes) -> None:
        """Take what came; where it is a part of a head, the rest of it is due."""
        if self._is_one_too_many:
            self._refuse(CapacityError("too many connections are open", RETRY_S))
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._expect_no_head()
        elif self._head_timer is None and self.conn.trailing_data[0]:
            self._expect_head(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_watching()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection to WebSockets, who watch it themselves."""
        self._stop_watching()
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(InvalidRequestError(msg))

    def _get_upgrade(self) -> bytes | None:
        connection = b",".join(value for name, value in self.headers if name == b"connection")
        if b"upgrade" not in [token.strip() for token in connection.lower().split(b",")]:
            return None
        return next((value.lower() for name, value in self.headers if name == b"upgrade"), None)

    def _expect_head(self, within_s: float) -> None:
        self._head_timer = self.loop.call_later(within_s, self._refuse_slow_head, within_s)

    def _expect_no_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse_slow_head(self, within_s: float) -> None:
        self._refuse(StalledError(f"expected the head of a request within {within_s:g} s"))

    def _refuse(self, error: VoxwireError) -> None:
        body = error_body(error).model_dump_json().encode()
        headers = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
            **error_headers(error),
        }
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):  # else an answer has begun
            head = h11.Response(status_code=status_of(error), headers=list(headers.items()))
            for event in (head, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _stop_watching(self) -> None:
        self._expect_no_head()
        if self._watch is not None:
            self._watch.stop()


class WebSockets(WebSocketsSansIOProtocol):
    """Bounds what a client can have held for it that no message's length counts.

    Finds out that a client is gone without a word, and does not take for that one whose pong waits
    behind audio that the engine has no room for, as uvicorn 0.54 does. Logs no error where a client
    is refused, which it does too.
    """

    _watch: _Watch | None = None
    _has_heard = False  # since the last ping
    _unparsed = b""  # not more than the transport reads at once

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Watch the connection."""
        super().connection_made(transport)
        self.ping_interval, self.ping_timeout = PING_S, PONG_S
        self._watch = _Watch(self.transport)

    def data_received(self, data: bytes) -> None:
        """Take what came, a sign of life."""
        self._has_heard = True
        self._unparsed += data
        self._parse()

    def _parse(self) -> None:
        """Parse what came, up to the first piece with a message; `receive` lets it go on."""
        while self._unparsed and not (self.read_paused or self.transport.is_closing()):
            piece, self._unparsed = self._unparsed[:PIECE_BYTES], self._unparsed[PIECE_BYTES:]
            super().data_received(piece)

    async def receive(self) -> ASGIReceiveEvent:
        """Return the next message; where it was the last that was parsed, parse more."""
        message = await super().receive()
        self._parse()
        return message

    def send_keepalive_ping(self) -> None:
        """Ask for a sign of life."""
        self._has_heard = False
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        """Give the client up if nothing came of it, though we were reading."""
        if self._has_heard or self.read_paused:
            self.pong_timer = None
            self.send_keepalive_ping()  # at once, so that nobody is gone for longer unnoticed
            return
        super().keepalive_timeout()
        if self.transport.get_write_buffer_size():
            self.transport.abort()  # `close` would wait for it to take what is left

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        if self._watch is not None:
            self._watch.stop()
        super().connection_lost(exc)

    async def send(self, message: ASGISendEvent) -> None:
        """Send; an answer other than a WebSocket completes the handshake too, and is no error."""
        await super().send(message)
        self._parse()  # once it has closed, only the client's close is waited for
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True

    def handle_ping(self) -> None:
        """Answer a ping of a client that takes answers; others can have no number of them held."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def handle_cont(self, event: Frame) -> None:
        """Take a fragment; a message in too many of them is too large."""
        if len(self.frames) >= MAX_FRAGMENTS:
            self.conn.fail(1009, "too many fragments")
            self.handle_parser_exception()
            return
        super().handle_cont(event)
