"""The parameters of `/v1/listen`: what they ask of a session, and which of them have no effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from ..messages import MessageError, parse_fields, quoted
from ..session import (
    MAX_CHANNELS,
    MAX_PAUSE_MS,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    AudioFormat,
    Encoding,
    Endpoint,
    PadEndpoint,
    SessionSettings,
    VadEndpoint,
)
from .messages import ParameterWarning

# Deepgram takes 10 ms for an endpoint. Pauses this short lie within sentences, and what is cut
# there reaches the model without what was said before.
MIN_SILENCE_MS = 300
MIN_UTTERANCE_END_MS = 1000
_MAX_WARNINGS = 32

_ENCODINGS: Mapping[str, Encoding] = MappingProxyType(
    {
        "linear16": Encoding.PCM16,
        "linear32": Encoding.FLOAT32,
        "mulaw": Encoding.MULAW,
        "alaw": Encoding.ALAW,
    }
)
# To leave these undone would do harm that nobody sees.
_REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "callback": "results are sent on this connection only",
        "redact": "nothing is redacted here",
    }
)
# Without effect on the text: punctuation is the model's own, the others are for accounts.
_SILENT = {"punctuate", "mip_opt_out", "tag", "extra", "version", "model", "callback_method"}


class Query(BaseModel):
    """The parameters that have an effect, as Deepgram names them; all others are kept as text."""

    model_config = ConfigDict(frozen=True, extra="allow")

    encoding: Literal["linear16", "linear32", "mulaw", "alaw"]
    sample_rate: Annotated[int, Field(ge=MIN_RATE_HZ, le=MAX_RATE_HZ)]
    channels: Annotated[int, Field(ge=1, le=MAX_CHANNELS)] = 1
    multichannel: bool = False
    interim_results: bool = False
    vad_events: bool = False
    endpointing: Annotated[
        Annotated[int, Field(ge=0, le=MAX_PAUSE_MS)] | bool, Field(union_mode="left_to_right")
    ] = True
    utterance_end_ms: Annotated[int, Field(ge=MIN_UTTERANCE_END_MS, le=MAX_PAUSE_MS)] | None = None
    language: str = "multi"

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Self:
        """Return the parameters. Raises InvalidRequestError."""
        for name, reason in _REFUSED.items():
            if query.get(name, "false").lower() != "false":
                raise _wrong(name, f"{name} is not supported: {reason}")
        if "encoding" not in query:
            known = ", ".join(_ENCODINGS)
            message = f"expected an encoding of {known}; containers are not decoded in a stream"
            raise _wrong("encoding", message)
        try:
            read = parse_fields(cls, dict(query))
        except MessageError as error:
            # Of what may be a number or a truth value, the kind is no part of the name.
            error.param = (error.param or "").partition(".")[0]
            raise
        if read.multichannel and read.channels > 1:
            message = "multichannel is not supported: several channels are mixed into one"
            raise _wrong("multichannel", message)
        return read

    def settings(self, silence_ms: int) -> SessionSettings:
        """Return what the session begins with; silence_ms: the operator's choice."""
        return SessionSettings(
            format=AudioFormat(_ENCODINGS[self.encoding], self.sample_rate, self.channels),
            endpoint=self._endpoint(silence_ms),
            wants_scores=True,  # each word's confidence
        )

    @property
    def tells_endpoints(self) -> bool:
        """Whether a pause is an end of speech; if not, it still closes a result."""
        return self.endpointing is not False

    def _endpoint(self, silence_ms: int) -> Endpoint:
        """Silence of a client's own length is measured; only a detector can, or tell speech."""
        if not isinstance(self.endpointing, bool):
            return VadEndpoint(silence_ms=max(self.endpointing, MIN_SILENCE_MS))
        return VadEndpoint() if self.vad_events else PadEndpoint(silence_ms)

    def warnings(self) -> list[ParameterWarning]:
        """Return what is to be told of parameters that have no effect or another one."""
        return list(self._warnings())[:_MAX_WARNINGS]

    def _warnings(self) -> Iterator[ParameterWarning]:
        if not isinstance(self.endpointing, bool) and self.endpointing < MIN_SILENCE_MS:
            message = f"taken as {MIN_SILENCE_MS} ms"
            yield ParameterWarning(
                parameter="endpointing", type="adjusted_parameter", message=message
            )
        if self.language not in ("", "multi"):
            yield _unsupported("language", "the model finds the language by itself")
        for name, value in (self.model_extra or {}).items():
            if name not in _SILENT and value.lower() not in ("", "false"):
                yield _unsupported(quoted(name), "has no effect here")


def _unsupported(parameter: str, message: str) -> ParameterWarning:
    return ParameterWarning(parameter=parameter, type="unsupported_parameter", message=message)


def _wrong(param: str, message: str) -> MessageError:
    return MessageError(message, code="invalid_value", param=param)
