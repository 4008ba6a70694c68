"""Audio out, messages in: one stream, though connections break and servers are replaced."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from ...protocol.native.messages import (
    Clear,
    ClientMessage,
    Commit,
    Config,
    End,
    KeepAlive,
    Ready,
)
from ...protocol.native.parameters import Parameters
from .carrier import Carrier
from .inbox import Heard
from .persistence import Persistence

DEFAULT_URL = "ws://127.0.0.1:8000"


async def stream(
    audio: AsyncIterable[bytes],
    url: str = DEFAULT_URL,
    *,
    key: str | None = None,
    persistence: Persistence | None = None,
    **parameters: Any,
) -> AsyncGenerator[Heard, None]:
    """Send `audio` as it comes, and yield what the server says, as `Connection.messages` does.

    audio: PCM16 at 16 kHz unless the parameters say otherwise, cut anywhere. persistence: see
    `connect`. parameters: those of the address, such as delay_ms=480 or endpoint="vad". What
    `audio` raises is raised here, after the last words of what came before. Raises VoxwireError
    where the server refuses or the session fails.
    """
    broken_off: list[Exception] = []
    async with connect(url, key=key, persistence=persistence, **parameters) as connection:
        sending = asyncio.create_task(_send_all(audio, connection, broken_off))
        try:
            yield connection.ready
            async with aclosing(connection.messages()) as messages:
                async for message in messages:
                    yield message
        finally:
            sending.cancel()
            await asyncio.wait([sending])
    if broken_off:
        raise broken_off[0]


async def _send_all(
    audio: AsyncIterable[bytes], connection: Connection, broken_off: list[Exception]
) -> None:
    try:
        async for piece in audio:
            await connection.send(piece)
    except Exception as error:
        if not connection.is_over:  # else the receiving side tells why
            broken_off.append(error)
    with contextlib.suppress(Exception):  # likewise
        await connection.end()


@asynccontextmanager
async def connect(
    url: str = DEFAULT_URL,
    *,
    key: str | None = None,
    persistence: Persistence | None = None,
    **parameters: Any,
) -> AsyncIterator[Connection]:
    """Open a session, and leave it at the end. Raises VoxwireError or OSError.

    url: of the server, http and https too. persistence: how connections that break are opened
    again, and when that is given up; the first one is tried once.
    """
    carrier = Carrier(url, key, Parameters(**parameters), persistence or Persistence())
    connection = Connection(carrier, await carrier.open())
    try:
        yield connection
    finally:
        await connection.close()


class Connection:
    """An open stream. Send from one task, read from another.

    ready: the first message, with the settings that hold. Sequence numbers, segments and times
    run on over all sessions that the stream takes; numbers that were for the client are left out.
    """

    def __init__(self, carrier: Carrier, ready: Ready) -> None:
        self._carrier = carrier
        self._carrying = asyncio.create_task(carrier.run())
        self.ready = ready

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be sent."""
        return self._carrier.is_over

    async def send(self, audio: bytes) -> None:
        """Send audio. Waits where too much of it is unconfirmed: none is ever dropped.

        Raises why the stream is over, where it is.
        """
        await self._carrier.say_audio(audio)

    async def commit(self, ref: str | None = None) -> None:
        """Close the open segment with what was sent; its Final follows."""
        await self._say(Commit(ref=ref))

    async def clear(self, ref: str | None = None) -> None:
        """Drop the open segment."""
        await self._say(Clear(ref=ref))

    async def configure(self, ref: str | None = None, **parameters: Any) -> None:
        """Change settings; Configured follows, or an Error."""
        await self._say(Config(ref=ref, **parameters))

    async def keep_alive(self) -> None:
        """Tell that the client is there though it sends no audio."""
        await self._carrier.say_now(KeepAlive().model_dump_json(exclude_none=True))

    async def end(self) -> None:
        """Send no more; the last Final and Bye follow."""
        await self._say(End())

    async def close(self) -> None:
        """Leave at once."""
        if not self._carrying.done():
            self._carrying.cancel()
            await asyncio.wait([self._carrying])
            await self._carrier.hang_up()

    async def messages(self) -> AsyncGenerator[Heard, None]:
        """Yield what is told, up to and with the server's Bye, and notices of the client's own.

        A session that is lost after its end was said ends with a Gap in place of a Bye. Read while
        you send. Raises VoxwireError where the session failed or says what cannot be read, and
        GaveUpError where the server could not be reached again.
        """
        async with aclosing(self._carrier.inbox.read()) as told:
            async for heard in told:
                yield heard

    async def _say(self, message: ClientMessage) -> None:
        await self._carrier.say(message.model_dump_json(exclude_none=True))
