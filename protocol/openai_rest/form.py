"""The form of a transcription request: every field that OpenAI's has, and what becomes of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
)

from ..errors import InvalidRequestError, UnsupportedError
from ..messages import own_words
from ..session import DELAYS_MS


class ResponseFormat(StrEnum):
    """How the transcript is written."""

    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"
    VERBOSE_JSON = "verbose_json"


STREAMED_FORMATS = (ResponseFormat.JSON, ResponseFormat.TEXT, ResponseFormat.VERBOSE_JSON)
_SCORED_FORMATS = (ResponseFormat.JSON, ResponseFormat.VERBOSE_JSON)
# A name that may stand in a header as it is, and is no novel.
_SAFE_NAME = re.compile(r"[A-Za-z0-9_.\[\]-]{1,64}")
_MAX_NAMED = 32  # of some hundred that a form may have: headers must stay short
_NO_EFFECT = "Accepted, and named in `x-voxwire-ignored`: "


class VadChunking(BaseModel):
    """OpenAI's knobs of a voice activity detector."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["server_vad"]
    prefix_padding_ms: Annotated[int, Field(ge=0)] = 300
    silence_duration_ms: Annotated[int, Field(ge=0)] = 200
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5


def _from_json(value: object) -> object:
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            raise ValueError("expected auto or a JSON object") from None
    return value


Chunking: TypeAlias = Annotated[Literal["auto"] | VadChunking, BeforeValidator(_from_json)]


def _check_delay(value: int) -> int:
    if value not in DELAYS_MS:
        raise ValueError("expected 80 to 1200 by 80, or 2400 ms")
    return value


DelayMs: TypeAlias = Annotated[
    int, AfterValidator(_check_delay), WithJsonSchema({"type": "integer", "enum": [*DELAYS_MS]})
]


class TranscriptionForm(BaseModel):
    """The fields besides `file`."""

    model_config = ConfigDict(title="Transcription request")

    model: str | None = Field(
        None,
        max_length=256,
        description="Any name: one model is served, and `x-voxwire-model` tells which.",
        examples=["whisper-1"],
    )
    response_format: ResponseFormat = Field(
        ResponseFormat.JSON, description="How the transcript is written."
    )
    timestamp_granularities: list[Literal["word", "segment"]] = Field(
        default_factory=list,
        description="What `verbose_json` tells the times of; without this field, of segments. "
        "`json` tells them too, of words or else of segments, as Mistral's clients ask.",
    )
    stream: bool = Field(
        False,
        description="Send the text while it is found, as server-sent events, "
        "with comments in between that tell the progress.",
    )
    include: list[Literal["logprobs"]] = Field(
        default_factory=list,
        description="`logprobs`: of each token, and with `verbose_json` each word's confidence.",
    )
    chunking_strategy: Chunking | None = Field(
        None,
        description="`auto`: the recording is always heard in one piece. "
        + _NO_EFFECT
        + "the settings of a voice activity detector.",
    )
    delay_ms: DelayMs | None = Field(
        None,
        description="How far the model listens ahead before it writes. Further is more accurate. "
        "Not in OpenAI's interface.",
        examples=[480],
    )
    temperature: float | None = Field(
        None, ge=0, le=1, description=_NO_EFFECT + "the likeliest token is always taken, as at 0."
    )
    language: str | None = Field(
        None, max_length=64, description=_NO_EFFECT + "the model finds the language itself."
    )
    languages: list[str] = Field(default_factory=list, description=_NO_EFFECT + "as `language`.")
    prompt: str | None = Field(None, description=_NO_EFFECT + "the model takes no text.")
    keywords: list[str] = Field(default_factory=list, description=_NO_EFFECT + "as `prompt`.")
    hotwords: str | None = Field(None, description=_NO_EFFECT + "as `prompt`.")
    known_speaker_names: list[str] = Field(
        default_factory=list, description=_NO_EFFECT + "speakers are not told apart."
    )
    known_speaker_references: list[str] = Field(
        default_factory=list,
        description=_NO_EFFECT + "as `known_speaker_names`. No field may exceed 64 KiB.",
    )


_NEVER_HEEDED = (
    "language",
    "languages",
    "prompt",
    "keywords",
    "hotwords",
    "known_speaker_names",
    "known_speaker_references",
)
_LISTS = {
    name for name, field in TranscriptionForm.model_fields.items() if field.default_factory is list
}


@dataclass(frozen=True, slots=True)
class TranscriptionRequest:
    """What is asked for. ignored: names of the fields that came and change nothing.

    plain_spans: what plain JSON tells the times of.
    """

    format: ResponseFormat
    wants_words: bool
    wants_segments: bool
    wants_log_probs: bool
    is_streamed: bool
    delay_ms: int | None
    model: str | None
    ignored: tuple[str, ...]
    plain_spans: Literal["word", "segment"] | None = None


