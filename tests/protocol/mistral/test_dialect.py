"""Golden transcripts of Mistral's realtime transcription."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.protocol.fuzz import Step, events, messages, play
from tests.protocol.golden import Golden, context, final, partial, pcm
from voxwire.protocol.dialect import Close
from voxwire.protocol.errors import CapacityError, InvalidRequestError, RowFaultError, VoxwireError
from voxwire.protocol.messages import wire_code
from voxwire.protocol.mistral.dialect import Mistral
from voxwire.protocol.mistral.events import ServerEvent
from voxwire.protocol.session import (
    Audio,
    AudioFormat,
    CloseReason,
    Commit,
    Committed,
    Configure,
    Configured,
    Draining,
    Encoding,
    Ended,
    Finish,
    Lag,
    RequestRefused,
    SessionSettings,
    SpeechStarted,
    SpeechStopped,
    VadEndpoint,
    Warned,
)

APPEND = {"type": "input_audio.append", "audio": pcm(10, 16000)}
FLUSH = {"type": "input_audio.flush"}
END = {"type": "input_audio.end"}


def golden(**query: str) -> Golden:
    dialect = Mistral.from_query({"model": "voxtral-mini-latest", **query}, context())
    return Golden(dialect, TypeAdapter(ServerEvent))


def shown(encoding: str = "pcm_s16le", rate_hz: int = 16000, delay_ms: int = 480) -> dict[str, Any]:
    return {
        "request_id": "req_1",
        "model": "embedded",
        "audio_format": {"encoding": encoding, "sample_rate": rate_hz},
        "target_streaming_delay_ms": delay_ms,
        "turn_detection": None,
    }


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": session}


def configure(play: Golden, message: dict[str, Any]) -> list[dict[str, Any] | Close]:
    [request] = play.hears(message)
    assert isinstance(request, Configure)
    return play.says(Configured(request.settings, request.ref))


def segment(text: str, *, in_list: bool = False) -> dict[str, Any]:
    name = "transcription_segment" if in_list else "transcription.segment"
    return {"type": name, "text": text, "start": 0.0, "end": 1.5}


def done(*texts: str, n_finals: int = 1) -> dict[str, Any]:
    n_tokens = 10 * n_finals
    return {
        "type": "transcription.done",
        "model": "embedded",
        "text": " ".join(texts),
        "language": None,
        "segments": [segment(text, in_list=True) for text in texts],
        "usage": {
            "prompt_tokens": n_tokens,
            "completion_tokens": n_tokens,
            "total_tokens": 2 * n_tokens,
            "prompt_audio_seconds": round(1.5 * n_finals),
        },
    }


def test_two_turns_with_a_flush_each() -> None:
    play = golden()
    assert play.dialect.settings == SessionSettings(AudioFormat(rate_hz=16000), endpoint=None)
    assert play.greets() == [{"type": "session.created", "session": shown()}]
    for number, text in enumerate(["one", "two"]):
        assert play.hears(APPEND) == [Audio(bytes(320))]
        said = play.says(partial(number, text))
        assert said == [{"type": "transcription.text.delta", "text": text}]
        assert play.hears(FLUSH) == [Commit()]
        assert play.says(Committed(number, CloseReason.COMMIT)) == []
        assert play.says(final(number, text)) == [segment(text), done(text)]
    assert play.hears(END) == [Finish()]
    assert play.says(Ended(CloseReason.END, 3.0)) == [Close(1000, "end")]


def test_audio_that_ends_without_a_flush_is_done_once() -> None:
    play = golden()
    play.hears(APPEND)
    play.hears(END)
    assert play.says(final(0, "one", CloseReason.END)) == [segment("one"), done("one")]
    assert play.says(Ended(CloseReason.END, 1.5)) == [Close(1000, "end")]


@pytest.mark.parametrize("is_heard_first", [False, True])
def test_silence_after_a_flush_is_done_whenever_that_was_answered(is_heard_first: bool) -> None:
    play = golden()
    flushed = [segment("one"), done("one")]
    play.hears(APPEND)
    play.hears(FLUSH)
    if is_heard_first:
        assert play.says(final(0, "one")) == flushed
    play.hears(APPEND)
    play.hears(END)
    if not is_heard_first:
        assert play.says(final(0, "one")) == flushed
    told, close = play.says(Ended(CloseReason.END, 3.0))  # a detector found nobody speaking
    assert isinstance(told, dict)
    assert (told["type"], told["text"]) == ("transcription.done", "")
    assert close == Close(1000, "end")


def test_a_stream_of_nothing_is_done_too() -> None:
    play = golden()
    play.hears(END)
    told, close = play.says(Ended(CloseReason.END, 0.0))
    assert told == {**done(), "usage": dict.fromkeys(done()["usage"], 0)}
    assert close == Close(1000, "end")


def test_a_flush_of_silence_is_done_without_a_segment() -> None:
    play = golden()
    play.hears(APPEND)
    assert play.says(final(0, "")) == [done()]


def test_a_segment_that_became_too_long_ends_no_turn() -> None:
    play = golden()
    play.says(partial(0, "one"))
    assert play.says(final(0, "one", CloseReason.LIMIT)) == [segment("one")]
    [told] = play.says(partial(1, "two"))
    assert told == {"type": "transcription.text.delta", "text": " two"}
    assert play.says(final(1, "two")) == [segment("two"), done("one", "two", n_finals=2)]


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("pcm_s16le", Encoding.PCM16),
        ("pcm_f32le", Encoding.FLOAT32),
        ("pcm_mulaw", Encoding.MULAW),
        ("pcm_alaw", Encoding.ALAW),
    ],
)
def test_formats(encoding: str, expected: Encoding) -> None:
    play = golden()
    form = {"encoding": encoding, "sample_rate": 8000}
    [told] = configure(play, update(audio_format=form))
    assert told == {"type": "session.updated", "session": shown(encoding, 8000)}
    assert play.dialect.settings.format == AudioFormat(expected, 8000)


def test_updates_are_partial_and_null_brings_the_default_delay_back() -> None:
    play = golden()
    configure(play, update(audio_format={"encoding": "pcm_s16le", "sample_rate": 24000}))
    [told] = configure(play, update(target_streaming_delay_ms=960))
    assert told == {"type": "session.updated", "session": shown(rate_hz=24000, delay_ms=960)}
    [told] = configure(play, update(target_streaming_delay_ms=None, audio_format=None))
    assert told == {"type": "session.updated", "session": shown(rate_hz=24000)}


NEAREST_MS = [(1, 80), (500, 480), (1000, 960), (1190, 1200), (1800, 1200), (1801, 2400)]


@pytest.mark.parametrize(("asked_ms", "taken_ms"), [*NEAREST_MS, (10**30, 2400)])
def test_the_nearest_delay_is_taken_and_that_is_said(asked_ms: int, taken_ms: int) -> None:
    play = golden()
    updated, warning = configure(play, update(target_streaming_delay_ms=asked_ms))
    assert updated == {"type": "session.updated", "session": shown(delay_ms=taken_ms)}
    assert play.dialect.settings.delay_ms == taken_ms
    assert isinstance(warning, dict)
    assert warning["warning"]["code"] == "unsupported_value"
    assert warning["warning"]["params"] == ["session.target_streaming_delay_ms"]
    assert f"got {asked_ms}; {taken_ms} is nearest" in warning["warning"]["message"]


def test_the_address_may_choose_the_delay() -> None:
    play = golden(target_streaming_delay_ms="800")
    assert play.dialect.settings.delay_ms == 800
    assert play.greets() == [{"type": "session.created", "session": shown(delay_ms=800)}]
    form = {"encoding": "pcm_s16le", "sample_rate": 8000}
    [told] = configure(play, update(audio_format=form))
    assert told == {"type": "session.updated", "session": shown(rate_hz=8000, delay_ms=800)}


def test_what_the_address_asks_for_in_vain_is_said() -> None:
    created, delay, ignored = golden(target_streaming_delay_ms="1000", language="de").greets()
    assert created["session"] == shown(delay_ms=960)
    assert delay["warning"]["params"] == ["target_streaming_delay_ms"]
    assert ignored["warning"]["params"] == ["language"]


@pytest.mark.parametrize("delay", ["", "soon", "0", "-80", "480.5"])
def test_an_address_with_a_delay_that_is_none_is_refused(delay: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        golden(target_streaming_delay_ms=delay)
    assert caught.value.param == "target_streaming_delay_ms"


def test_fields_that_are_not_supported_are_named() -> None:
    _, told = configure(
        golden(), update(language="de", diarize=True, context_bias=["x"], speaker_references=None)
    )
    assert isinstance(told, dict)
    assert told["type"] == "warning"
    assert told["warning"]["params"] == [
        "session.language",
        "session.diarize",
        "session.context_bias",
    ]


def test_turns_are_told_and_only_a_flush_is_done() -> None:
    play = golden()
    wanted = {"start_threshold": 0.6, "min_silence_ms": 700, "eager_end_threshold": 0.5}
    updated, warning = configure(play, update(turn_detection=wanted))
    assert isinstance(updated, dict)
    assert updated["session"]["turn_detection"] == {"start_threshold": 0.6, "min_silence_ms": 700}
    assert isinstance(warning, dict)
    assert warning["warning"]["params"] == ["session.turn_detection.eager_end_threshold"]
    assert play.dialect.settings.endpoint == VadEndpoint(threshold=0.6, silence_ms=700)
    assert play.says(SpeechStarted(0, 0.5)) == [{"type": "turn.start", "time_s": 0.5}]
    stopped = {"type": "turn.end", "time_s": 1.5, "end_reason": "threshold"}
    assert play.says(SpeechStopped(0, 1.5)) == [stopped]
    assert play.says(final(0, "one", CloseReason.ENDPOINT)) == [segment("one")]
    assert play.says(final(1, "")) == [done("one", n_finals=2)]


def test_a_refused_update_changes_nothing() -> None:
    play = golden()
    [request] = play.hears(update(target_streaming_delay_ms=960))
    assert isinstance(request, Configure)
    refusal = RequestRefused(InvalidRequestError("no such delay"), request.ref)
    [told] = play.says(refusal)
    assert told == {"type": "error", "error": {"message": "no such delay", "code": 400}}
    [told] = configure(play, update(audio_format={"encoding": "pcm_alaw", "sample_rate": 8000}))
    assert told == {"type": "session.updated", "session": shown("pcm_alaw", 8000)}


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ({"type": "input_audio.append", "audio": "!"}, "invalid_audio", "audio"),
        (
            update(target_streaming_delay_ms=-1),
            "invalid_value",
            "session.target_streaming_delay_ms",
        ),
        (
            update(audio_format={"encoding": "pcm_f16le", "sample_rate": 8000}),
            "invalid_value",
            "session.audio_format.encoding",
        ),
        (
            update(turn_detection={"start_threshold": 2}),
            "invalid_value",
            "session.turn_detection.start_threshold",
        ),
        ({"type": "input_audio.stop"}, "unknown_event", "type"),
        ({}, "unknown_event", "type"),
    ],
)
def test_what_is_wrong_is_refused(message: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        golden().hears(message)
    assert (wire_code(caught.value), caught.value.param) == (code, param)


def test_a_session_is_not_updated_once_audio_came() -> None:
    play = golden()
    play.hears(APPEND)
    with pytest.raises(InvalidRequestError, match="before its first audio"):
        play.hears(update(target_streaming_delay_ms=960))


@pytest.mark.parametrize(
    ("error", "code", "close"),
    [
        (RowFaultError("broken"), 500, Close(1011, "row_fault")),
        (CapacityError("broken"), 503, Close(1013, "at_capacity")),
    ],
)
def test_a_session_that_fails_says_so_and_is_not_done(
    error: VoxwireError, code: int, close: Close
) -> None:
    play = golden()
    play.hears(APPEND)
    assert play.says(final(0, "half", CloseReason.ERROR)) == [segment("half")]
    assert play.says(Ended(CloseReason.ERROR, 1.0, error)) == [
        {"type": "error", "error": {"message": "broken", "code": code}},
        close,
    ]


def test_warnings_and_draining_are_told_and_lag_is_not() -> None:
    play = golden()
    for event in (Warned("slow_reader", "read faster"), Draining(30.0)):
        [told] = play.says(event)
        assert isinstance(told, dict)
        assert told["type"] == "warning"
    assert play.says(Lag(1, 2, 3, 0.5)) == []


TYPES = ["session.update", "input_audio.append", "input_audio.flush", "input_audio.end", "x"]
FIELDS: dict[str, Any] = {
    "audio": [pcm(9), "", "AAA"],
    "session": [
        {},
        {"audio_format": {"encoding": "pcm_alaw", "sample_rate": 8000}},
        {"audio_format": {"encoding": "pcm_alaw", "sample_rate": 1}},
        {"target_streaming_delay_ms": 960, "language": "de"},
        {"turn_detection": {"min_silence_ms": 100, "end_timeout_ms": 5}},
    ],
}
steps: st.SearchStrategy[Step] = messages(TYPES, FIELDS) | events


@given(st.lists(steps, max_size=12))
def test_everything_is_answered_in_its_own_words(said: list[Step]) -> None:
    play(Mistral.from_query({}, context()), said, TypeAdapter(ServerEvent))
