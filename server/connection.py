"""One WebSocket: its messages through its dialect into a session, and the session's events back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ..protocol.dialect import Close, Dialect, Message
from ..protocol.errors import DisplacedError, IdleError, InvalidRequestError, VoxwireError
from ..protocol.session import Audio, KeepAlive, Reply, Request
from .session.outbox import Told
from .session.session import Session
from .session.state import State

log = logging.getLogger(__name__)

SEND_TIMEOUT_S = 20.0  # a client that takes nothing for so long is gone


class Connection:
    """Carries a session over an accepted WebSocket.

    greeting: what the client is told first. opening: messages that count as the client's first.
    idle_s: how long the client may be silent. While a message of its waits, it is not silent.
    """

    def __init__(
        self,
        socket: WebSocket,
        dialect: Dialect,
        session: Session,
        greeting: Sequence[Message | Close],
        opening: Sequence[Message],
        idle_s: float,
    ) -> None:
        self._socket = socket
        self._dialect = dialect
        self._session = session
        self._greeting = greeting
        self._opening = opening
        self._idle_s = idle_s
        self._heard_at_s = 0.0
        self._is_taking = False  # a message, during which nothing else is read
        self._sending: asyncio.Task[None] | None = None
        self._is_over = asyncio.Event()
        self._is_displaced = self._is_told = False

    async def run(self) -> bool:
        """Talk until the client was told all, or is gone, or `displace` was called.

        Returns whether it was told all. The session is left as it is.
        """
        self._heard_at_s = _now_s()
        self._session.recorder.note("connected")
        async with asyncio.TaskGroup() as tasks:
            self._sending = tasks.create_task(self._send_all())
            others = [tasks.create_task(self._receive_all()), tasks.create_task(self._watch())]
            await asyncio.wait([self._sending])
            for task in others:
                task.cancel()
        self._is_over.set()
        self._session.recorder.note("disconnected", is_told=self._is_told)
        if self._is_displaced:
            error = DisplacedError("the session goes on, on another connection")
            await self._close(Close(1008, error.code))
        return self._is_told

    async def displace(self) -> None:
        """End because the client came back on another connection; return when that is done."""
        if self._sending is not None:
            self._is_displaced = True
            self._session.recorder.note("displaced")
            self._sending.cancel()
            await self._is_over.wait()

    async def _receive_all(self) -> None:
        for message in self._opening:
            await asyncio.shield(self._take(message))
        while True:
            try:
                message = await self._receive()
            except (WebSocketDisconnect, RuntimeError):  # RuntimeError: it was closed meanwhile
                if self._sending is not None:
                    self._sending.cancel()
                return
            # A message that came is worked on to its end, whatever becomes of the socket.
            await asyncio.shield(self._take(message))

    async def _receive(self) -> Message:
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1005))
        text: str | None = received.get("text")
        return received["bytes"] if text is None else text

    async def _take(self, message: Message) -> None:
        """Do what a message asks for; what is wrong with it is told, and costs nothing else."""
        try:
            for request in self._dialect.receive(message):
                await self._do(request)
        except InvalidRequestError as error:
            self._session.refuse(error)
        except Exception:
            log.exception("session=%s message=failed", self._session.id)
            self._session.fail(VoxwireError("the message could not be worked on"))

    async def _do(self, request: Request) -> None:
        """Do one thing; a refusal carries the client's id of what asked for it."""
        began_s = _now_s()
        if isinstance(request, Audio | KeepAlive):
            self._heard_at_s = began_s
        self._is_taking = True
        try:
            await self._session.handle(request)
        except InvalidRequestError as error:
            if not isinstance(request, Reply):
                error.ref = error.ref or request.ref
            raise
        finally:
            self._is_taking = False
            self._heard_at_s += _now_s() - began_s  # it may have waited for room

    async def _watch(self) -> None:
        """End the session when no audio comes for too long; who said its last waits for us."""
        while self._session.state is not State.DRAINING:
            left_s = self._heard_at_s + self._idle_s - _now_s()
            if self._is_taking:
                left_s = self._idle_s
            if left_s <= 0:
                message = f"no audio for {self._idle_s:g} s"
                await asyncio.shield(self._session.end_with(IdleError(message)))
                return
            await asyncio.sleep(left_s)

    async def _send_all(self) -> None:
        """Send what there is to tell, to its end or until nobody listens."""
        messages = self._greeting
        while True:
            for message in messages:
                if isinstance(message, Close):
                    self._is_told = True
                    await self._close(message)
                    return
                if not await self._send(message):
                    return
            messages = self._messages(await self._session.outbox.get())

    def _messages(self, told: Told) -> Sequence[Message | Close]:
        return [told.message] if isinstance(told, Reply) else self._dialect.tell(told)

    async def _send(self, message: Message) -> bool:
        """Send one message; tell whether the client is still there."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                if isinstance(message, str):
                    await self._socket.send_text(message)
                else:
                    await self._socket.send_bytes(message)
        except (WebSocketDisconnect, RuntimeError, OSError, TimeoutError):
            return False
        return True

    async def _close(self, close: Close) -> None:
        if self._socket.application_state is not WebSocketState.CONNECTED:
            return
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError, TimeoutError):
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._socket.close(close.code, close.reason)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
