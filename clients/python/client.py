"""Audio out, messages in, over one WebSocket of the native dialect."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_socket
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ...protocol.errors import SessionFailedError, VoxwireError
from ...protocol.native.asyncapi import PATH, server_models, type_of
from ...protocol.native.messages import (
    SERVER_MESSAGE,
    Bye,
    Clear,
    ClientMessage,
    Commit,
    Config,
    End,
    Error,
    KeepAlive,
    Ready,
    ServerMessage,
)
from ...protocol.native.parameters import Parameters
from ...protocol.session import CloseReason
from .refusals import error_of, refusal_of

DEFAULT_URL = "ws://127.0.0.1:8000"
_KNOWN = {type_of(model) for model in server_models()}
_LOST = "expected a bye before the connection's end"


async def stream(
    audio: AsyncIterable[bytes],
    url: str = DEFAULT_URL,
    *,
    key: str | None = None,
    **parameters: Any,
) -> AsyncGenerator[ServerMessage, None]:
    """Send `audio` as it comes, and yield what the server says, up to and with its `bye`.

    audio: PCM16 at 16 kHz unless the parameters say otherwise, cut anywhere. parameters: those of
    the address, such as delay_ms=480 or endpoint="vad". What `audio` raises is raised here.
    Raises VoxwireError where the server refuses or the session fails.
    """
    broken_off: list[Exception] = []
    async with connect(url, key=key, **parameters) as connection:
        sending = asyncio.create_task(_send_all(audio, connection, broken_off))
        try:
            yield connection.ready
            async with aclosing(connection.messages()) as messages:
                async for message in messages:
                    yield message
        except SessionFailedError:
            if not broken_off:
                raise
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
        await connection.end()
    except ConnectionClosed:
        return  # the receiving side tells why
    except Exception as error:
        broken_off.append(error)
        await connection.close()


@asynccontextmanager
async def connect(
    url: str = DEFAULT_URL, *, key: str | None = None, **parameters: Any
) -> AsyncIterator[Connection]:
    """Open a session. url: of the server, http and https too. Raises VoxwireError or OSError."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    address = address_of(url, Parameters(**parameters))
    try:
        async with open_socket(address, additional_headers=headers, compression=None) as socket:
            yield Connection(socket, await _ready(socket))
    except InvalidStatus as error:
        raise refusal_of(error.response) from None


class Connection:
    """An open session. Send from one task, read from one.

    ready: the first message, with the settings that hold.
    """

    def __init__(self, socket: ClientConnection, ready: Ready) -> None:
        self._socket = socket
        self.ready = ready

    async def send(self, audio: bytes) -> None:
        """Send audio. Waits while the server takes no more: it never loses any."""
        await self._socket.send(audio)

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
        await self._say(KeepAlive())

    async def end(self) -> None:
        """Send no more; the last Final and Bye follow."""
        await self._say(End())

    async def close(self) -> None:
        """Leave at once."""
        await self._socket.close()

    async def messages(self) -> AsyncGenerator[ServerMessage, None]:
        """Yield what the server says, up to and with its Bye.

        Raises VoxwireError after a Bye of a session that failed, or without a Bye.
        """
        failure: VoxwireError | None = None
        async for message in _messages(self._socket):
            yield message
            if isinstance(message, Error):
                failure = error_of(message.code, message.message, message.retry_after_s)
            elif isinstance(message, Bye):
                if failure is not None and message.reason is CloseReason.ERROR:
                    raise failure
                return

    async def _say(self, message: ClientMessage) -> None:
        await self._socket.send(message.model_dump_json(exclude_none=True))


def address_of(url: str, parameters: Parameters) -> str:
    """Return the address of a session at the server of `url`, which may name its path or not."""
    parts = urlsplit(url if "://" in url else f"ws://{url}")
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = parts.path if parts.path.endswith(PATH) else parts.path.rstrip("/") + PATH
    chosen = json.loads(parameters.model_dump_json(exclude_none=True))
    query = urlencode({name: json.dumps(value).strip('"') for name, value in chosen.items()})
    return urlunsplit(
        (scheme, parts.netloc, path, "&".join(filter(None, [parts.query, query])), "")
    )


async def _ready(socket: ClientConnection) -> Ready:
    async for message in _messages(socket):
        if isinstance(message, Ready):
            return message
        raise SessionFailedError(f"expected ready first, got {message.type}")
    raise SessionFailedError(_LOST)


async def _messages(socket: ClientConnection) -> AsyncIterator[ServerMessage]:
    """Yield messages of the kinds that are known here; newer servers may know more."""
    try:
        while True:
            text = await socket.recv(decode=True)
            if json.loads(text).get("type") in _KNOWN:
                yield SERVER_MESSAGE.validate_json(text)
    except ConnectionClosed as error:
        close = error.rcvd
        said = f"{close.code} {close.reason}".strip() if close else "nothing"
        raise SessionFailedError(f"{_LOST}, got {said}") from error
