"""One TCP connection spoken by hand: HTTP and frames as no library would send them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

GUARD_S = 300.0  # of anything that takes a second; it only ends what would hang for ever
CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_KEY = base64.b64encode(b"sixteen hostile.").decode()


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    is_masked: bool = True,
    length: bytes | None = None,
) -> bytes:
    """Return a client's frame. length: as it is written, after the mask bit, where it lies."""
    first = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    written = _length(len(payload)) if length is None else length
    bit = 0x80 if is_masked else 0
    head = first + bytes([written[0] | bit]) + written[1:]
    # A mask of zeros leaves the payload readable here; the server cannot tell.
    return head + (bytes(4) if is_masked else b"") + payload


def _length(n_bytes: int) -> bytes:
    if n_bytes < 126:
        return bytes([n_bytes])
    return b"\x7e" + struct.pack("!H", n_bytes) if n_bytes < 1 << 16 else long_length(n_bytes)


def long_length(n_bytes: int) -> bytes:
    """Return a length in its longest form."""
    return b"\x7f" + struct.pack("!Q", n_bytes)


def message(said: str | bytes) -> bytes:
    """Return a whole message as a frame."""
    return frame(BINARY, said) if isinstance(said, bytes) else frame(TEXT, said.encode())


def handshake(path: str, **headers: str) -> bytes:
    """Return a client's handshake; a header replaces ours, `_` stands for `-`."""
    ours = {
        "Host": "127.0.0.1",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": _KEY,
    } | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"{name}: {value}\r\n" for name, value in ours.items() if value]
    return f"GET {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode()


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came over HTTP; status 0 where nothing did."""

    status: int
    head: str
    body: bytes

    @property
    def error(self) -> dict[str, Any] | None:
        """The error object, if that is what the body is."""
        try:
            error = json.loads(self.body)["error"]
        except (ValueError, KeyError, TypeError):
            return None
        is_ours = isinstance(error, dict) and set(error) == {"message", "type", "param", "code"}
        return error if is_ours else None


@dataclass(slots=True)
class Heard:
    """What came over a WebSocket. close_code: None where it is open, or was just cut."""

    messages: list[str] = field(default_factory=list)
    n_pongs: int = 0
    close_code: int | None = None
    is_over: bool = False

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(each) for each in self.messages]


class Wire:
    """One connection. Sending to who has hung up is no error: `is_cut` says so."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.is_cut = False

    @classmethod
    async def open(cls, port: int, *, receive_bytes: int | None = None) -> Wire:
        """Connect. receive_bytes: of the kernel's buffer, for who means not to read."""
        opened = socket.socket()
        opened.setblocking(False)
        if receive_bytes is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        try:
            await asyncio.get_running_loop().sock_connect(opened, ("127.0.0.1", port))
        except BaseException:
            opened.close()
            raise
        limit = 1 << 24
        return cls(*await asyncio.open_connection(sock=opened, limit=limit))

    async def send(self, data: bytes) -> None:
        try:
            self.writer.write(data)
            await self.writer.drain()
        except (ConnectionError, OSError):
            self.is_cut = True

    async def http_answer(self) -> HttpAnswer:
        """Return the next answer, whose end is its length or the connection's."""
        try:
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = _header(head, "content-length")
            if length is not None:
                body = await self.reader.readexactly(int(length))
            else:
                body = await self.reader.read(-1) if " 101 " not in head else b""
        except (asyncio.IncompleteReadError, ConnectionError):
            return HttpAnswer(0, "", b"")
        return HttpAnswer(int(head.split(" ", 2)[1]), head, body)

    async def upgrade(self, path: str, **headers: str) -> HttpAnswer:
        await self.send(handshake(path, **headers))
        return await self.http_answer()

    async def say(self, *said: str | bytes) -> None:
        await self.send(b"".join(map(message, said)))

    async def hear_frame(self, heard: Heard) -> str | None:
        """Take one frame of the server's; return a text message."""
        try:
            first, second = await self.reader.readexactly(2)
            n_bytes = second & 0x7F
            if n_bytes > 125:
                size = 2 if n_bytes == 126 else 8
                n_bytes = int.from_bytes(await self.reader.readexactly(size))
            payload = await self.reader.readexactly(n_bytes)
        except (asyncio.IncompleteReadError, ConnectionError):
            heard.is_over = True
            return None
        opcode = first & 0xF
        if opcode == CLOSE:
            heard.close_code = int.from_bytes(payload[:2]) if payload else 1005
            heard.is_over = True
            await self.send(frame(CLOSE, payload[:2]))
        elif opcode == PING:
            await self.send(frame(PONG, payload))
        elif opcode == PONG:
            heard.n_pongs += 1
        else:
            heard.messages.append(payload.decode())
            return heard.messages[-1]
        return None

    async def hear_all(self) -> Heard:
        """Listen until the connection closes."""
        heard = Heard()
        while not heard.is_over:
            await self.hear_frame(heard)
        return heard

    async def eof(self) -> None:
        """Read until the server has hung up."""
        try:
            while await self.reader.read(1 << 16):
                pass
        except ConnectionError:
            pass

    def leave(self, *, is_rude: bool = False) -> None:
        """Hang up; rudely, with a reset and whatever is unsent lost."""
        if is_rude:
            raw = self.writer.get_extra_info("socket")
            with contextlib.suppress(OSError):  # it is closed already
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.writer.transport.abort()
        else:
            self.writer.close()


def _header(head: str, name: str) -> str | None:
    for line in head.split("\r\n"):
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip()
    return None
