"""What a transcription is answered with: documents, and the events of a stream."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

_DAMAGED = "So many packets of the file could not be decoded and were left out."


def _is_none(value: object) -> bool:
    return value is None


class DurationUsage(BaseModel):
    """How much audio it was."""

    type: Literal["duration"] = "duration"
    seconds: float


class InputTokens(BaseModel):
    """Of what the input tokens are: positions of audio, 80 ms each."""

    audio_tokens: int
    text_tokens: int = 0


class TokenUsage(BaseModel):
    """How many tokens it was: positions of audio heard, and tokens of text written."""

    type: Literal["tokens"] = "tokens"
    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_token_details: InputTokens


class LogProb(BaseModel):
    """One token of the text; `token` shows a part of a character as U+FFFD, `bytes` is exact."""

    token: str
    bytes: list[int]
    logprob: float


class PlainUsage(DurationUsage):
    """With what Mistral's clients look for: positions heard, and tokens that wrote text."""

    prompt_audio_seconds: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Span(BaseModel):
    """A word or a segment with its times, as Mistral's clients read it."""

    type: Literal["transcription_segment"] = "transcription_segment"
    text: str
    start: float
    end: float


class Transcription(BaseModel):
    """`response_format=json`."""

    text: str
    model: str = Field(description="What was served; for Mistral's clients.")
    language: None = Field(
        default=None, description="The model does not say which; for Mistral's clients."
    )
    segments: list[Span] | None = Field(
        None,
        exclude_if=_is_none,
        description="With `timestamp_granularities`; for Mistral's clients.",
    )
    usage: PlainUsage
    logprobs: list[LogProb] | None = Field(None, exclude_if=_is_none)
    damaged_packets: int | None = Field(None, description=_DAMAGED, exclude_if=_is_none)


class TimedWord(BaseModel):
    """A word with its punctuation. confidence: 0 to 1, with `include[]=logprobs`."""

    word: str
    start: float
    end: float
    confidence: float | None = None


class TimedSegment(BaseModel):
    """A stretch of speech between two pauses.

    The recording is heard in one piece (seek 0), the likeliest token always taken (temperature 0).
    """

    id: int
    seek: Literal[0] = 0
    start: float
    end: float
    text: str
    tokens: list[int] = Field(description="Of the model's own vocabulary, those that wrote text.")
    temperature: Literal[0] = 0
    avg_logprob: float = Field(description="Mean over the tokens that wrote text.")
    compression_ratio: float = Field(description="Bytes of the text over its bytes by zlib.")
    no_speech_prob: float = Field(
        description="What the model left for anything but a word where the first one begins: "
        "no speech was at most this likely."
    )


class VerboseTranscription(BaseModel):
    """`response_format=verbose_json`."""

    task: Literal["transcribe"] = "transcribe"
    language: Literal["und"] = Field(
        "und", description="Undetermined (ISO 639): the model does not say which it heard."
    )
    duration: float
    text: str
    words: list[TimedWord] | None = None
    segments: list[TimedSegment] | None = None
    usage: DurationUsage
    logprobs: list[LogProb] | None = None
    damaged_packets: int | None = Field(None, description=_DAMAGED)


class TextDelta(BaseModel):
    """New text. Text is never taken back."""

    type: Literal["transcript.text.delta"] = "transcript.text.delta"
    delta: str
    logprobs: list[LogProb] | None = None


class TextDone(BaseModel):
    """The whole text; with `verbose_json`, its times too, which OpenAI's event has not."""

    type: Literal["transcript.text.done"] = "transcript.text.done"
    text: str
    usage: TokenUsage
    logprobs: list[LogProb] | None = None
    language: Literal["und"] | None = None
    duration: float | None = None
    words: list[TimedWord] | None = None
    segments: list[TimedSegment] | None = None
    damaged_packets: int | None = Field(None, description=_DAMAGED)


class Progress(BaseModel):
    """How far a stream is, sent as a comment line: `: progress {...}`.

    total_s: what the file claims, until all of it is decoded; null where it claims nothing.
    """

    done_s: float
    total_s: float | None


class Capabilities(BaseModel):
    """What a model can do, as Mistral's clients read it."""

    audio_transcription: Literal[True] = True
    audio_transcription_realtime: Literal[True] = True


class Model(BaseModel):
    """A model that can be asked for."""

    id: str
    type: Literal["base"] = Field(default="base", description="For Mistral's clients.")
    capabilities: Capabilities = Capabilities()
    object: Literal["model"] = "model"
    created: int = Field(description="When this server began to serve it; seconds since 1970.")
    owned_by: Literal["voxwire"] = "voxwire"


class ModelList(BaseModel):
    """All models that can be asked for."""

    object: Literal["list"] = "list"
    data: list[Model]
