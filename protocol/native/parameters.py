"""What a client may choose on `/v1/stream`: in the address, or later in a `config` message."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from ..errors import InvalidRequestError
from ..session import (
    DELAYS_MS,
    MAX_CHANNELS,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    AudioFormat,
    Encoding,
    Endpoint,
    PadEndpoint,
    SessionSettings,
    VadEndpoint,
)

T = TypeVar("T")

MAX_SILENCE_MS = 60_000
MAX_PREFIX_PADDING_MS = 5_000


def _known_delay(delay_ms: int) -> int:
    if delay_ms not in DELAYS_MS:
        raise ValueError(f"expected 80 to 1200 ms in steps of 80, or 2400; got {delay_ms}")
    return delay_ms


DelayMs = Annotated[
    int, AfterValidator(_known_delay), Field(json_schema_extra={"enum": list(DELAYS_MS)})
]
SilenceMs = Annotated[int, Field(ge=80, le=MAX_SILENCE_MS)]
PaddingMs = Annotated[int, Field(ge=0, le=MAX_PREFIX_PADDING_MS)]
Threshold = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class EndpointKind(StrEnum):
    """What closes a segment besides the client's commits."""

    PADS = "pads"  # the model has written nothing for a while
    VAD = "vad"  # a voice activity detector hears no speech
    NONE = "none"


def drop_null(schema: dict[str, Any]) -> None:
    """Show what may be left out as just that: it is never sent as null."""
    for field in schema.get("properties", {}).values():
        field.pop("title", None)
        if field.get("default", ...) is None:
            del field["default"]
            kinds = [kind for kind in field.pop("anyOf") if kind != {"type": "null"}]
            field.update(kinds[0])


class Parameters(BaseModel):
    """Each may be left out, and then stays what it is; at first, what is named here."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra=drop_null)

    encoding: Encoding | None = Field(
        default=None, description="How samples are written: pcm_s16le at first."
    )
    sample_rate: int | None = Field(
        default=None, ge=MIN_RATE_HZ, le=MAX_RATE_HZ, description="In Hz: 16000 at first."
    )
    channels: int | None = Field(
        default=None, ge=1, le=MAX_CHANNELS, description="Interleaved, and averaged: 1 at first."
    )
    delay_ms: DelayMs | None = Field(
        default=None,
        description="How far the model hears ahead before it writes. Only before audio. "
        "The model's own at first.",
    )
    endpoint: EndpointKind | None = Field(
        default=None,
        description="What closes segments: a run of nothing written (pads, at first), a voice "
        "activity detector (vad), or commits alone (none).",
    )
    silence_ms: SilenceMs | None = Field(
        default=None,
        description="How much silence closes a segment: at first the server's own, which is 800 "
        "unless its operator says otherwise; 500 with vad. With pads it is the time without a new "
        "word: a pause, and the word after it, which is written when it ends.",
    )
    threshold: Threshold | None = Field(
        default=None, description="Speech probability from which vad hears speech: 0.5 at first."
    )
    prefix_padding_ms: PaddingMs | None = Field(
        default=None, description="What vad lets through before speech begins: 300 at first."
    )
    scores: bool | None = Field(
        default=None,
        description="Log-probabilities of tokens, and words' confidence: false at first.",
    )


class Settings(Parameters):
    """The settings of a session, written out by the server."""

    # Clients read these too, and ignore settings that are newer than they are.
    model_config = ConfigDict(extra="ignore")


def settings_from(wanted: Parameters, held: SessionSettings, pads: PadEndpoint) -> SessionSettings:
    """Return `held` with what is `wanted` in its place.

    pads: the server's own, for a client that asks for pads and no more.
    Raises InvalidRequestError with the parameter that does not go with the endpoint.
    """
    form = AudioFormat(
        encoding=_or(wanted.encoding, held.format.encoding),
        rate_hz=_or(wanted.sample_rate, held.format.rate_hz),
        n_channels=_or(wanted.channels, held.format.n_channels),
    )
    return SessionSettings(
        format=form,
        delay_ms=_or(wanted.delay_ms, held.delay_ms),
        endpoint=_endpoint(wanted, held.endpoint, pads),
        wants_scores=_or(wanted.scores, held.wants_scores),
    )


def parameters_from(settings: SessionSettings, default_delay_ms: int) -> Settings:
    """Return `settings` written out, with nothing left to be guessed."""
    endpoint = settings.endpoint
    vad = endpoint if isinstance(endpoint, VadEndpoint) else None
    return Settings(
        encoding=settings.format.encoding,
        sample_rate=settings.format.rate_hz,
        channels=settings.format.n_channels,
        delay_ms=_or(settings.delay_ms, default_delay_ms),
        endpoint=kind_of(endpoint),
        silence_ms=endpoint.silence_ms if endpoint else None,
        threshold=vad.threshold if vad else None,
        prefix_padding_ms=vad.prefix_padding_ms if vad else None,
        scores=settings.wants_scores,
    )


def kind_of(endpoint: Endpoint) -> EndpointKind:
    """Return the word for an endpoint."""
    if endpoint is None:
        return EndpointKind.NONE
    return EndpointKind.VAD if isinstance(endpoint, VadEndpoint) else EndpointKind.PADS


_BELONG_TO = {
    EndpointKind.PADS: {"silence_ms"},
    EndpointKind.VAD: {"silence_ms", "threshold", "prefix_padding_ms"},
    EndpointKind.NONE: set[str](),
}


def _endpoint(wanted: Parameters, held: Endpoint, pads: PadEndpoint) -> Endpoint:
    kind = _or(wanted.endpoint, kind_of(held))
    chosen = {
        name: value
        for name in ("silence_ms", "threshold", "prefix_padding_ms")
        if (value := getattr(wanted, name)) is not None
    }
    for name in chosen.keys() - _BELONG_TO[kind]:
        kinds = [other.value for other in EndpointKind if name in _BELONG_TO[other]]
        message = f"expected {name} only with endpoint {' or '.join(kinds)}, got {kind.value}"
        raise InvalidRequestError(message, param=name)
    if kind is EndpointKind.NONE:
        return None
    fresh = VadEndpoint() if kind is EndpointKind.VAD else pads
    return replace(held if kind is kind_of(held) and held else fresh, **chosen)


def _or(value: T | None, other: T) -> T:
    return other if value is None else value
