"""Golden transcripts of Wyoming's speech to text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.fuzz import events
from tests.protocol.golden import final, partial
from voxwire.protocol.dialect import Close
from voxwire.protocol.errors import InvalidRequestError, RowFaultError
from voxwire.protocol.session import (
    Audio,
    AudioFormat,
    CloseReason,
    Ended,
    Event,
    Finish,
    SessionSettings,
)
from voxwire.protocol.wyoming.dialect import Answer, Begin, Described, Wyoming
from voxwire.protocol.wyoming.framing import EventReader, WyomingEvent

DESCRIBED = Described("embedded", "1.2.3", ("en", "de"))
FORMAT = {"rate": 16000, "width": 2, "channels": 1}
START = WyomingEvent("audio-start", {**FORMAT, "timestamp": None})
CHUNK = WyomingEvent("audio-chunk", {**FORMAT, "timestamp": 0}, b"\1\2\3\4")
STOP = WyomingEvent("audio-stop", {"timestamp": None})
BEGIN = Begin(SessionSettings(format=AudioFormat(), endpoint=None))


def words(told: list[WyomingEvent | Close]) -> list[Any]:
    """Return events as their types and texts."""
    return [one if isinstance(one, Close) else (one.type, one.data.get("text", "")) for one in told]


def test_one_utterance_after_another() -> None:
    dialect = Wyoming(DESCRIBED)
    for said in ("yes no", "up down"):
        assert dialect.receive(WyomingEvent("transcribe", {"language": "en"})) == ()
        assert dialect.receive(START) == [BEGIN]
        assert dialect.receive(CHUNK) == [Audio(CHUNK.payload)]
        first, second = said.split(" ")
        assert words([*dialect.tell(partial(0, first))]) == [
            ("transcript-start", ""),
            ("transcript-chunk", first),
        ]
        assert words([*dialect.tell(partial(0, f" {second}", said))]) == [
            ("transcript-chunk", f" {second}")
        ]
        assert dialect.receive(STOP) == [Finish()]
        assert dialect.tell(final(0, said, CloseReason.END)) == ()
        assert words([*dialect.tell(Ended(CloseReason.END, 1.0))]) == [
            ("transcript", said),
            ("transcript-stop", ""),
        ]


def test_an_utterance_without_a_word_has_a_transcript_too() -> None:
    dialect = Wyoming(DESCRIBED)
    assert [*dialect.receive(START), *dialect.receive(STOP)] == [BEGIN, Finish()]
    assert words([*dialect.tell(Ended(CloseReason.END, 0.0))]) == [
        ("transcript-start", ""),
        ("transcript", ""),
        ("transcript-stop", ""),
    ]


def test_segments_that_were_too_long_for_one_are_one_transcript() -> None:
    dialect = Wyoming(DESCRIBED)
    dialect.receive(START)
    chunks = []
    for segment, text in enumerate(["yes no", "up"]):
        chunks += [*dialect.tell(partial(segment, text))]
        dialect.tell(final(segment, text, CloseReason.LIMIT))
    told = "".join(text for kind, text in words(chunks) if kind == "transcript-chunk")
    assert told == "yes no up"
    assert ("transcript", "yes no up") in words([*dialect.tell(Ended(CloseReason.END, 1.0))])


def test_audio_that_no_start_announced_begins_an_utterance() -> None:
    assert Wyoming(DESCRIBED).receive(CHUNK) == [BEGIN, Audio(CHUNK.payload)]


def test_the_server_tells_what_it_is_in_and_between_utterances() -> None:
    dialect = Wyoming(DESCRIBED)
    (answer,) = dialect.receive(WyomingEvent("describe"))
    assert isinstance(answer, Answer)
    (program,) = answer.event.data["asr"]
    assert program["supports_transcript_streaming"] is True
    (model,) = program["models"]
    assert (model["name"], model["languages"], model["version"]) == (
        "embedded",
        ["en", "de"],
        "1.2.3",
    )
    dialect.receive(START)
    pong = Answer(WyomingEvent("pong", {"text": "hello"}))
    assert dialect.receive(WyomingEvent("ping", {"text": "hello"})) == [pong]


def test_what_is_not_understood_is_ignored() -> None:
    for kind in ("select-program", "transcribe", "transcript", "nonsense", ""):
        assert Wyoming(DESCRIBED).receive(WyomingEvent(kind)) == ()


@pytest.mark.parametrize(
    ("heard", "message"),
    [
        ([STOP], "expected audio-start first"),
        ([START, START], "expected audio-stop first"),
        ([START, WyomingEvent("audio-chunk", {**FORMAT, "rate": 8000})], "as it began"),
        ([WyomingEvent("audio-start", {**FORMAT, "width": 4})], "width"),
        ([WyomingEvent("audio-start", {**FORMAT, "rate": 4000})], "sample rate"),
        ([WyomingEvent("audio-start", {**FORMAT, "channels": 9})], "channels"),
        ([WyomingEvent("audio-start")], "expected rate, got nothing"),
    ],
)
def test_what_is_wrong_is_refused_with_what_was_expected(
    heard: list[WyomingEvent], message: str
) -> None:
    dialect = Wyoming(DESCRIBED)
    for event in heard[:-1]:
        dialect.receive(event)
    with pytest.raises(InvalidRequestError, match=message):
        dialect.receive(heard[-1])


def test_a_client_whose_session_failed_is_told_and_does_not_wait_for_ever() -> None:
    dialect = Wyoming(DESCRIBED)
    dialect.receive(START)
    error, close = dialect.tell(Ended(CloseReason.ERROR, 1.0, RowFaultError("broken")))
    assert error == WyomingEvent("error", {"text": "broken", "code": "row_fault"})
    assert isinstance(close, Close)


def test_a_session_that_the_server_ended_is_told_and_closed() -> None:
    dialect = Wyoming(DESCRIBED)
    dialect.receive(START)
    told = words([*dialect.tell(Ended(CloseReason.SHUTDOWN, 1.0))])
    assert told[:-1] == [("transcript-start", ""), ("transcript", ""), ("transcript-stop", "")]
    assert isinstance(told[-1], Close)


TYPES = ["describe", "ping", "transcribe", "audio-start", "audio-chunk", "audio-stop", "other"]
heard_events = st.builds(
    WyomingEvent,
    st.sampled_from(TYPES),
    st.sampled_from([{}, FORMAT, {**FORMAT, "rate": 8000}, {"rate": "x"}, {"text": []}]),
    st.binary(max_size=8),
)


@given(st.lists(heard_events | events, max_size=12))
def test_anything_in_any_order_is_answered_in_wyomings_words(steps: list[Any]) -> None:
    dialect = Wyoming(DESCRIBED)
    for step in steps:
        if isinstance(step, WyomingEvent):
            try:
                dialect.receive(step)
            except InvalidRequestError:
                return  # the connection closes
        else:
            _check(dialect, step)


def _check(dialect: Wyoming, event: Event) -> None:
    for one in dialect.tell(event):
        if isinstance(one, WyomingEvent):
            assert list(EventReader(0).feed(one.encode())) == [one]
