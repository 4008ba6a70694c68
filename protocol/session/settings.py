"""What a client may choose of its session."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from ..errors import InvalidRequestError

MIN_RATE_HZ, MAX_RATE_HZ = 8000, 48000
MAX_CHANNELS = 2
DELAYS_MS = (*range(80, 1201, 80), 2400)  # that Voxtral was trained for
MAX_PAUSE_MS = 60_000  # a session holds back that much audio at most


class Encoding(StrEnum):
    """How a sample is written: little-endian where it has more than one byte."""

    PCM16 = "pcm_s16le"
    FLOAT32 = "pcm_f32le"
    MULAW = "mulaw"
    ALAW = "alaw"


_SAMPLE_BYTES = {Encoding.PCM16: 2, Encoding.FLOAT32: 4, Encoding.MULAW: 1, Encoding.ALAW: 1}


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

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample of every channel."""
        return _SAMPLE_BYTES[self.encoding] * self.n_channels

    @property
    def bytes_per_s(self) -> int:
        """Bytes of one second."""
        return self.rate_hz * self.frame_bytes


@dataclass(frozen=True, slots=True)
class PadEndpoint:
    """Close a segment when the model has written nothing for a while: it costs nothing.

    silence_ms: without a new word. A word is written when it ends, so that this is a pause and the
    length of the word after it.
    """

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
