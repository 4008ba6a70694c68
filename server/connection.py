"""One WebSocket: its messages through its dialect into a session, and the session's events back."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ..protocol.dialect import Close, Dialect, Message
from ..protocol.errors import IdleError, InvalidRequestError, VoxwireError
from ..protocol.session import Audio, Ended, KeepAlive, Reply, RequestRefused
from .session.outbox import Told
from .session.session import Session

log = logging.getLogger(__name__)

SEND_TIMEOUT_S = 20.0  # a client that takes nothing for so long is gone


class Connection:
    """Carries a session over an accepted WebSocket until one of the two ends."""

    def __init__(
        self, socket: WebSocket, dialect: Dialect, session: Session, idle_s: float
    ) -> None:
        self._socket = socket
        self._dialect = dialect
        self._session = session
        self._idle_s = idle_s
        self._heard_at_s = 0.0

    async def run(self) -> None:
        """Talk until the session has ended and its client was told, or the client is gone."""
        self._heard_at_s = _now_s()
        async with asyncio.TaskGroup() as tasks:
            others = [
                tasks.create_task(self._session.run()),
                tasks.create_task(self._receive_all()),
                tasks.create_task(self._watch()),
            ]
            try:
                await self._send_all()
            finally:
                self._session.abandon()
                for task in others:
                    task.cancel()

    async def _receive_all(self) -> None:
        while True:
            try:
                message = await self._receive()
            except (WebSocketDisconnect, RuntimeError):  # RuntimeError: it was closed meanwhile
                self._session.abandon()
                return
            await self._take(message)

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
                if isinstance(request, Audio | KeepAlive):
                    self._heard_at_s = _now_s()
                await self._session.handle(request)
                if isinstance(request, Audio):
                    self._heard_at_s = _now_s()  # it may have waited for room
        except InvalidRequestError as error:
            self._session.outbox.put(RequestRefused(error, error.ref))
        except Exception:
            log.exception("session=%s message=failed", self._session.id)
            self._session.fail(VoxwireError("the message could not be worked on"))

    async def _watch(self) -> None:
        """End the session when no audio comes for too long."""
        while self._idle_s:
            left_s = self._heard_at_s + self._idle_s - _now_s()
            if left_s <= 0:
                message = f"no audio for {self._idle_s:g} s"
                self._session.fail(IdleError(message))
                return
            await asyncio.sleep(left_s)

    async def _send_all(self) -> None:
        for message in self._dialect.greet():
            if not await self._send(message):
                return
        while True:
            told = await self._session.outbox.get()
            for message in self._messages(told):
                if isinstance(message, Close):
                    await self._close(message)
                    return
                if not await self._send(message):
                    return
            if isinstance(told, Ended):
                await self._close(Close(1000))
                return

    def _messages(self, told: Told) -> list[Message | Close]:
        return [told.message] if isinstance(told, Reply) else list(self._dialect.tell(told))

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
