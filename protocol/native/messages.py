"""Every message of `/v1/stream`, as models: what is sent is what these write and read.

Server messages are numbered by `seq` from 1, without gaps, over the whole session. Times are in
seconds of the session's audio clock. A field that is null in Python is absent on the wire.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, EncodedBytes, Field, TypeAdapter

from ..session import CloseReason
from .fields import Milliseconds, Ref, Seconds, Segment, StrictBase64, tidy
from .parameters import Parameters, Settings

# --- what a client says ---


class _FromClient(BaseModel):
    # A field that we do not know is refused by name, never ignored.
    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=tidy)

    ref: Ref = None


class Config(Parameters):
    """Change what is named and leave the rest; answered by `configured`."""

    model_config = ConfigDict(json_schema_extra=tidy)

    type: Literal["config"] = "config"
    ref: Ref = None


class Audio(_FromClient):
    """Audio in base64, cut anywhere. A binary frame says the same for less."""

    type: Literal["audio"] = "audio"
    audio: Annotated[bytes, EncodedBytes(encoder=StrictBase64)]


class Commit(_FromClient):
    """Close the open segment with all audio sent so far: `committed`, then `final`."""

    type: Literal["commit"] = "commit"


class Clear(_FromClient):
    """Drop the open segment's audio and text; answered by `cleared`."""

    type: Literal["clear"] = "clear"


class End(_FromClient):
    """No audio will follow; the last `final` comes, then `bye`."""

    type: Literal["end"] = "end"


class KeepAlive(_FromClient):
    """I am still here, though silent."""

    type: Literal["keepalive"] = "keepalive"


class Ack(_FromClient):
    """The messages up to this number came, and need not be kept for another socket."""

    type: Literal["ack"] = "ack"
    seq: Annotated[int, Field(ge=0)]


class OnlyRef(BaseModel):
    """What is read of a message that is otherwise wrong."""

    ref: Ref = None


ClientMessage: TypeAlias = Annotated[
    Config | Audio | Commit | Clear | End | KeepAlive | Ack, Field(discriminator="type")
]


# --- what the server says ---


class _Part(BaseModel):
    # Clients read these too, and ignore fields that are newer than they are.
    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_extra=tidy)


class ServerModel(_Part):
    """What every server message has."""

    seq: Annotated[int, Field(ge=1, description="1, 2, 3 ... over the whole session.")]


class Word(_Part):
    """A word with its punctuation. end_s is measured, start_s an estimate."""

    text: str
    start_s: Seconds
    end_s: Seconds
    space_before: bool = Field(description="Whether a space stands before it in the text.")
    confidence: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="Where scores were asked for."
    )


class Score(_Part):
    """A token that wrote text."""

    text: str = Field(description="Its bytes as text: U+FFFD where it is a part of a character.")
    bytes: tuple[int, ...]
    log_prob: float


class Ready(ServerModel):
    """The first message: the session is open, with these settings."""

    type: Literal["ready"] = "ready"
    session: str = Field(description="The id of the session, for logs and reports.")
    model: str
    settings: Settings
    resume: str | None = Field(
        default=None, description="What to show to go on with the session on another socket."
    )
    resume_grace_s: Seconds | None = Field(
        default=None, description="How long the session waits for that."
    )


class Resumed(ServerModel):
    """The first message on another socket of a session, numbered as the last that came.

    What the client has sent and is not counted here, it sends again; what it has missed follows.
    """

    type: Literal["resumed"] = "resumed"
    seq: Annotated[int, Field(ge=0)]
    audio_bytes: Annotated[int, Field(ge=0, description="Bytes of audio that came, in all.")]
    controls: Annotated[
        int,
        Field(ge=0, description="Messages that came: config, commit, clear and end; in all."),
    ]


class Received(ServerModel):
    """What came, as in `resumed`: a client need not keep it any longer."""

    type: Literal["received"] = "received"
    audio_bytes: Annotated[int, Field(ge=0)]
    controls: Annotated[int, Field(ge=0)]


class Configured(ServerModel):
    """The settings that hold for the audio that follows."""

    type: Literal["configured"] = "configured"
    settings: Settings
    ref: Ref = None


class SpeechStarted(ServerModel):
    """The voice activity detector hears speech: this segment's text will follow."""

    type: Literal["speech_started"] = "speech_started"
    segment: Segment
    at_s: Seconds


class SpeechStopped(ServerModel):
    """The voice activity detector hears no more speech."""

    type: Literal["speech_stopped"] = "speech_stopped"
    segment: Segment
    at_s: Seconds


class Committed(ServerModel):
    """The segment's audio is complete; its `final` follows."""

    type: Literal["committed"] = "committed"
    segment: Segment
    reason: CloseReason


class Cleared(ServerModel):
    """The open segment's audio was dropped, and what was heard in it."""

    type: Literal["cleared"] = "cleared"
    ref: Ref = None


class Partial(ServerModel):
    """New text of the open segment. Text is never taken back."""

    type: Literal["partial"] = "partial"
    segment: Segment
    delta: str = Field(description="What is new.")
    text: str = Field(description="All of the segment so far.")
    at_s: Seconds = Field(description="Where in the audio the newest token stands.")
    scores: tuple[Score, ...] | None = None


class Final(ServerModel):
    """A closed segment: exactly one for each. Its text may be empty after a commit."""

    type: Literal["final"] = "final"
    segment: Segment
    reason: CloseReason
    text: str
    words: tuple[Word, ...]
    start_s: Seconds
    end_s: Seconds
    scores: tuple[Score, ...] | None = None


class Lag(ServerModel):
    """How far the session is, in milliseconds of its audio."""

    type: Literal["lag"] = "lag"
    received_ms: Milliseconds
    processed_ms: Milliseconds
    emitted_ms: Milliseconds = Field(description="Covered by what was sent to the client.")
    real_time_factor: Annotated[float, Field(ge=0)] = Field(
        description="Computing time over audio time of late: below 1 it keeps pace."
    )


class Warned(ServerModel):
    """Something to know; nothing has to be done."""

    type: Literal["warning"] = "warning"
    code: str
    message: str
    seconds_left: Seconds | None = Field(
        default=None, description="With code `draining`: how long until the server goes down."
    )


class Error(ServerModel):
    """A message was refused and nothing of it done; or, before `bye`, the session has failed."""

    type: Literal["error"] = "error"
    code: str
    message: str
    param: str | None = Field(default=None, description="The field that is wrong.")
    retry_after_s: Seconds | None = Field(default=None, description="When the same may succeed.")
    ref: Ref = None


class Bye(ServerModel):
    """The last message; the socket is closed after it."""

    type: Literal["bye"] = "bye"
    reason: CloseReason
    audio_s: Seconds = Field(description="How much audio the session had.")


ServerMessage: TypeAlias = Annotated[
    Ready
    | Resumed
    | Received
    | Configured
    | SpeechStarted
    | SpeechStopped
    | Committed
    | Cleared
    | Partial
    | Final
    | Lag
    | Warned
    | Error
    | Bye,
    Field(discriminator="type"),
]

CLIENT_MESSAGE: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)
SERVER_MESSAGE: TypeAdapter[ServerMessage] = TypeAdapter(ServerMessage)
