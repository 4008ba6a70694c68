"""What a client of OpenAI's Realtime API may send, as far as a transcription session means it.

Fields that are not declared here are kept as extras: they are named to the client as ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ..session import MAX_PAUSE_MS

Delay: TypeAlias = Literal["minimal", "low", "medium", "high", "xhigh"]
Eagerness: TypeAlias = Literal["low", "medium", "high", "auto"]
MAX_EVENT_ID = 512  # characters; OpenAI's own limit
MAX_MODEL_NAME = 512


class _Patch(BaseModel):
    """A part of a session's settings: what is absent stays as it is."""

    model_config = ConfigDict(extra="allow", frozen=True)


class FormatPatch(_Patch):
    """Encoding and rate. Rates other than 24 kHz are our extension, and G.711's too."""

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"] | None = None
    rate: int | None = None


class TranscriptionPatch(_Patch):
    """Any name of a model is taken, and means the one that is served."""

    model: Annotated[str, Field(max_length=MAX_MODEL_NAME)] | None = None
    delay: Delay | None = None


class TurnPatch(_Patch):
    """When a turn is over."""

    type: Literal["server_vad", "semantic_vad"] | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    prefix_padding_ms: Annotated[int, Field(ge=0, le=MAX_PAUSE_MS)] | None = None
    silence_duration_ms: Annotated[int, Field(ge=0, le=MAX_PAUSE_MS)] | None = None
    eagerness: Eagerness | None = None


def _null_for_none(value: Any) -> Any:
    return None if isinstance(value, dict) and value.get("type") == "none" else value


# Clients of Azure turn it off by a type of its own, all others by null.
TurnDetection: TypeAlias = Annotated[TurnPatch | None, BeforeValidator(_null_for_none)]


class InputPatch(_Patch):
    """turn_detection: null turns it off, where all others' null says nothing."""

    format: FormatPatch | None = None
    transcription: TranscriptionPatch | None = None
    turn_detection: TurnDetection = None


class AudioPatch(_Patch):
    """A transcription session has input only."""

    input: InputPatch | None = None


class SessionPatch(_Patch):
    """The shape of now."""

    type: Literal["transcription", "realtime"] | None = None
    audio: AudioPatch | None = None
    include: list[str] | None = None


class BetaPatch(_Patch):
    """The shape of the beta, which many clients still send."""

    input_audio_format: Literal["pcm16", "g711_ulaw", "g711_alaw"] | None = None
    input_audio_transcription: TranscriptionPatch | None = None
    turn_detection: TurnDetection = None
    include: list[str] | None = None


class ClientEvent(BaseModel):
    """What all have in common. event_id: echoed where the event is refused."""

    model_config = ConfigDict(frozen=True)

    event_id: Annotated[str, Field(max_length=MAX_EVENT_ID)] | None = None


class SessionUpdate(ClientEvent):
    """The session is read by its shape, in a second step. type: one's answer has its name."""

    type: Literal["session.update", "transcription_session.update"]
    session: dict[str, Any]


class Append(ClientEvent):
    """audio: base64, cut anywhere."""

    audio: str


class ItemReference(ClientEvent):
    """An item to retrieve, to delete or to truncate."""

    item_id: str
