"""Golden transcripts of `/v1/listen`: what Deepgram's clients send, and what they are told."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.protocol.golden import Golden, context, final, partial
from voxwire.protocol.deepgram.dialect import Deepgram
from voxwire.protocol.deepgram.messages import ServerMessage
from voxwire.protocol.dialect import Close
from voxwire.protocol.errors import IdleError, InvalidRequestError, RowFaultError, ShutdownError
from voxwire.protocol.session import (
    Audio,
    CloseReason,
    Commit,
    Committed,
    Ended,
    Event,
    Final,
    Finish,
    HeardWord,
    KeepAlive,
    Lag,
    Partial,
    Received,
    Reply,
    RequestRefused,
    Score,
    SpeechStarted,
)
from voxwire.protocol.transcript import Word

WIRE: TypeAdapter[Any] = TypeAdapter(ServerMessage)
RAW = {"encoding": "linear16", "sample_rate": "16000"}
SECOND = bytes(32_000)


def client(**query: str) -> Golden:
    return Golden(Deepgram.from_query({**RAW, **query}, context()), WIRE)


def one(golden: Golden, event: Event) -> dict[str, Any]:
    (told,) = golden.says(event)
    assert isinstance(told, dict)
    return told


def spoken(text: str, reason: CloseReason = CloseReason.ENDPOINT, end_s: float = 2.4) -> Final:
    """Return a segment with words that end at 0.5 s, 1.0 s, ..."""
    words = [
        HeardWord(Word(text=word, start_s=0.5 * i, end_s=0.5 * i + 0.5), 0.75)
        for i, word in enumerate(text.split())
    ]
    return Final(0, reason, text, tuple(words), 0.0, end_s)


def test_a_conversation_from_the_first_byte_to_the_summary() -> None:
    golden = client(interim_results="true")
    assert golden.greets() == []
    assert golden.dialect.receive(SECOND) == [Audio(SECOND)]
    interim = one(golden, partial(0, "Yes", scores=(Score(b"Yes", 0.0),)))
    assert (interim["is_final"], interim["speech_final"], interim["from_finalize"]) == (
        False,
        False,
        False,
    )
    assert interim["channel"] == {
        "alternatives": [{"transcript": "Yes", "confidence": 1.0, "words": []}]
    }
    assert (interim["start"], interim["duration"]) == (0.0, 1.0)
    told = one(golden, spoken("Yes, no."))
    assert told == {
        "type": "Results",
        "channel_index": [0, 1],
        "start": 0.0,
        "duration": 2.4,
        "is_final": True,
        "speech_final": True,
        "from_finalize": False,
        "channel": {
            "alternatives": [
                {
                    "transcript": "Yes, no.",
                    "confidence": 0.75,
                    "words": [
                        {
                            "word": "yes",
                            "punctuated_word": "Yes,",
                            "start": 0.0,
                            "end": 0.5,
                            "confidence": 0.75,
                        },
                        {
                            "word": "no",
                            "punctuated_word": "no.",
                            "start": 0.5,
                            "end": 1.0,
                            "confidence": 0.75,
                        },
                    ],
                }
            ]
        },
        "metadata": {
            "request_id": "req_1",
            "model_info": {"name": "embedded", "version": "", "arch": "voxtral-realtime"},
            "model_uuid": told["metadata"]["model_uuid"],
        },
    }
    assert golden.hears({"type": "CloseStream"}) == [Finish()]
    summary, close = golden.says(Ended(CloseReason.END, 1.0))
    assert isinstance(summary, dict)
    uuid = told["metadata"]["model_uuid"]
    assert summary == {
        "type": "Metadata",
        "transaction_key": "deprecated",
        "request_id": "req_1",
        "sha256": hashlib.sha256(SECOND).hexdigest(),
        "created": "2025-11-25T22:50:00.500Z",
        "duration": 1.0,
        "channels": 1,
        "models": [uuid],
        "model_info": {uuid: told["metadata"]["model_info"]},
    }
    assert close == Close(1000, "end")


def test_a_finalize_is_answered_by_one_result_even_where_nothing_was_said() -> None:
    golden = client()
    assert golden.hears({"type": "Finalize"}) == [Commit()]
    assert golden.says(Committed(0, CloseReason.COMMIT)) == []
    told = one(golden, final(0, ""))
    assert told["from_finalize"] is told["is_final"] is told["speech_final"] is True
    assert told["channel"]["alternatives"][0]["transcript"] == ""


@pytest.mark.parametrize(
    ("endpointing", "reason", "speech_final"),
    [
        ("true", CloseReason.ENDPOINT, True),
        ("false", CloseReason.ENDPOINT, False),
        ("true", CloseReason.LIMIT, False),
        ("true", CloseReason.ERROR, False),
        ("false", CloseReason.COMMIT, True),
        ("false", CloseReason.END, True),
    ],
)
def test_speech_is_over_at_pauses_and_where_the_client_says_so(
    endpointing: str, reason: CloseReason, speech_final: bool
) -> None:
    told = one(client(endpointing=endpointing), final(0, "yes", reason))
    assert told["is_final"] is True
    assert told["speech_final"] is speech_final


def test_interim_results_come_to_who_asks_for_them_only() -> None:
    assert client().says(partial(0, "yes")) == []
    assert len(client(interim_results="true").says(partial(0, "yes"))) == 1


def test_an_interim_result_covers_what_no_final_one_did() -> None:
    golden = client(interim_results="true", vad_events="true")
    golden.says(final(0, "yes", span_s=(0.0, 0.4)))
    told = one(golden, partial(1, "no"))
    assert (told["start"], told["duration"]) == (0.4, 0.6)
    golden.says(SpeechStarted(1, 0.7))
    told = one(golden, partial(1, "no"))
    assert (told["start"], told["duration"]) == (0.7, 0.3)


def test_an_interim_result_begins_with_its_turn_where_the_next_one_is_known_already() -> None:
    golden = client(interim_results="true", endpointing="300")
    for n, at_s in enumerate((0.2, 6.5)):  # audio that came at once
        assert golden.says(SpeechStarted(n, at_s)) == []  # no events of speech were asked for
    assert one(golden, partial(0, "yes"))["start"] == 0.2
    golden.says(final(0, "yes", span_s=(0.2, 3.0)))
    assert one(golden, Partial(1, "no", "no", at_s=7.0))["start"] == 6.5


def test_the_confidence_of_an_interim_result_is_that_of_all_its_text() -> None:
    golden = client(interim_results="true")
    one(golden, partial(0, "yes", scores=(Score(b"yes", math.log(0.2)),)))
    told = one(golden, partial(0, " no", "yes no", scores=(Score(b" no", math.log(0.8)),)))
    assert told["channel"]["alternatives"][0]["confidence"] == pytest.approx(0.4, abs=1e-4)
    golden.says(final(0, "yes no"))
    told = one(golden, partial(1, "up", scores=(Score(b"up", math.log(0.9)),)))
    assert told["channel"]["alternatives"][0]["confidence"] == pytest.approx(0.9, abs=1e-4)


def test_control_messages_ask_for_what_they_say() -> None:
    golden = client()
    assert golden.hears({"type": "KeepAlive"}) == [KeepAlive()]
    assert golden.dialect.receive(b"") == [Finish()]  # Deepgram's old way to close
    (success,) = golden.hears({"type": "Configure"})
    (failure,) = golden.hears({"type": "Configure", "keyterms": ["voxwire"]})
    assert isinstance(success, Reply)
    assert isinstance(failure, Reply)
    assert json.loads(success.message)["type"] == "ConfigureSuccess"
    assert json.loads(failure.message)["code"] == "CONFIGURE_KEYTERMS_NOT_SUPPORTED"


@pytest.mark.parametrize(
    ("message", "variant"),
    [("no json", "SchemaError"), ("[]", "SchemaError"), ('{"type": "Dance"}', "SchemaError")],
)
def test_a_message_that_is_none_is_told_and_costs_nothing_else(message: str, variant: str) -> None:
    golden = client()
    with pytest.raises(InvalidRequestError) as caught:
        golden.dialect.receive(message)
    told = one(golden, RequestRefused(caught.value))
    assert (told["type"], told["variant"]) == ("Error", variant)


@pytest.mark.parametrize(
    ("error", "close"),
    [
        (IdleError("asleep"), Close(1011, "NET-0001")),
        (RowFaultError("broken"), Close(1011, "row_fault")),
        (ShutdownError("down"), Close(1012, "shutdown")),
    ],
)
def test_a_session_that_fails_says_why_and_closes_with_a_code(error: Any, close: Close) -> None:
    told = client().says(Ended(CloseReason.ERROR, 1.0, error))
    kinds = [item["type"] if isinstance(item, dict) else item for item in told]
    assert kinds == ["Error", "Metadata", close]


def test_speech_that_starts_is_told_with_its_time() -> None:
    told = one(client(vad_events="true"), SpeechStarted(0, 1.25))
    assert told == {"type": "SpeechStarted", "channel": [0, 1], "timestamp": 1.25}


def test_an_utterance_ends_once_when_no_word_came_for_long_enough() -> None:
    golden = client(utterance_end_ms="1000", interim_results="true")
    golden.says(spoken("yes no", end_s=1.8))
    assert golden.says(Lag(2000, 1900, 1900, 0.1)) == []
    assert one(golden, Lag(3000, 2900, 2900, 0.1)) == {
        "type": "UtteranceEnd",
        "channel": [0, 1],
        "last_word_end": 1.0,
    }
    assert golden.says(Lag(9000, 8900, 8900, 0.1)) == []


def test_an_utterance_that_goes_on_has_not_ended() -> None:
    golden = client(utterance_end_ms="1000", interim_results="true")
    golden.says(spoken("yes no", end_s=1.8))
    golden.says(partial(1, "maybe"))
    assert golden.says(Lag(9000, 8900, 8900, 0.1)) == []


def test_a_pause_as_long_as_that_ends_the_utterance_with_its_last_result() -> None:
    golden = client(utterance_end_ms="1000")
    kinds = [told["type"] for told in golden.says(spoken("yes no")) if isinstance(told, dict)]
    assert kinds == ["Results", "UtteranceEnd"]


def test_between_turns_of_speech_the_audio_that_was_heard_is_the_clock() -> None:
    golden = client(utterance_end_ms="1000", vad_events="true")
    golden.says(SpeechStarted(0, 0.1))
    golden.says(Received(len(SECOND), 0))
    golden.says(spoken("yes no", end_s=1.6))
    told = one(golden, Received(2 * len(SECOND), 0))
    assert (told["type"], told["last_word_end"]) == ("UtteranceEnd", 1.0)
    assert golden.says(Received(3 * len(SECOND), 0)) == []


def test_audio_that_came_but_was_not_yet_heard_ends_no_utterance() -> None:
    golden = client(utterance_end_ms="1000", vad_events="true")
    golden.says(spoken("yes no", end_s=1.6))
    for _ in range(9):
        assert golden.dialect.receive(SECOND) == [Audio(SECOND)]


def test_a_turn_that_began_later_than_that_shows_that_the_utterance_was_over() -> None:
    golden = client(utterance_end_ms="1000", vad_events="true")
    golden.says(SpeechStarted(1, 4.0))  # heard before all of the turn before it is written
    kinds = [told["type"] for told in golden.says(spoken("yes")) if isinstance(told, dict)]
    assert kinds == ["Results", "UtteranceEnd"]


def test_of_the_turns_that_are_told_already_the_next_one_counts() -> None:
    golden = client(utterance_end_ms="1000", vad_events="true")
    for n, at_s in enumerate((0.2, 1.9, 5.0)):  # audio that came at once
        golden.says(SpeechStarted(n, at_s))
    golden.says(Received(9 * len(SECOND), 0))
    first = golden.says(spoken("yes no", end_s=1.6))  # its last word ends at 1.0
    yes = HeardWord(Word(text="yes", start_s=2.0, end_s=2.4), 0.75)
    second = golden.says(Final(1, CloseReason.ENDPOINT, "yes", (yes,), 1.9, 3.0))
    kinds = [[told["type"] for told in each if isinstance(told, dict)] for each in (first, second)]
    assert kinds == [["Results"], ["Results", "UtteranceEnd"]]


def test_parameters_without_effect_are_named_in_each_result_and_the_summary() -> None:
    golden = client(diarize="true")
    warning = {
        "parameter": "diarize",
        "type": "unsupported_parameter",
        "message": "has no effect here",
    }
    assert one(golden, final(0, "yes"))["metadata"]["warnings"] == [warning]
    summary = golden.says(Ended(CloseReason.END, 1.0))[0]
    assert isinstance(summary, dict)
    assert summary["warnings"] == [warning]
