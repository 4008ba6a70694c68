"""Wyoming's speech to text, sans I/O: a session for each utterance, many to one connection.

The client says where an utterance begins and ends (`audio-start`, `audio-stop`). While it speaks it
is told new text as `transcript-chunk`, and at the end all of it as `transcript`, which clients that
know no chunks wait for. Events that are not understood are ignored, as Wyoming wants it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from ..closing import closing
from ..dialect import Close
from ..errors import InvalidRequestError, VoxwireError
from ..messages import parse_fields
from ..session import (
    Audio,
    AudioFormat,
    CloseReason,
    Ended,
    Event,
    Final,
    Finish,
    Partial,
    RequestRefused,
    SessionSettings,
)
from ..utterance import Utterance
from .framing import WyomingEvent


@dataclass(frozen=True, slots=True)
class Begin:
    """Open a session for an utterance."""

    settings: SessionSettings


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered at once, whether a session is open or not."""

    event: WyomingEvent


Asked: TypeAlias = Begin | Audio | Finish | Answer


@dataclass(frozen=True, slots=True)
class Described:
    """What `info` tells of the server. languages: codes that Home Assistant offers to choose."""

    model: str
    version: str
    languages: tuple[str, ...]


class _AudioFields(BaseModel):
    rate: int
    width: Literal[2]
    channels: int


class Wyoming:
    """One connection's view of its sessions, one after another."""

    def __init__(self, described: Described) -> None:
        self._described = described
        self._format: AudioFormat | None = None  # of the open utterance
        self._utterance = Utterance()
        self._is_started = False  # the client was told that a transcript begins

    def receive(self, event: WyomingEvent) -> Sequence[Asked]:
        """Return what an event asks for. Raises InvalidRequestError."""
        match event.type:
            case "describe":
                return [Answer(WyomingEvent("info", _info(self._described)))]
            case "ping":
                return [Answer(WyomingEvent("pong", {"text": event.data.get("text")}))]
            case "audio-start":
                if self._format is not None:
                    raise InvalidRequestError("expected audio-stop first, got audio-start")
                return self._begin(event)
            case "audio-chunk":
                begun = [] if self._format is not None else self._begin(event)
                self._check_format(event)
                return [*begun, Audio(event.payload)] if event.payload else begun
            case "audio-stop":
                if self._format is None:
                    raise InvalidRequestError("expected audio-start first, got audio-stop")
                self._format = None
                return [Finish()]
            case _:
                return ()

    def tell(self, event: Event) -> Sequence[WyomingEvent | Close]:
        """Return how Wyoming says an event; nothing where it has no word for it."""
        match event:
            case Partial():
                chunk = WyomingEvent(
                    "transcript-chunk", {"text": self._utterance.add_partial(event)}
                )
                return [*self._start(), chunk]
            case Final():
                self._utterance.add_final(event)
                return ()
            case RequestRefused():
                return [error_event(event.error)]
            case Ended():
                return self._ended(event)
            case _:
                return ()

    def _begin(self, event: WyomingEvent) -> list[Asked]:
        self._format = _format(event)
        self._utterance = Utterance()
        self._is_started = False
        return [Begin(SessionSettings(format=self._format, endpoint=None))]

    def _check_format(self, event: WyomingEvent) -> None:
        form = _format(event)
        if form != self._format:
            raise InvalidRequestError(f"expected audio as it began, {self._format}, got {form}")

    def _start(self) -> list[WyomingEvent]:
        is_first, self._is_started = not self._is_started, True
        return [WyomingEvent("transcript-start")] if is_first else []

    def _ended(self, event: Ended) -> Sequence[WyomingEvent | Close]:
        """Return the transcript; a client that waits for one learns by the end that none comes."""
        if event.error is not None:
            return [error_event(event.error), closing(event)]
        transcript = WyomingEvent("transcript", {"text": self._utterance.text})
        told = [*self._start(), transcript, WyomingEvent("transcript-stop")]
        return told if event.reason is CloseReason.END else [*told, closing(event)]


def error_event(error: VoxwireError) -> WyomingEvent:
    """Return `error` as it is told."""
    return WyomingEvent("error", {"text": error.message, "code": error.code})


def _format(event: WyomingEvent) -> AudioFormat:
    fields = parse_fields(_AudioFields, event.data)
    return AudioFormat(rate_hz=fields.rate, n_channels=fields.channels)


def _info(described: Described) -> dict[str, Any]:
    common = {
        "attribution": {"name": "voxwire", "url": ""},
        "installed": True,
        "version": described.version,
    }
    model = {
        **common,
        "name": described.model,
        "description": "streaming speech to text",
        "languages": list(described.languages),
    }
    program = {
        **common,
        "name": "voxwire",
        "description": "Streaming speech to text on MLX",
        "models": [model],
        "supports_transcript_streaming": True,
        "requires_external_vad": True,
        "prefers_auto_gain_enabled": False,
        "prefers_noise_reduction_enabled": False,
    }
    return {"asr": [program]}
