"""The settings of an OpenAI transcription session: partial updates merged, and shown in full."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel

from ..errors import InvalidRequestError
from ..messages import MessageError, parse_fields, quoted
from ..session import AudioFormat, Encoding, SessionSettings, VadEndpoint
from .client_events import (
    BetaPatch,
    Delay,
    FormatPatch,
    InputPatch,
    SessionPatch,
    SessionUpdate,
    TranscriptionPatch,
    TurnPatch,
)
from .shapes import Audio, BetaSession, Format, Include, Input, Session, Transcription, Turn

LOG_PROBS: Include = "item.input_audio_transcription.logprobs"
PCM_RATE_HZ = 24000
G711_RATE_HZ = 8000

# Five names over the model's delays; word errors fall with each (FLEURS: 12.6, ..., 6.7 %).
DELAYS_MS: Mapping[Delay, int] = MappingProxyType(
    {"minimal": 160, "low": 320, "medium": 480, "high": 960, "xhigh": 2400}
)
# Silence that stands in for OpenAI's semantic turn detection, by the eagerness asked for.
EAGERNESS_MS = MappingProxyType({"high": 500, "auto": 800, "medium": 800, "low": 1500})

_GaType: TypeAlias = Literal["audio/pcm", "audio/pcmu", "audio/pcma"]
_BetaType: TypeAlias = Literal["pcm16", "g711_ulaw", "g711_alaw"]
_ENCODINGS: Mapping[_GaType, Encoding] = MappingProxyType(
    {"audio/pcm": Encoding.PCM16, "audio/pcmu": Encoding.MULAW, "audio/pcma": Encoding.ALAW}
)
_GA_TYPES = MappingProxyType({encoding: name for name, encoding in _ENCODINGS.items()})
_BETA_TO_GA: Mapping[_BetaType, _GaType] = MappingProxyType(
    {"pcm16": "audio/pcm", "g711_ulaw": "audio/pcmu", "g711_alaw": "audio/pcma"}
)
_GA_TO_BETA = MappingProxyType({ga: beta for beta, ga in _BETA_TO_GA.items()})

_REASONS = MappingProxyType(
    {
        "noise_reduction": "audio is heard as it comes",
        "input_audio_noise_reduction": "audio is heard as it comes",
        "language": "the model finds the language by itself",
        "languages": "the model finds the language by itself",
        "prompt": "the model takes no prompt",
        "keywords": "the model takes no hints",
        "create_response": "no responses are made",
        "interrupt_response": "no responses are made",
        "idle_timeout_ms": "there is no response to trigger",
    }
)
_BETA_FIELDS = frozenset(BetaPatch.model_fields) - {"include"}
_NOTHING_ELSE = "this server does nothing but transcribe"
_INPUT = "session.audio.input"
MAX_NOTES = 32  # of one update

# OpenAI detects no turns for these; their clients commit, and say nothing of turn detection.
_WITHOUT_TURNS = ("gpt-realtime-whisper", "gpt-live-transcribe")


@dataclass(frozen=True, slots=True)
class Note:
    """One field that was asked for in vain, and why."""

    param: str
    reason: str


@dataclass(frozen=True, slots=True)
class Config:
    """The settings in the terms of this dialect.

    has_chosen_turn: the client said how turns end, or that they do not. is_semantic: the silence
    that ends one stands in for OpenAI's semantic turn detection.
    """

    format: AudioFormat = field(default_factory=lambda: AudioFormat(rate_hz=PCM_RATE_HZ))
    turn: VadEndpoint | None = field(default_factory=VadEndpoint)
    has_chosen_turn: bool = False
    is_semantic: bool = False
    delay: Delay | None = None
    wants_scores: bool = False

    def for_model(self, name: str | None) -> Config:
        """Return these settings as the model of that name begins with at OpenAI."""
        if name is None or self.has_chosen_turn:
            return self
        return replace(self, turn=None if name.startswith(_WITHOUT_TURNS) else VadEndpoint())

    def settings(self) -> SessionSettings:
        """Return what a session is told."""
        delay_ms = None if self.delay is None else DELAYS_MS[self.delay]
        return SessionSettings(self.format, delay_ms, self.turn, self.wants_scores)


@dataclass(frozen=True, slots=True)
class Update:
    """One update, merged. event: by whose name it is answered."""

    config: Config
    notes: tuple[Note, ...]
    is_beta: bool = False
    event: Literal["session.update", "transcription_session.update"] = "session.update"


def read_update(config: Config, event: SessionUpdate) -> Update:
    """Return `config` changed by an update in either shape. Raises InvalidRequestError."""
    is_beta = "audio" not in event.session and (
        event.type != "session.update" or not _BETA_FIELDS.isdisjoint(event.session)
    )
    if is_beta:
        return merge_beta(config, parse_fields(BetaPatch, event.session, ("session",)))
    return merge(config, parse_fields(SessionPatch, event.session, ("session",)))


def merge(config: Config, patch: SessionPatch) -> Update:
    """Return `config` changed by an update in the shape of now. Raises InvalidRequestError."""
    heard = InputPatch() if patch.audio is None else patch.audio.input or InputPatch()
    merged = _merge_input(config, heard, _INPUT)
    notes = [*_semantic(merged, heard.turn_detection, f"{_INPUT}.turn_detection")]
    if "transcription" in heard.model_fields_set and heard.transcription is None:
        notes.append(Note(f"{_INPUT}.transcription", _NOTHING_ELSE))
    if patch.type == "realtime":
        notes.append(Note("session.type", "this server only transcribes, and makes no responses"))
    return _update(merged, patch, notes, is_beta=False)


def merge_beta(config: Config, patch: BetaPatch) -> Update:
    """Return `config` changed by an update in the shape of the beta. Raises InvalidRequestError."""
    heard: dict[str, Any] = {}
    if patch.input_audio_format is not None:
        heard["format"] = FormatPatch(type=_BETA_TO_GA[patch.input_audio_format])
    if patch.input_audio_transcription is not None:
        heard["transcription"] = patch.input_audio_transcription
    if "turn_detection" in patch.model_fields_set:
        heard["turn_detection"] = patch.turn_detection
    merged = _merge_input(config, InputPatch.model_construct(**heard), "session")
    notes = [*_semantic(merged, patch.turn_detection, "session.turn_detection")]
    if "input_audio_transcription" in patch.model_fields_set and not heard.get("transcription"):
        notes.append(Note("session.input_audio_transcription", _NOTHING_ELSE))
    return _update(merged, patch, notes, is_beta=True)


def keep_begun(update: Update, before: Config) -> Update:
    """Return an update without what cannot change once audio came, and with a note on it.

    Clients send all their settings again to change one; an error would end them.
    """
    path = "session.input_audio_transcription" if update.is_beta else f"{_INPUT}.transcription"
    late = [
        Note(param, "it can change before the first audio only")
        for param, name in ((f"{path}.delay", "delay"), ("session.include", "wants_scores"))
        if getattr(update.config, name) != getattr(before, name)
    ]
    kept = replace(update.config, delay=before.delay, wants_scores=before.wants_scores)
    return replace(update, config=kept, notes=(*update.notes, *late))


def _update(
    config: Config, patch: SessionPatch | BetaPatch, notes: list[Note], *, is_beta: bool
) -> Update:
    if "include" in patch.model_fields_set:
        config = replace(config, wants_scores=LOG_PROBS in (patch.include or ()))
        others = [name for name in patch.include or () if name != LOG_PROBS]
        notes += [Note("session.include", f"there is no {quoted(name)}") for name in others]
    notes += _unknown(patch, "session")
    return Update(config, tuple(notes[:MAX_NOTES]), is_beta)


def _merge_input(config: Config, patch: InputPatch, path: str) -> Config:
    if patch.format is not None:
        config = replace(config, format=_merge_format(config.format, patch.format, path))
    if patch.transcription is not None:
        config = replace(config, delay=_merge_delay(config.delay, patch.transcription))
        config = config.for_model(patch.transcription.model)
    if "turn_detection" in patch.model_fields_set:
        config = _merge_turn(config, patch.turn_detection, f"{path}.turn_detection")
    return config


def _merge_format(current: AudioFormat, patch: FormatPatch, path: str) -> AudioFormat:
    encoding = current.encoding if patch.type is None else _ENCODINGS[patch.type]
    if patch.rate is not None:
        try:
            return AudioFormat(encoding, patch.rate)
        except InvalidRequestError as error:
            error.param = f"{path}.format.rate"
            raise
    if encoding is current.encoding:
        return current
    return AudioFormat(encoding, PCM_RATE_HZ if encoding is Encoding.PCM16 else G711_RATE_HZ)


def _merge_delay(current: Delay | None, patch: TranscriptionPatch) -> Delay | None:
    return patch.delay if "delay" in patch.model_fields_set else current


def _merge_turn(config: Config, patch: TurnPatch | None, path: str) -> Config:
    if patch is None:
        return replace(config, turn=None, has_chosen_turn=True, is_semantic=False)
    if patch.type is None and config.turn is None:
        message = f"expected {path}.type, as turn detection is off; got nothing"
        raise MessageError(message, code="missing_required_parameter", param=f"{path}.type")
    turn = config.turn or VadEndpoint()
    if patch.type == "semantic_vad":
        turn = VadEndpoint(silence_ms=EAGERNESS_MS[patch.eagerness or "auto"])
    elif patch.type == "server_vad" and config.is_semantic:  # the client never chose the stand-in
        turn = replace(turn, silence_ms=VadEndpoint().silence_ms)
    if patch.threshold is not None:
        turn = replace(turn, threshold=patch.threshold)
    if patch.prefix_padding_ms is not None:
        turn = replace(turn, prefix_padding_ms=patch.prefix_padding_ms)
    if patch.silence_duration_ms is not None:
        turn = replace(turn, silence_ms=patch.silence_duration_ms)
    is_semantic = config.is_semantic if patch.type is None else patch.type == "semantic_vad"
    return replace(config, turn=turn, has_chosen_turn=True, is_semantic=is_semantic)


def _semantic(config: Config, patch: TurnPatch | None, path: str) -> Iterator[Note]:
    """Tell what stands in for semantic turn detection, and an eagerness that nothing can have."""
    if patch is None or config.turn is None:
        return
    if patch.type == "semantic_vad":
        stand_in = f"server_vad with silence_duration_ms {config.turn.silence_ms} stands in"
        yield Note(f"{path}.type", f"there is no semantic_vad: {stand_in}")
    elif patch.eagerness is not None:
        yield Note(f"{path}.eagerness", "only semantic_vad has it")


def _unknown(patch: BaseModel, path: str) -> Iterator[Note]:
    """Tell, at any depth, the fields that mean nothing here; empty ones ask for nothing."""
    for name, value in (patch.model_extra or {}).items():
        if value or (value == 0 and value is not False):
            reason = _REASONS.get(name, "it means nothing here")
            yield Note(f"{path}.{quoted(name)}", reason)
    for name in patch.model_fields_set:
        part = getattr(patch, name, None)
        if isinstance(part, BaseModel):
            yield from _unknown(part, f"{path}.{name}")


def show(config: Config, session_id: str, model: str, ignored: list[str]) -> Session:
    """Return the settings in effect, in the shape of now."""
    return Session(
        id=session_id,
        audio=Audio(
            input=Input(
                format=Format(type=_GA_TYPES[config.format.encoding], rate=config.format.rate_hz),
                transcription=Transcription(model=model, delay=config.delay),
                turn_detection=_show_turn(config.turn),
            )
        ),
        include=_show_include(config),
        ignored=ignored,
    )


def show_beta(config: Config, session_id: str, model: str, ignored: list[str]) -> BetaSession:
    """Return the settings in effect, in the shape of the beta."""
    return BetaSession(
        id=session_id,
        input_audio_format=_GA_TO_BETA[_GA_TYPES[config.format.encoding]],
        input_audio_transcription=Transcription(model=model, delay=config.delay),
        turn_detection=_show_turn(config.turn),
        include=_show_include(config),
        ignored=ignored,
    )


def _show_turn(turn: VadEndpoint | None) -> Turn | None:
    if turn is None:
        return None
    return Turn(
        threshold=turn.threshold,
        prefix_padding_ms=turn.prefix_padding_ms,
        silence_duration_ms=turn.silence_ms,
    )


def _show_include(config: Config) -> list[Include] | None:
    return [LOG_PROBS] if config.wants_scores else None
