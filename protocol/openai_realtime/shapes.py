"""The parts that OpenAI's server events are made of: sessions, items, faults."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from .client_events import Delay

Include: TypeAlias = Literal["item.input_audio_transcription.logprobs"]


class Part(BaseModel):
    """A part of what is told: no field but those it names."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Format(Part):
    """rate: in Hz."""

    type: Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
    rate: int


class Transcription(Part):
    """model: the one that is served, whatever name was asked for."""

    model: str
    delay: Delay | None
    language: None = None
    prompt: None = None


class Turn(Part):
    """Turn detection as it is in effect."""

    type: Literal["server_vad"] = "server_vad"
    threshold: float
    prefix_padding_ms: int
    silence_duration_ms: int


class Input(Part):
    """noise_reduction: none is made."""

    format: Format
    noise_reduction: None = None
    transcription: Transcription
    turn_detection: Turn | None


class Audio(Part):
    """Input only: nothing is spoken."""

    input: Input


class Session(Part):
    """The settings in effect. ignored: what the last update asked for in vain."""

    id: str
    object: Literal["realtime.transcription_session"] = "realtime.transcription_session"
    type: Literal["transcription"] = "transcription"
    audio: Audio
    include: list[Include] | None
    ignored: list[str] = []


class BetaSession(Part):
    """The same in the shape of the beta."""

    id: str
    object: Literal["realtime.transcription_session"] = "realtime.transcription_session"
    input_audio_format: Literal["pcm16", "g711_ulaw", "g711_alaw"]
    input_audio_transcription: Transcription
    input_audio_noise_reduction: None = None
    turn_detection: Turn | None
    include: list[Include] | None
    ignored: list[str] = []


class LogProb(Part):
    """token: its bytes as text, with U+FFFD where they are part of a character."""

    token: str
    bytes: list[int]
    logprob: float


class Content(Part):
    """What was said. The audio itself is not kept."""

    type: Literal["input_audio"] = "input_audio"
    transcript: str | None


class Item(Part):
    """One utterance, as a message of the user."""

    id: str
    object: Literal["realtime.item"] = "realtime.item"
    type: Literal["message"] = "message"
    status: Literal["completed"] = "completed"
    role: Literal["user"] = "user"
    content: list[Content]


class Duration(Part):
    """Usage by length of the audio."""

    type: Literal["duration"] = "duration"
    seconds: float


class Fault(Part):
    """Why an item has no transcript."""

    type: str
    code: str
    message: str
    param: str | None


class EchoedFault(Fault):
    """What went wrong. event_id: the client's own, of the event that was refused."""

    event_id: str | None


class Notice(Part):
    """What a client should know. params: the fields it is about."""

    code: str
    message: str
    params: list[str] = []
