"""What passes between a session and the dialect that its client speaks: requests in, events out.

A session knows no wire format and a dialect no session: both know these. Times are in seconds or
milliseconds of the session's own audio clock, which starts at its first sample and never restarts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from .errors import InvalidRequestError, VoxwireError
from .transcript import Word

MIN_RATE_HZ, MAX_RATE_HZ = 8000, 48000
MAX_CHANNELS = 2
MAX_PAUSE_MS = 60_000  # a session holds back that much audio at most


class Encoding(StrEnum):
    """How a sample is written: little-endian where it has more than one byte."""

    PCM16 = "pcm_s16le"
    FLOAT32 = "pcm_f32le"
    MULAW = "mulaw"
    ALAW = "alaw"


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What the client's audio is; several channels are interleaved, and averaged.

    Raises InvalidRequestError.
    """

    encoding: Encoding = Encoding.PCM16
    rate_hz: int = 16000
    n_channels: int = 1

    def __post_init__(self) -> None:
        if not MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ:
            wanted = f"expected a sample rate of {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz"
            raise InvalidRequestError(f"{wanted}, got {self.rate_hz}")
        if not 1 <= self.n_channels <= MAX_CHANNELS:
            wanted = f"expected 1 to {MAX_CHANNELS} channels"
            raise InvalidRequestError(f"{wanted}, got {self.n_channels}")


@dataclass(frozen=True, slots=True)
class PadEndpoint:
    """Close a segment when the model has written nothing for a while: it costs nothing."""

    silence_ms: int = 800


@dataclass(frozen=True, slots=True)
class VadEndpoint:
    """Hear only what a voice activity detector takes for speech, each turn a segment.

    threshold: speech probability. prefix_padding_ms: heard before a turn's first speech.
    silence_ms: without speech, after which the turn is over. Raises InvalidRequestError.
    """

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_ms: int = 500

    def __post_init__(self) -> None:
        times_ms = (self.prefix_padding_ms, self.silence_ms)
        if not 0 <= self.threshold <= 1 or not all(0 <= ms <= MAX_PAUSE_MS for ms in times_ms):
            wanted = f"a threshold of 0 to 1, and times of 0 to {MAX_PAUSE_MS} ms"
            raise InvalidRequestError(f"expected {wanted}, got {self}")


# None: only the client's commits close segments.
Endpoint: TypeAlias = PadEndpoint | VadEndpoint | None


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What a client may choose. delay_ms: None takes the model's own.

    wants_scores: log-probabilities of the tokens, and from them each word's confidence.
    """

    format: AudioFormat = field(default_factory=AudioFormat)
    delay_ms: int | None = None
    endpoint: Endpoint = field(default_factory=PadEndpoint)
    wants_scores: bool = False


# --- requests: what a client asks. ref: its own id of the message, echoed where it is refused. ---


@dataclass(frozen=True, slots=True)
class Configure:
    """Change the settings, all at once; answered by Configured. The delay: before audio only."""

    settings: SessionSettings
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Audio:
    """Bytes in the session's format, cut anywhere, within a sample too."""

    data: bytes
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """Close the segment with all that was sent before; answered by Committed, then Final."""

    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """Drop the audio of the open segment, and what was heard in it; answered by Cleared."""

    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """No audio will follow; answered by the last Final and Ended."""

    ref: str | None = None


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The client is still there."""

    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the dialect answers by itself, in its place among the session's events."""

    message: str | bytes


Request: TypeAlias = Configure | Audio | Commit | Clear | Finish | KeepAlive | Reply


# --- events: what a session tells ---


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
