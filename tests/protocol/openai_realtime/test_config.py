"""Updates of an OpenAI session: partial, in two shapes, and honest about what they cannot have."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.protocol.golden import Golden, context, pcm
from voxwire.protocol.errors import InvalidRequestError
from voxwire.protocol.messages import wire_code
from voxwire.protocol.openai_realtime.config import DELAYS_MS
from voxwire.protocol.openai_realtime.dialect import OpenAIRealtime
from voxwire.protocol.openai_realtime.server_events import ServerEvent
from voxwire.protocol.session import (
    AudioFormat,
    Configure,
    Configured,
    Encoding,
    SessionSettings,
    VadEndpoint,
)

LOG_PROBS = "item.input_audio_transcription.logprobs"


class Play(Golden):
    """A session that takes every update."""

    def __init__(self) -> None:
        super().__init__(OpenAIRealtime.from_query({}, context()), TypeAdapter(ServerEvent))
        self.settings: SessionSettings = self.dialect.settings
        self.warned: list[str] = []

    def update(self, session: dict[str, Any], event: str = "session.update") -> dict[str, Any]:
        """Send an update; return the session that the answer shows."""
        [request] = self.hears({"type": event, "session": session})
        assert isinstance(request, Configure)
        self.settings = request.settings
        answer, *warnings = self.says(Configured(request.settings, request.ref))
        assert isinstance(answer, dict)
        assert answer["type"] == f"{event}d"
        self.warned = []
        for warning in warnings:
            assert isinstance(warning, dict)
            self.warned += warning["warning"]["params"]
        shown: dict[str, Any] = answer["session"]
        assert shown["ignored"] == self.warned
        return shown

    def update_input(self, **fields: Any) -> dict[str, Any]:
        """Send an update of `audio.input`; return it as the answer shows it."""
        shown: dict[str, Any] = self.update({"audio": {"input": fields}})["audio"]["input"]
        return shown


def test_an_empty_update_shows_everything_and_changes_nothing() -> None:
    play = Play()
    before = play.settings
    shown = play.update({})
    assert play.settings == before
    assert set(shown["audio"]["input"]) == {
        "format",
        "noise_reduction",
        "transcription",
        "turn_detection",
    }


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"type": "audio/pcm", "rate": 24000}, AudioFormat(Encoding.PCM16, 24000)),
        ({"type": "audio/pcm", "rate": 16000}, AudioFormat(Encoding.PCM16, 16000)),
        ({"rate": 44100}, AudioFormat(Encoding.PCM16, 44100)),
        ({"type": "audio/pcmu"}, AudioFormat(Encoding.MULAW, 8000)),
        ({"type": "audio/pcma"}, AudioFormat(Encoding.ALAW, 8000)),
        ({"type": "audio/pcma", "rate": 16000}, AudioFormat(Encoding.ALAW, 16000)),
    ],
)
def test_formats(patch: dict[str, Any], expected: AudioFormat) -> None:
    play = Play()
    shown = play.update_input(format=patch)
    assert play.settings.format == expected
    assert shown["format"]["rate"] == expected.rate_hz


def test_a_format_keeps_its_rate_until_its_type_changes() -> None:
    play = Play()
    play.update_input(format={"type": "audio/pcm", "rate": 16000})
    assert play.update_input(format={"type": "audio/pcm"})["format"]["rate"] == 16000
    assert play.update_input(format={"type": "audio/pcmu"})["format"]["rate"] == 8000
    assert play.update_input(format={"type": "audio/pcm"})["format"]["rate"] == 24000


def test_turn_detection_is_null_only_where_null_was_said() -> None:
    play = Play()
    assert play.update_input(turn_detection=None)["turn_detection"] is None
    assert play.settings.endpoint is None
    assert play.update_input(format={"rate": 16000})["turn_detection"] is None
    shown = play.update_input(turn_detection={"type": "server_vad", "threshold": 0.7})
    assert shown["turn_detection"]["threshold"] == 0.7
    shown = play.update_input(turn_detection={"silence_duration_ms": 200})
    assert play.settings.endpoint == VadEndpoint(0.7, 300, 200)


def test_a_type_of_none_turns_it_off_as_azures_clients_do() -> None:
    none = {"type": "none"}
    play = Play()
    assert play.update_input(turn_detection=none)["turn_detection"] is None
    assert play.settings.endpoint is None
    play = Play()
    assert play.update({"turn_detection": none})["turn_detection"] is None
    assert play.settings.endpoint is None


def test_turn_detection_that_is_off_needs_a_type() -> None:
    play = Play()
    play.update_input(turn_detection=None)
    with pytest.raises(InvalidRequestError) as caught:
        play.update_input(turn_detection={"threshold": 0.7})
    assert wire_code(caught.value) == "missing_required_parameter"
    assert caught.value.param == "session.audio.input.turn_detection.type"


@pytest.mark.parametrize(
    ("eagerness", "silence_ms"), [(None, 800), ("auto", 800), ("high", 500), ("low", 1500)]
)
def test_silence_stands_in_for_semantic_turn_detection_and_that_is_said(
    eagerness: str | None, silence_ms: int
) -> None:
    play = Play()
    patch = {"type": "semantic_vad"} | ({"eagerness": eagerness} if eagerness else {})
    shown = play.update_input(turn_detection=patch)["turn_detection"]
    assert (shown["type"], shown["silence_duration_ms"]) == ("server_vad", silence_ms)
    assert play.warned == ["session.audio.input.turn_detection.type"]


def test_the_stand_in_goes_with_what_it_stood_for() -> None:
    play = Play()
    play.update_input(turn_detection={"type": "semantic_vad", "eagerness": "low"})
    play.update_input(turn_detection={"threshold": 0.7})
    assert play.settings.endpoint == VadEndpoint(threshold=0.7, silence_ms=1500)
    play.update_input(turn_detection={"type": "server_vad"})
    assert play.settings.endpoint == VadEndpoint(threshold=0.7)
    play.update_input(turn_detection={"silence_duration_ms": 900})
    play.update_input(turn_detection={"type": "server_vad"})
    assert play.settings.endpoint == VadEndpoint(threshold=0.7, silence_ms=900)


@pytest.mark.parametrize(("name", "delay_ms"), DELAYS_MS.items())
def test_delays(name: str, delay_ms: int) -> None:
    play = Play()
    assert play.update_input(transcription={"delay": name})["transcription"]["delay"] == name
    assert play.settings.delay_ms == delay_ms
    play.update_input(transcription={"model": "whisper-1"})
    assert play.settings.delay_ms == delay_ms
    play.update_input(transcription={"delay": None})
    assert play.settings.delay_ms is None


def test_delays_grow_with_their_names_and_are_the_models() -> None:
    delays = list(DELAYS_MS.values())
    assert delays == sorted(delays)
    assert all(delay % 80 == 0 and (delay <= 1200 or delay == 2400) for delay in delays)


def test_any_model_is_taken_and_the_served_one_is_shown() -> None:
    shown = Play().update_input(transcription={"model": "gpt-4o-transcribe"})
    assert shown["transcription"]["model"] == "embedded"


def test_what_cannot_change_once_audio_came_is_kept_and_named() -> None:
    play = Play()
    play.update({"audio": {"input": {"transcription": {"delay": "low"}}}, "include": [LOG_PROBS]})
    play.hears({"type": "input_audio_buffer.append", "audio": pcm(100)})
    shown = play.update(
        {
            "audio": {
                "input": {
                    "transcription": {"delay": "high"},
                    "turn_detection": {"type": "server_vad", "threshold": 0.9},
                }
            },
            "include": None,
        }
    )
    assert shown["audio"]["input"]["transcription"]["delay"] == "low"
    assert shown["audio"]["input"]["turn_detection"]["threshold"] == 0.9
    assert shown["include"] == [LOG_PROBS]
    assert play.warned == ["session.audio.input.transcription.delay", "session.include"]
    play.update({"input_audio_transcription": {"delay": "high"}}, "transcription_session.update")
    assert play.warned == ["session.input_audio_transcription.delay"]


def test_turn_detection_comes_and_goes_at_any_time() -> None:
    play = Play()
    play.hears({"type": "input_audio_buffer.append", "audio": pcm(100)})
    assert play.update_input(turn_detection=None)["turn_detection"] is None
    assert play.settings.endpoint is None
    detected = {"type": "server_vad", "threshold": 0.7}
    shown = play.update_input(turn_detection=detected, format={"rate": 16000})
    assert shown["turn_detection"]["threshold"] == 0.7
    assert shown["format"]["rate"] == 16000
    assert play.warned == []


def test_who_wants_no_transcription_is_told_that_there_is_nothing_else() -> None:
    play = Play()
    play.update_input(transcription=None)
    assert play.warned == ["session.audio.input.transcription"]
    play.update({"input_audio_transcription": None}, "transcription_session.update")
    assert play.warned == ["session.input_audio_transcription"]


def test_models_whose_turns_openai_does_not_detect_begin_without() -> None:
    play = Play()
    shown = play.update_input(transcription={"model": "gpt-live-transcribe"})
    assert (shown["turn_detection"], play.settings.endpoint) == (None, None)
    play.update_input(transcription={"model": "whisper-1"})
    assert play.settings.endpoint == VadEndpoint()
    query = {"model": "gpt-realtime-whisper"}
    assert OpenAIRealtime.from_query(query, context()).settings.endpoint is None


def test_what_the_client_chose_of_turns_goes_before_its_model() -> None:
    play = Play()
    realtime = {"model": "gpt-realtime-whisper"}
    turns = {"type": "server_vad", "threshold": 0.7}
    assert play.update_input(transcription=realtime, turn_detection=turns)["turn_detection"]
    assert play.update_input(transcription=realtime)["turn_detection"]["threshold"] == 0.7
    play.update_input(turn_detection=None)
    assert play.update_input(transcription={"model": "x"})["turn_detection"] is None


def test_fields_that_are_not_supported_are_named_one_by_one() -> None:
    play = Play()
    play.update(
        {
            "type": "realtime",
            "instructions": "be kind",
            "include": [LOG_PROBS, "item.more"],
            "audio": {
                "output": {"voice": "alloy"},
                "input": {
                    "noise_reduction": {"type": "near_field"},
                    "transcription": {"language": "de", "prompt": "names", "keywords": ["x"]},
                    "turn_detection": {
                        "type": "server_vad",
                        "create_response": True,
                        "idle_timeout_ms": 5000,
                        "eagerness": "low",
                    },
                },
            },
        }
    )
    assert play.settings.wants_scores
    heard = "session.audio.input"
    assert sorted(play.warned) == sorted(
        [
            "session.type",
            "session.instructions",
            "session.include",
            "session.audio.output",
            f"{heard}.noise_reduction",
            f"{heard}.transcription.language",
            f"{heard}.transcription.prompt",
            f"{heard}.transcription.keywords",
            f"{heard}.turn_detection.create_response",
            f"{heard}.turn_detection.idle_timeout_ms",
            f"{heard}.turn_detection.eagerness",
        ]
    )


def test_what_asks_for_nothing_is_not_named() -> None:
    play = Play()
    play.update_input(
        noise_reduction=None,
        transcription={"language": None, "prompt": ""},
        turn_detection={"type": "server_vad", "create_response": False},
    )
    assert play.warned == []


def test_the_words_of_the_beta_are_answered_in_the_words_of_the_beta() -> None:
    play = Play()
    shown = play.update(
        {
            "input_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1", "language": "en"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 300},
            "input_audio_noise_reduction": {"type": "far_field"},
            "include": [LOG_PROBS],
        },
        "transcription_session.update",
    )
    assert play.settings == SessionSettings(
        AudioFormat(Encoding.MULAW, 8000), None, VadEndpoint(silence_ms=300), wants_scores=True
    )
    assert shown["input_audio_format"] == "g711_ulaw"
    assert shown["turn_detection"]["silence_duration_ms"] == 300
    assert play.warned == [
        "session.input_audio_noise_reduction",
        "session.input_audio_transcription.language",
    ]
    shown = play.update({"turn_detection": None}, "transcription_session.update")
    assert (shown["turn_detection"], shown["input_audio_format"]) == (None, "g711_ulaw")


def test_the_beta_shape_in_an_update_of_now_is_answered_in_the_beta_shape() -> None:
    shown = Play().update({"input_audio_format": "pcm16", "modalities": ["text"]})
    assert shown["input_audio_format"] == "pcm16"
    assert shown["ignored"] == ["session.modalities"]


@pytest.mark.parametrize(
    ("session", "param"),
    [
        ({"type": "translation"}, "session.type"),
        ({"include": "all"}, "session.include"),
        ({"audio": []}, "session.audio"),
        ({"audio": {"input": {"format": "pcm16"}}}, "session.audio.input.format"),
        (
            {"audio": {"input": {"format": {"rate": 4000}}}},
            "session.audio.input.format.rate",
        ),
        (
            {"audio": {"input": {"transcription": {"delay": "now"}}}},
            "session.audio.input.transcription.delay",
        ),
        (
            {"audio": {"input": {"turn_detection": {"threshold": 2}}}},
            "session.audio.input.turn_detection.threshold",
        ),
        (
            {"audio": {"input": {"turn_detection": {"silence_duration_ms": -1}}}},
            "session.audio.input.turn_detection.silence_duration_ms",
        ),
        ({"input_audio_format": "opus"}, "session.input_audio_format"),
    ],
)
def test_a_wrong_value_is_refused_by_its_path(session: dict[str, Any], param: str) -> None:
    play = Play()
    with pytest.raises(InvalidRequestError) as caught:
        play.update(session)
    assert caught.value.param == param
    assert play.update({}) == Play().update({})  # nothing of it was taken


# --- properties: every update changes what it names, and nothing beside it ---

formats = st.sampled_from([{"rate": 16000}, {"type": "audio/pcma"}, {"type": "audio/pcm"}])
turns = st.none() | st.builds(
    lambda extra: {"type": "server_vad", **extra},
    st.fixed_dictionaries(
        {},
        optional={
            "threshold": st.floats(0, 1),
            "prefix_padding_ms": st.integers(0, 2000),
            "silence_duration_ms": st.integers(0, 2000),
        },
    ),
)
transcriptions = st.fixed_dictionaries(
    {}, optional={"model": st.text(max_size=9), "delay": st.none() | st.sampled_from([*DELAYS_MS])}
)
inputs = st.fixed_dictionaries(
    {}, optional={"format": formats, "turn_detection": turns, "transcription": transcriptions}
)
sessions = st.fixed_dictionaries(
    {},
    optional={
        "audio": st.fixed_dictionaries({}, optional={"input": inputs}),
        "include": st.none() | st.lists(st.just(LOG_PROBS), max_size=1),
    },
)
PARTS = {"format": "format", "turn_detection": "endpoint", "transcription": "delay_ms"}


@given(before=sessions, patch=sessions)
def test_what_an_update_does_not_name_stays(before: dict[str, Any], patch: dict[str, Any]) -> None:
    play = Play()
    play.update(before)
    old = play.settings
    play.update(patch)
    named = patch.get("audio", {}).get("input", {})
    for part, field in PARTS.items():
        if part not in named:
            assert getattr(play.settings, field) == getattr(old, field)
    if "include" not in patch:
        assert play.settings.wants_scores == old.wants_scores


@given(before=sessions, patch=sessions)
def test_saying_an_update_twice_is_saying_it_once(
    before: dict[str, Any], patch: dict[str, Any]
) -> None:
    play = Play()
    play.update(before)
    once, settings = play.update(patch), play.settings
    assert play.update(patch) == once
    assert play.settings == settings


@given(before=sessions, patch=turns.filter(bool))
def test_turn_detection_keeps_the_siblings_of_what_changes(
    before: dict[str, Any], patch: dict[str, Any]
) -> None:
    play = Play()
    play.update(before)
    old = play.settings.endpoint or VadEndpoint()
    assert isinstance(old, VadEndpoint)
    shown = play.update_input(turn_detection=patch)["turn_detection"]
    assert shown["threshold"] == patch.get("threshold", old.threshold)
    assert shown["prefix_padding_ms"] == patch.get("prefix_padding_ms", old.prefix_padding_ms)
    assert shown["silence_duration_ms"] == patch.get("silence_duration_ms", old.silence_ms)
