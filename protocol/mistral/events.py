"""What passes between a client of Mistral's realtime transcription and a server."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from ..session import MAX_PAUSE_MS

AudioEncoding: TypeAlias = Literal["pcm_s16le", "pcm_f32le", "pcm_mulaw", "pcm_alaw"]


class AudioFormatFields(BaseModel):
    """What the client's samples are; sample_rate in Hz."""

    model_config = ConfigDict(frozen=True)

    encoding: AudioEncoding
    sample_rate: int


class TurnDetectionPatch(BaseModel):
    """When a turn begins and ends: by speech and silence, so that there are no eager ends."""

    # Extras are named to the client as ignored.
    model_config = ConfigDict(frozen=True, extra="allow")

    start_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    min_silence_ms: Annotated[int, Field(ge=0, le=MAX_PAUSE_MS)] = 500


class SessionPatch(BaseModel):
    """What an update changes: what is absent stays as it is."""

    # Extras are named to the client as ignored.
    model_config = ConfigDict(frozen=True, extra="allow")

    audio_format: AudioFormatFields | None = None
    target_streaming_delay_ms: Annotated[int, Field(gt=0)] | None = None
    turn_detection: TurnDetectionPatch | None = None


class SessionUpdate(BaseModel):
    """Before the first audio only."""

    session: SessionPatch


class Append(BaseModel):
    """audio: base64, cut anywhere."""

    audio: str


class _ServerEvent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TurnDetection(_ServerEvent):
    """Turn detection as it is in effect."""

    start_threshold: float
    min_silence_ms: int


class Session(_ServerEvent):
    """The settings in effect."""

    request_id: str
    model: str
    audio_format: AudioFormatFields
    target_streaming_delay_ms: int
    turn_detection: TurnDetection | None


class SessionCreated(_ServerEvent):
    """The greeting."""

    type: Literal["session.created"] = "session.created"
    session: Session


class SessionUpdated(_ServerEvent):
    """A change took effect."""

    type: Literal["session.updated"] = "session.updated"
    session: Session


class TextDelta(_ServerEvent):
    """New text."""

    type: Literal["transcription.text.delta"] = "transcription.text.delta"
    text: str


class TurnStart(_ServerEvent):
    """A turn began, at this time of the session's audio."""

    type: Literal["turn.start"] = "turn.start"
    time_s: float


class TurnEnd(_ServerEvent):
    """A turn is over, at this time of the session's audio."""

    type: Literal["turn.end"] = "turn.end"
    time_s: float
    end_reason: Literal["threshold"] = "threshold"


class Segment(_ServerEvent):
    """A closed segment; start and end in seconds of the session's audio."""

    type: Literal["transcription.segment"] = "transcription.segment"
    text: str
    start: float
    end: float


class SegmentChunk(_ServerEvent):
    """The same, in the list of a `transcription.done`."""

    type: Literal["transcription_segment"] = "transcription_segment"
    text: str
    start: float
    end: float


class Usage(_ServerEvent):
    """The model takes one position of audio and writes one token per step."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_audio_seconds: int


class Done(_ServerEvent):
    """All that was said since the last flush. language: the model does not tell it."""

    type: Literal["transcription.done"] = "transcription.done"
    model: str
    text: str
    language: None = None
    segments: list[SegmentChunk]
    usage: Usage


class Fault(_ServerEvent):
    """code: the HTTP status that comes nearest."""

    message: str
    code: int


class ErrorEvent(_ServerEvent):
    """A message was refused, or the session ended before its time."""

    type: Literal["error"] = "error"
    error: Fault


class Notice(_ServerEvent):
    """What a client should know. params: the fields it is about."""

    code: str
    message: str
    params: list[str] = []


class WarningEvent(_ServerEvent):
    """Something to know that needs no answer; ours, and of a type that the SDK lets pass."""

    type: Literal["warning"] = "warning"
    warning: Notice


ServerEvent: TypeAlias = Annotated[
    SessionCreated
    | SessionUpdated
    | TextDelta
    | TurnStart
    | TurnEnd
    | Segment
    | Done
    | ErrorEvent
    | WarningEvent,
    Field(discriminator="type"),
]
