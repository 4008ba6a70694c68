"""What a session tells its client."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from ..errors import VoxwireError
from ..transcript import Word
from .settings import SessionSettings


class CloseReason(StrEnum):
    """Why a segment was closed."""

    ENDPOINT = "endpoint"  # silence
    COMMIT = "commit"  # the client asked
    END = "end"  # the client finished
    LIMIT = "limit"  # the segment reached the longest length that is configured
    SHUTDOWN = "shutdown"  # the server is going down
    DISCONNECT = "disconnect"  # the client left
    ERROR = "error"  # the session failed; the text is what was written until then


@dataclass(frozen=True, slots=True)
class Score:
    """One token that wrote text. data: its bytes, maybe half a character."""

    data: bytes
    log_prob: float


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word with its times, and its confidence in 0..1 where scores were asked for."""

    word: Word
    confidence: float | None


@dataclass(frozen=True, slots=True)
class Configured:
    """The settings that hold from here on."""

    settings: SessionSettings
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """A turn began, by the voice activity detector; its text will come as this segment."""

    segment: int
    at_s: float


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """A turn is over, by the voice activity detector."""

    segment: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Committed:
    """The audio of a segment is complete; its Final follows when it is written."""

    segment: int
    reason: CloseReason


@dataclass(frozen=True, slots=True)
class Cleared:
    """The audio of the open segment was dropped."""

    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Partial:
    """New text of the open segment. text: all of it so far. Text is never taken back.

    at_s: of the audio clock, where the newest token stands.
    """

    segment: int
    delta: str
    text: str
    at_s: float
    scores: tuple[Score, ...] = ()


@dataclass(frozen=True, slots=True)
class Final:
    """A closed segment; each segment has exactly one. The text may be empty after a commit.

    start_s, end_s: what audio it covers. scores: of all its tokens that wrote text, if asked for.
    n_tokens: steps that the model took for it.
    """

    segment: int
    reason: CloseReason
    text: str
    words: tuple[HeardWord, ...]
    start_s: float
    end_s: float
    scores: tuple[Score, ...] = ()
    n_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the session is: audio received, worked on, and covered by what was sent.

    real_time_factor: computing time over audio time of late, below 1 where the session keeps pace.
    """

    received_ms: int
    processed_ms: int
    emitted_ms: int
    real_time_factor: float


@dataclass(frozen=True, slots=True)
class Received:
    """What came and will not be lost, in order: bytes of audio, and requests that are no audio.

    KeepAlive does not count. Told now and then, and before Ended: a client that has to connect
    again goes on from here.
    """

    n_bytes: int
    n_controls: int


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the client should know and need not act on. code: stable."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request was wrong or came at the wrong time; nothing of it was done, all else goes on."""

    error: VoxwireError
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Draining:
    """The server is going down; segments still open are finished within this time."""

    seconds_left: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event. error: None where the session ended as its client wished.

    audio_s: of the whole session.
    """

    reason: CloseReason
    audio_s: float
    error: VoxwireError | None = None


Event: TypeAlias = (
    Configured
    | SpeechStarted
    | SpeechStopped
    | Committed
    | Cleared
    | Partial
    | Final
    | Lag
    | Received
    | Warned
    | RequestRefused
    | Draining
    | Ended
)
