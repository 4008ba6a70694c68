"""One connection to a server of `/v1/stream`."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidProxy, InvalidURI
from websockets.proxy import get_proxy
from websockets.uri import parse_uri

from ...protocol.errors import SessionFailedError
from ...protocol.native.asyncapi import server_models, type_of
from ...protocol.native.messages import SERVER_MESSAGE, ServerMessage
from .ring import Said

MAX_MESSAGE_BYTES = 16 << 20
FAREWELL_S = 1.0  # for the server to answer a close

_KNOWN = {type_of(model) for model in server_models()}
_Told = TypeVar("_Told")


class _Head(BaseModel):
    """What every message has, of a kind that is known here or not."""

    seq: int
    type: str


_HEAD = TypeAdapter(_Head)


class Link:
    """An open WebSocket. Raises ConnectionClosed once it is not.

    last_seq: the number of the last message that came.
    """

    def __init__(self, socket: ClientConnection, stall_s: float) -> None:
        self._socket = socket
        self._stall_s = stall_s
        self.last_seq = 0

    @classmethod
    async def open(cls, address: str, headers: Mapping[str, str], stall_s: float) -> Link:
        """Open one, which breaks where nothing comes for `stall_s`.

        Raises OSError, EOFError or InvalidHandshake.
        """
        where = address.partition("?")[0]  # what follows may be a token
        proxy = None
        try:
            proxy = _proxy_to(address)
            socket = await connect(
                address,
                proxy=proxy,
                additional_headers=headers,
                compression=None,
                open_timeout=stall_s,
                ping_interval=stall_s / 2,
                ping_timeout=stall_s / 2,
                close_timeout=FAREWELL_S,
                max_size=MAX_MESSAGE_BYTES,
            )
        except ConnectionRefusedError:
            by = " by the proxy that the environment names" if proxy else ""
            raise ConnectionRefusedError(f"no server answers at {where}{by}") from None
        except (ImportError, InvalidProxy, InvalidURI) as error:  # also of a redirect
            raise OSError(f"no way to {where}: {error}") from error
        return cls(socket, stall_s)

    async def send(self, said: Said) -> None:
        """Send audio, or a message; waits while the server takes no more."""
        await self._socket.send(said)

    async def receive_first(self) -> ServerMessage:
        """Return the message that says which session this is, or that it is none.

        Raises SessionFailedError where it cannot be read, TimeoutError where none comes.
        """
        try:
            async with asyncio.timeout(self._stall_s):
                text = await self._socket.recv()
        except TimeoutError:
            raise TimeoutError(f"the server said nothing for {self._stall_s:g} s") from None
        message = _read(SERVER_MESSAGE, text)
        self.last_seq = message.seq
        return message

    async def receive(self) -> ServerMessage:
        """Return the next message of a kind that is known here; newer servers may know more.

        Raises SessionFailedError where one is missing or cannot be read.
        """
        while True:
            text = await self._socket.recv()
            head = _read(_HEAD, text)
            if head.seq != self.last_seq + 1:
                raise SessionFailedError(f"expected message {self.last_seq + 1}, got {head.seq}")
            self.last_seq += 1
            if head.type in _KNOWN:
                return _read(SERVER_MESSAGE, text)

    async def close(self) -> None:
        """Leave."""
        await self._socket.close()


def _proxy_to(address: str) -> str | None:
    """Return the proxy that the environment names; none leads to this machine itself."""
    uri = parse_uri(address)
    with contextlib.suppress(ValueError):  # a name
        if ipaddress.ip_address(uri.host).is_loopback:
            return None
    return None if uri.host == "localhost" else get_proxy(uri)


def _read(kind: TypeAdapter[_Told], text: str | bytes) -> _Told:
    try:
        return kind.validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, fault["loc"]))
    raise SessionFailedError(f"cannot read what the server said: {where}: {fault['msg']}")


def end_of(error: ConnectionClosed) -> str:
    """Return how a connection ended, for people."""
    close = error.rcvd
    if close is None:
        return "the connection broke"
    return f"the connection was closed: {close.code} {close.reason}".strip()