def read_form(items: Iterable[tuple[str, str]]) -> TranscriptionRequest:
    """Return what a form asks for; an empty field counts as none.

    Lists are written `name[]` or `name`, as often as they have members; objects `name[key]` or as
    JSON. Raises InvalidRequestError, with the name of the field.
    """
    fields = _gathered(items)
    if fields.get("response_format") == "diarized_json":
        wanted = f"expected response_format to be one of {_names(ResponseFormat)}"
        message = f"{wanted}, got diarized_json: this server does not tell speakers apart"
        raise UnsupportedError(message, param="response_format")
    try:
        form = TranscriptionForm.model_validate(fields)
    except ValidationError as error:
        raise _refusal(error) from None
    _check_stream(form)
    return _request(form, fields)


def form_schema() -> dict[str, Any]:
    """Return the JSON schema of the form with its file, lists named as OpenAI's clients do."""
    schema = TranscriptionForm.model_json_schema()
    definitions = schema.pop("$defs")
    properties = {
        f"{name}[]" if name in _LISTS else name: _sendable(field, definitions)
        for name, field in schema["properties"].items()
    }
    file = {
        "type": "string",
        "format": "binary",
        "description": "A recording in any container and codec that FFmpeg reads, video too.",
    }
    schema.pop("description")
    return {**schema, "properties": {"file": file, **properties}, "required": ["file"]}


def _sendable(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Return a schema without references, and without null, which a form cannot carry."""
    if isinstance(schema, list):
        return [_sendable(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target = definitions[schema["$ref"].rsplit("/", 1)[1]]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    if schema.get("default", 0) is None:
        schema = {key: value for key, value in schema.items() if key != "default"}
    kinds = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        schema = {**kinds[0], **{key: value for key, value in schema.items() if key != "anyOf"}}
    elif kinds:
        schema = {**schema, "anyOf": kinds}
    return {key: _sendable(value, definitions) for key, value in schema.items()}


def _gathered(items: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the fields by name, with lists and objects put together."""
    fields: dict[str, Any] = {}
    for key, value in items:
        name = key.removesuffix("[]")
        if value == "":
            continue
        if name in _LISTS:
            fields.setdefault(name, []).append(value)
        elif match := re.fullmatch(r"chunking_strategy\[(\w{1,64})\]", key):
            inner = fields.setdefault("chunking_strategy", {})
            if not isinstance(inner, dict):
                raise InvalidRequestError("given twice", param="chunking_strategy")
            inner[match[1]] = value
        elif name in fields and name in TranscriptionForm.model_fields:
            raise InvalidRequestError(f"{name}: given twice", param=name)
        else:
            fields[name] = value
    return fields


def _check_stream(form: TranscriptionForm) -> None:
    if form.stream and form.response_format not in STREAMED_FORMATS:
        wanted = f"expected response_format to be one of {_names(STREAMED_FORMATS)} with stream"
        message = f"{wanted}, got {form.response_format.value}"
        raise UnsupportedError(message, param="response_format")


def _request(form: TranscriptionForm, fields: Mapping[str, Any]) -> TranscriptionRequest:
    is_verbose = form.response_format is ResponseFormat.VERBOSE_JSON
    wants_log_probs = bool(form.include) and form.response_format in _SCORED_FORMATS
    granularities = form.timestamp_granularities or ["segment"]
    has_spans = form.response_format is ResponseFormat.JSON and not form.stream
    spans: Literal["word", "segment"] = "word" if "word" in granularities else "segment"
    return TranscriptionRequest(
        format=form.response_format,
        wants_words=is_verbose and "word" in granularities,
        wants_segments=is_verbose and "segment" in granularities,
        wants_log_probs=wants_log_probs,
        is_streamed=form.stream,
        delay_ms=form.delay_ms,
        model=form.model,
        ignored=tuple(_ignored(form, fields, is_verbose or has_spans, wants_log_probs)),
        plain_spans=spans if has_spans and form.timestamp_granularities else None,
    )


def _ignored(
    form: TranscriptionForm, fields: Mapping[str, Any], tells_times: bool, wants_log_probs: bool
) -> list[str]:
    ignored = [name for name in _NEVER_HEEDED if name in fields]
    if form.temperature:
        ignored.append("temperature")
    if isinstance(form.chunking_strategy, VadChunking):
        ignored.append("chunking_strategy")
    if form.timestamp_granularities and not tells_times:
        ignored.append("timestamp_granularities")
    if form.include and not wants_log_probs:
        ignored.append("include")
    unknown = [_shown(name) for name in fields if name not in TranscriptionForm.model_fields]
    return [*ignored, *dict.fromkeys(unknown)][:_MAX_NAMED]


def _refusal(error: ValidationError) -> InvalidRequestError:
    """Return the first thing that is wrong, by the name of its field."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    name = str(first["loc"][0])
    return InvalidRequestError(f"{name}: {own_words(first['msg'])}", param=name)


def _shown(name: str) -> str:
    return name if _SAFE_NAME.fullmatch(name) else "(a field with an odd name)"


def _names(formats: Iterable[ResponseFormat]) -> str:
    return ", ".join(form.value for form in formats)
