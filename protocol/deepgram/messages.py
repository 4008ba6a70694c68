"""What the server says on `/v1/listen`, in Deepgram's names."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def json_text(self) -> str:
        """Return the message as JSON, without the fields that have no value."""
        return self.model_dump_json(exclude_none=True)


class WordFields(_Said):
    """One word. word: in lower case, without punctuation."""

    word: str
    start: float
    end: float
    confidence: float
    punctuated_word: str


class Alternative(_Said):
    """The only one there is."""

    transcript: str
    confidence: float
    words: list[WordFields]


class Channel(_Said):
    """What was said on one channel; several are mixed into one."""

    alternatives: list[Alternative]


class ModelInfo(_Said):
    """The model that is served, whatever name was asked for."""

    name: str
    version: str
    arch: str


class ParameterWarning(_Said):
    """A parameter of the address that has no effect, or another one than asked for."""

    parameter: str
    type: Literal["unsupported_parameter", "adjusted_parameter"]
    message: str


class ResultsMetadata(_Said):
    """Whose result it is."""

    request_id: str
    model_info: ModelInfo
    model_uuid: str
    warnings: list[ParameterWarning] | None = None


class Results(_Said):
    """Text of a stretch of audio; interim text has neither words nor a say on how it ends."""

    type: Literal["Results"] = "Results"
    channel_index: tuple[int, int] = (0, 1)
    duration: float
    start: float
    is_final: bool
    speech_final: bool
    channel: Channel
    metadata: ResultsMetadata
    from_finalize: bool


class Metadata(_Said):
    """The summary before the connection is closed. duration: seconds of audio."""

    type: Literal["Metadata"] = "Metadata"
    transaction_key: str = "deprecated"
    request_id: str
    sha256: str
    created: str
    duration: float
    channels: int
    models: list[str]
    model_info: dict[str, ModelInfo]
    warnings: list[ParameterWarning] | None = None


class UtteranceEnd(_Said):
    """No word came for as long as the client asked for."""

    type: Literal["UtteranceEnd"] = "UtteranceEnd"
    channel: tuple[int, int] = (0, 1)
    last_word_end: float


class SpeechStarted(_Said):
    """Speech began, by the voice activity detector."""

    type: Literal["SpeechStarted"] = "SpeechStarted"
    channel: tuple[int, int] = (0, 1)
    timestamp: float


class ErrorMessage(_Said):
    """Something went wrong. variant: SchemaError for a message that cannot be read."""

    type: Literal["Error"] = "Error"
    variant: str
    description: str


class ConfigureSuccess(_Said):
    """A Configure that asked for nothing."""

    type: Literal["ConfigureSuccess"] = "ConfigureSuccess"
    request_id: str


class ConfigureFailure(_Said):
    """A Configure that asked for what this model does not have."""

    type: Literal["ConfigureFailure"] = "ConfigureFailure"
    request_id: str
    code: str
    description: str


ServerMessage: TypeAlias = Annotated[
    Results
    | Metadata
    | UtteranceEnd
    | SpeechStarted
    | ErrorMessage
    | ConfigureSuccess
    | ConfigureFailure,
    Field(discriminator="type"),
]
