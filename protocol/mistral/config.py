"""The settings of a Mistral session: partial updates merged, and shown in Mistral's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from pydantic import BaseModel

from ..messages import quoted
from ..session import (
    DELAYS_MS,
    AudioFormat,
    Encoding,
    Endpoint,
    SessionSettings,
    VadEndpoint,
)
from .events import (
    AudioEncoding,
    AudioFormatFields,
    Notice,
    SessionPatch,
    TurnDetection,
    TurnDetectionPatch,
)

DELAY = "target_streaming_delay_ms"

_ENCODINGS: Mapping[AudioEncoding, Encoding] = MappingProxyType(
    {
        "pcm_s16le": Encoding.PCM16,
        "pcm_f32le": Encoding.FLOAT32,
        "pcm_mulaw": Encoding.MULAW,
        "pcm_alaw": Encoding.ALAW,
    }
)
_NAMES = MappingProxyType({encoding: name for name, encoding in _ENCODINGS.items()})


def merge(settings: SessionSettings, patch: SessionPatch) -> SessionSettings:
    """Return `settings` changed by an update. Raises InvalidRequestError."""
    if patch.audio_format is not None:
        encoding = _ENCODINGS[patch.audio_format.encoding]
        form = AudioFormat(encoding, patch.audio_format.sample_rate)
        settings = replace(settings, format=form)
    if DELAY in patch.model_fields_set:
        settings = replace(settings, delay_ms=_nearest(patch.target_streaming_delay_ms))
    if "turn_detection" in patch.model_fields_set:
        settings = replace(settings, endpoint=_endpoint(patch.turn_detection))
    return settings


def notices(patch: SessionPatch, param: str, ignored: Sequence[str]) -> list[Notice]:
    """Return what a client should know of what it asked for.

    param: where its delay stands. ignored: the names of what it asked for in vain.
    """
    told = []
    asked_ms = patch.target_streaming_delay_ms
    if asked_ms != (taken_ms := _nearest(asked_ms)):
        got = f"expected 80 to 1200 ms by 80, or 2400, got {quoted(str(asked_ms))}"
        message = f"{param}: {got}; {taken_ms} is nearest, and taken"
        told.append(Notice(code="unsupported_value", message=message, params=[param]))
    if ignored:
        message = f"not supported, and ignored: {', '.join(ignored)}"
        told.append(Notice(code="unsupported_fields", message=message, params=list(ignored)))
    return told


def extras(patch: BaseModel, path: str) -> Iterator[str]:
    """Return what was asked for in vain, at any depth."""
    for name, value in (patch.model_extra or {}).items():
        if value:
            yield f"{path}.{name}"
    for name in type(patch).model_fields:
        part = getattr(patch, name)
        if isinstance(part, BaseModel):
            yield from extras(part, f"{path}.{name}")


def show_format(form: AudioFormat) -> AudioFormatFields:
    """Return a format as it is in effect."""
    return AudioFormatFields(encoding=_NAMES[form.encoding], sample_rate=form.rate_hz)


def show_turn(endpoint: Endpoint) -> TurnDetection | None:
    """Return turn detection as it is in effect; None where it is off."""
    if not isinstance(endpoint, VadEndpoint):
        return None
    return TurnDetection(start_threshold=endpoint.threshold, min_silence_ms=endpoint.silence_ms)


def _nearest(delay_ms: int | None) -> int | None:
    """Return the delay that the model was trained for; of two as near, the shorter."""
    return None if delay_ms is None else min(DELAYS_MS, key=lambda known: abs(known - delay_ms))


def _endpoint(patch: TurnDetectionPatch | None) -> Endpoint:
    if patch is None:
        return None
    return VadEndpoint(threshold=patch.start_threshold, silence_ms=patch.min_silence_ms)
