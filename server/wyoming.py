"""Wyoming over TCP: many connections, each with one utterance after another. Event loop only.

Wyoming knows neither keys nor TLS: settings.py lets it listen on the loopback only, or to everybody
where the operator says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Sequence

from .. import __version__
from ..protocol.dialect import Close
from ..protocol.errors import CapacityError, IdleError, IllegalMoveError, RefusedError, VoxwireError
from ..protocol.session import Audio, Ended, Finish, Reply
from ..protocol.wyoming.dialect import Answer, Asked, Begin, Described, Wyoming, error_event
from ..protocol.wyoming.framing import EventReader, WyomingEvent
from .service import Service
from .session.session import Session

log = logging.getLogger(__name__)

# Connections without an utterance hold no slot of the engine, but a socket and a buffer each.
MAX_CONNECTIONS = 256
SEND_TIMEOUT_S = 20.0  # a client that takes nothing for so long is gone
# How long what a client still sends is read after the last word to it. Home Assistant reads what it
# was told when it has sent all of an utterance; closed on unread input, TCP would take it back.
LINGER_S, LINGER_FULL_S = 30.0, 1.0  # FULL: of connections beyond those that are served
_READ_BYTES = 1 << 16

# Home Assistant asks for a language that is listed here. Voxtral Mini Realtime's, by its card.
_LANGUAGES = tuple("ar de en es fr hi it ja ko nl pt ru zh".split())
_EMBEDDED_LANGUAGES = ("en",)


@contextlib.asynccontextmanager
async def wyoming_server(service: Service, sockets: Sequence[socket.socket]) -> AsyncIterator[None]:
    """Serve Wyoming on bound sockets; at the end, break off the connections that are left."""
    connections: set[asyncio.Task[None]] = set()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await _serve(service, reader, writer, is_full=len(connections) > MAX_CONNECTIONS)
        except Exception:
            log.exception("door=wyoming connection=failed")
        finally:
            connections.discard(task)

    servers = [await asyncio.start_server(connect, sock=each) for each in sockets]
    try:
        yield
    finally:
        for server in servers:
            server.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


async def _serve(
    service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_full: bool
) -> None:
    connection = WyomingConnection(service, reader, writer)
    try:
        if is_full:
            message = f"{MAX_CONNECTIONS} connections are open"
            await connection.send(error_event(CapacityError(message)))
        else:
            await connection.run()
        await _linger(reader, writer, LINGER_FULL_S if is_full else LINGER_S)
    finally:
        await _close(writer)


async def _linger(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float
) -> None:
    """Say that no more comes, and read on until the client has closed too."""
    if writer.is_closing():
        return
    with contextlib.suppress(OSError):  # TimeoutError is one
        writer.write_eof()
        async with asyncio.timeout(seconds):
            while await reader.read(_READ_BYTES):
                pass


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and break it off where its client does not take what is left."""
    writer.close()
    try:
        async with asyncio.timeout(SEND_TIMEOUT_S):
            await writer.wait_closed()
    except OSError:  # TimeoutError is one
        writer.transport.abort()


class WyomingConnection:
    """One connection until its client leaves, or says what cannot be understood."""

    def __init__(
        self, service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._service = service
        self._reader = reader
        self._writer = writer
        is_embedded = service.settings.model == "embedded"
        languages = _EMBEDDED_LANGUAGES if is_embedded else _LANGUAGES
        self._dialect = Wyoming(Described(service.model_name, __version__, languages))
        self._session: Session | None = None
        self._telling: asyncio.Task[None] | None = None
        self._has_said_all = False

    async def run(self) -> None:
        """Serve one utterance after another."""
        try:
            await self._receive_all()
        except VoxwireError as error:
            log.info("door=wyoming refused=%s", error.code)
            if isinstance(error, RefusedError):
                self._service.metrics.refused(error.code)
            await self.send(error_event(error))
        finally:
            if self._session is not None and self._telling is not None:
                self._telling.cancel()
                await asyncio.gather(self._telling, return_exceptions=True)
                self._service.close_session(self._session)  # the task may never have begun

    async def send(self, event: WyomingEvent) -> bool:
        """Send one event; tell whether the client is still there."""
        if self._writer.is_closing() or self._has_said_all:
            return False
        self._writer.write(event.encode())
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._writer.drain()
        except OSError:  # TimeoutError is one
            self._writer.transport.abort()  # nobody waits for it any more, nor does `close`
            return False
        return True

    async def _receive_all(self) -> None:
        events = EventReader(self._service.settings.max_message_bytes)
        while (data := await self._read()) and not self._has_said_all:
            for event in events.feed(data):
                for asked in self._dialect.receive(event):
                    await self._do(asked)

    async def _read(self) -> bytes:
        """Return what comes next, nothing when the client is gone. Raises IdleError."""
        idle_s = self._service.settings.session_idle_s
        try:
            async with asyncio.timeout(idle_s):
                return await self._reader.read(_READ_BYTES)
        except TimeoutError:
            raise IdleError(f"nothing came for {idle_s:g} s") from None
        except OSError:
            return b""

    async def _do(self, asked: Asked) -> None:
        match asked:
            case Answer():
                await self.send(asked.event)
            case Begin():
                self._session = self._service.open_session(asked.settings, "wyoming")
                self._telling = asyncio.create_task(self._tell_all(self._session))
            case Audio():
                await self._hand_on(asked)
            case Finish():
                await self._hand_on(asked)
                if self._telling is not None:
                    await self._telling  # the next utterance comes after this one's transcript

    async def _hand_on(self, request: Audio | Finish) -> None:
        """Give a request to the session, or let it tell why it ended before its client said so."""
        if self._session is None or self._telling is None:
            return
        try:
            await self._session.handle(request)
        except IllegalMoveError:
            await self._telling

    async def _tell_all(self, session: Session) -> None:
        """Tell what a session writes, until it has ended or the client is gone."""
        try:
            while not await self._tell_next(session):
                pass
        finally:
            self._service.close_session(session)

    async def _tell_next(self, session: Session) -> bool:
        """Tell what comes next; return whether it was the last."""
        told = await session.outbox.get()
        assert not isinstance(told, Reply)  # answers do not wait for a session here
        for one in self._dialect.tell(told):
            if isinstance(one, Close):
                self._writer.write_eof()
                self._has_said_all = True
            elif not await self.send(one):
                self._writer.close()
                return True
        return isinstance(told, Ended)
