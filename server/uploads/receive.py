"""Receive an upload's form: into a temporary file, counted, and not for ever."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.types import Message, Receive

from ...protocol.errors import (
    CapacityError,
    InvalidRequestError,
    StalledError,
    TooLargeError,
    WrongContentTypeError,
)

FORM_TYPE = "multipart/form-data"
_MAX_FIELDS = 256
_MAX_FIELD_BYTES = 64 << 10
_FORM_BYTES = 256 << 10  # what the form may hold besides its file
_AHEAD_BYTES = 256 << 10
_NO_ROOM, _NO_ROOM_RETRY_S = "the server has no room for the file", 60.0


@dataclass(frozen=True, slots=True)
class ReceiveLimits:
    """What one upload may be, and how slow.

    Who sends less than `min_bytes_per_s` on the whole, after `grace_s`, is cut off.
    """

    max_file_bytes: int = 512 << 20
    grace_s: float = 30.0
    min_bytes_per_s: float = 4096.0


@dataclass(frozen=True, slots=True)
class ReceivedForm:
    """The fields in their order, and the file at its beginning, which has a descriptor."""

    fields: list[tuple[str, str]]
    file: BinaryIO


class MeteredBody:
    """The body of one request, as ASGI tells it: counted and timed. `is_complete`: all was read.

    Raises TooLargeError, StalledError.
    """

    def __init__(self, receive: Receive, limits: ReceiveLimits) -> None:
        self._receive = receive
        self._limits = limits
        self._n_bytes = 0
        self._ahead: deque[Message] = deque()
        self._n_ahead = 0
        self._began_s = 0.0
        self.is_complete = False

    def begin(self) -> None:
        """Start the clock: from here on, the client is waited for and not the server."""
        self._began_s = asyncio.get_running_loop().time()

    async def __call__(self) -> Message:
        """Return the next message."""
        message = self._next_ahead() if self._ahead else await self._receive_in_time()
        self._n_bytes += len(message.get("body", b""))
        check_size(self._n_bytes, self._limits)
        self.is_complete = not message.get("more_body", False)
        return message

    async def left(self) -> None:
        """Return when the client leaves; keep what it sends meanwhile, up to _AHEAD_BYTES."""
        while self._n_ahead < _AHEAD_BYTES:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return
            self._ahead.append(message)
            self._n_ahead += len(message["body"])
        await asyncio.Event().wait()  # more of it is not read, and so its end is not seen

    def _next_ahead(self) -> Message:
        message = self._ahead.popleft()
        self._n_ahead -= len(message["body"])
        return message

    async def _receive_in_time(self) -> Message:
        limits = self._limits
        until_s = self._began_s + limits.grace_s + self._n_bytes / limits.min_bytes_per_s
        try:
            async with asyncio.timeout_at(until_s):
                return await self._receive()
        except TimeoutError:
            text = f"expected {limits.min_bytes_per_s:g} bytes each second, got fewer"
            raise StalledError(text) from None


def check_size(n_bytes: int, limits: ReceiveLimits) -> None:
    """Raise TooLargeError if a body of so many bytes holds more than a file may."""
    if n_bytes > limits.max_file_bytes + _FORM_BYTES:
        expected = f"expected a file of at most {limits.max_file_bytes} bytes"
        raise TooLargeError(f"{expected}, got more", param="file")


def check_head(request: Request, limits: ReceiveLimits) -> None:
    """Refuse by its head what need not be received. Raises WrongContentTypeError, TooLargeError."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != FORM_TYPE:
        expected = f"expected {FORM_TYPE} with the recording itself as its file"
        raise WrongContentTypeError(f"{expected}, got {content_type[:100] or 'nothing'}")
    length = request.headers.get("content-length", "")
    if length.isdecimal():
        check_size(int(length), limits)


@asynccontextmanager
async def received_form(
    request: Request, body: MeteredBody, limits: ReceiveLimits
) -> AsyncIterator[ReceivedForm]:
    """Receive a form, and keep its file until it is used.

    Raises InvalidRequestError, TooLargeError, StalledError; CapacityError when the disk is full;
    starlette's ClientDisconnect.
    """
    try:
        data = await _parsed(Request(request.scope, body))
    except MultiPartException as error:
        expected = f"expected one file, and fields of at most {_MAX_FIELD_BYTES >> 10} KiB each"
        raise InvalidRequestError(f"{expected}: {error.message}") from None
    except OSError:
        raise CapacityError(_NO_ROOM, _NO_ROOM_RETRY_S) from None
    try:
        items = data.multi_items()
        yield ReceivedForm(_fields(items), _file(_upload(items), limits))
    finally:
        await data.close()


async def _parsed(request: Request) -> FormData:
    """Parse the form. A file that the body breaks off is not among what the parser returns."""

    async def whole() -> AsyncGenerator[bytes, None]:
        async for chunk in stream:
            yield chunk
        _upload(parser.items)  # raises, if it is not there: upon that, the parser closes its files

    async with aclosing(request.stream()) as stream, aclosing(whole()) as chunks:
        parser = MultiPartParser(
            request.headers,
            chunks,
            max_files=1,
            max_fields=_MAX_FIELDS,
            max_part_size=_MAX_FIELD_BYTES,
        )
        return await parser.parse()


def _fields(items: list[tuple[str, Any]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in items if isinstance(value, str) and name != "file"]


def _upload(items: list[tuple[str, str | UploadFile]]) -> UploadFile:
    values = [value for name, value in items if name == "file"]
    files = [value for value in values if isinstance(value, UploadFile)]
    if not files:
        got = "text" if values else "none: it is missing, or the body ends before it does"
        expected = "file: expected a file with a file name"
        raise InvalidRequestError(f"{expected}, got {got}", param="file")
    return files[0]


def _file(upload: UploadFile, limits: ReceiveLimits) -> BinaryIO:
    if (upload.size or 0) > limits.max_file_bytes:
        expected = f"expected a file of at most {limits.max_file_bytes} bytes"
        raise TooLargeError(f"{expected}, got {upload.size}", param="file")
    try:
        upload.file.fileno()  # onto the disk, if it is not there
        upload.file.seek(0)
    except OSError:
        raise CapacityError(_NO_ROOM, _NO_ROOM_RETRY_S) from None
    return upload.file
