"""Wyoming's events as bytes: a line of JSON, then maybe more JSON, then maybe raw bytes. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, Field

from ..errors import InvalidRequestError
from ..messages import parse_fields, parse_object

MAX_HEADER_BYTES = 1 << 16  # what the readers of the wyoming package take, too
MAX_DATA_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class WyomingEvent:
    """One event. payload: audio, where it has any."""

    type: str
    data: dict[str, Any] = field(default_factory=dict)
    payload: bytes = b""

    def encode(self) -> bytes:
        """Return the event as it is sent."""
        header: dict[str, Any] = {"type": self.type}
        data = json.dumps(self.data).encode() if self.data else b""
        if data:
            header["data_length"] = len(data)
        if self.payload:
            header["payload_length"] = len(self.payload)
        return json.dumps(header).encode() + b"\n" + data + self.payload


class _Header(BaseModel):
    type: str
    data: dict[str, Any] | None = None
    data_length: Annotated[int, Field(ge=0, le=MAX_DATA_BYTES)] | None = None
    payload_length: Annotated[int, Field(ge=0)] | None = None


class EventReader:
    """Finds the events in a stream of bytes that is cut anywhere.

    It holds one event at most besides what was fed last. After an error nothing more can be read:
    where the next event begins is not known.
    """

    def __init__(self, max_payload_bytes: int) -> None:
        self._max_payload_bytes = max_payload_bytes
        self._buffer = bytearray()
        self._header: _Header | None = None

    def feed(self, data: bytes) -> Iterator[WyomingEvent]:
        """Take bytes; iterate over all events that are complete.

        The iterator raises InvalidRequestError at the first that is none.
        """
        self._buffer += data
        return iter(self._next, None)

    def _next(self) -> WyomingEvent | None:
        if self._header is None:
            self._header = self._read_header()
        header = self._header
        if header is None:
            return None
        n_data, n_payload = header.data_length or 0, header.payload_length or 0
        if len(self._buffer) < n_data + n_payload:
            return None
        body = bytes(self._buffer[: n_data + n_payload])
        del self._buffer[: n_data + n_payload]
        self._header = None
        data = dict(header.data or {})
        if n_data:
            data |= parse_object(body[:n_data])
        return WyomingEvent(header.type, data, body[n_data:])

    def _read_header(self) -> _Header | None:
        end = self._buffer.find(b"\n", 0, MAX_HEADER_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_HEADER_BYTES:
                raise InvalidRequestError(
                    f"expected a line of at most {MAX_HEADER_BYTES} bytes, got a longer one"
                )
            return None
        header = parse_fields(_Header, parse_object(bytes(self._buffer[:end])))
        del self._buffer[: end + 1]
        if (header.payload_length or 0) > self._max_payload_bytes:
            raise InvalidRequestError(
                f"expected a payload of at most {self._max_payload_bytes} bytes,"
                f" got {header.payload_length}"
            )
        return header
