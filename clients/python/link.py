"""One connection to a server of `/v1/stream`."""

from __future__ import annotations

import json
from collections.abc import Mapping

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from ...protocol.errors import SessionFailedError
from ...protocol.native.asyncapi import server_models, type_of
from ...protocol.native.messages import SERVER_MESSAGE, ServerMessage
from .ring import Said

MAX_MESSAGE_BYTES = 16 << 20
FAREWELL_S = 1.0  # for the server to answer a close

_KNOWN = {type_of(model) for model in server_models()}


class Link:
    """An open WebSocket. Raises ConnectionClosed once it is not.

    last_seq: the number of the last message that came.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.last_seq = 0

    @classmethod
    async def open(cls, address: str, headers: Mapping[str, str], stall_s: float) -> Link:
        """Open one, which breaks where nothing comes for `stall_s`.

        Raises OSError, EOFError or InvalidHandshake.
        """
        try:
            socket = await connect(
                address,
                additional_headers=headers,
                compression=None,
                open_timeout=stall_s,
                ping_interval=stall_s / 2,
                ping_timeout=stall_s / 2,
                close_timeout=FAREWELL_S,
                max_size=MAX_MESSAGE_BYTES,
            )
        except ConnectionRefusedError:
            where = address.partition("?")[0]  # what follows may be a token
            raise ConnectionRefusedError(f"no server answers at {where}") from None
        return cls(socket)

    async def send(self, said: Said) -> None:
        """Send audio, or a message; waits while the server takes no more."""
        await self._socket.send(said)

    async def receive_first(self) -> ServerMessage:
        """Return the message that says which session this is, or that it is none."""
        message = SERVER_MESSAGE.validate_json(await self._socket.recv(decode=True))
        self.last_seq = message.seq
        return message

    async def receive(self) -> ServerMessage:
        """Return the next message of a kind that is known here; newer servers may know more.

        Raises SessionFailedError where one is missing.
        """
        while True:
            text = await self._socket.recv(decode=True)
            fields = json.loads(text)
            if fields["seq"] != self.last_seq + 1:
                message = f"expected message {self.last_seq + 1}, got {fields['seq']}"
                raise SessionFailedError(message)
            self.last_seq += 1
            if fields["type"] in _KNOWN:
                return SERVER_MESSAGE.validate_json(text)

    async def close(self) -> None:
        """Leave."""
        await self._socket.close()


def end_of(error: ConnectionClosed) -> str:
    """Return how a connection ended, for people."""
    close = error.rcvd
    if close is None:
        return "the connection broke"
    return f"the connection was closed: {close.code} {close.reason}".strip()
