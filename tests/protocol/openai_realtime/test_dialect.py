"""Golden transcripts of OpenAI's Realtime API: what a client sends, and what it is told."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.protocol.golden import CREATED_S, Golden, context, final, partial, pcm
from voxwire.protocol.dialect import Close
from voxwire.protocol.errors import (
    CapacityError,
    InvalidRequestError,
    RowFaultError,
    ShutdownError,
    UnauthorizedError,
)
from voxwire.protocol.messages import wire_code
from voxwire.protocol.openai_realtime.dialect import OpenAIRealtime
from voxwire.protocol.openai_realtime.items import MAX_HISTORY
from voxwire.protocol.openai_realtime.server_events import ServerEvent
from voxwire.protocol.session import (
    Audio,
    AudioFormat,
    Clear,
    Cleared,
    CloseReason,
    Commit,
    Committed,
    Configure,
    Configured,
    Draining,
    Encoding,
    Ended,
    Lag,
    Reply,
    RequestRefused,
    Score,
    SessionSettings,
    SpeechStarted,
    SpeechStopped,
    VadEndpoint,
    Warned,
)

TRANSCRIPTION = "conversation.item.input_audio_transcription"
NO_TURNS = {"type": "session.update", "session": {"audio": {"input": {"turn_detection": None}}}}


def golden(**query: str) -> Golden:
    return Golden(OpenAIRealtime.from_query(query, context()), TypeAdapter(ServerEvent))


def append(milliseconds: int) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": pcm(milliseconds)}


def item(number: int, transcript: str | None) -> dict[str, Any]:
    return {
        "id": f"item_{number}",
        "object": "realtime.item",
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": transcript}],
    }


def committed(number: int, previous: str | None) -> list[dict[str, Any]]:
    name = f"item_{number}"
    return [
        {
            "type": "input_audio_buffer.committed",
            "item_id": name,
            "previous_item_id": previous,
        },
        {
            "type": "conversation.item.added",
            "previous_item_id": previous,
            "item": item(number, None),
        },
    ]


def completed(number: int, previous: str | None, text: str) -> list[dict[str, Any]]:
    return [
        {
            "type": f"{TRANSCRIPTION}.completed",
            "item_id": f"item_{number}",
            "content_index": 0,
            "transcript": text,
            "usage": {"type": "duration", "seconds": 1.5},
            "logprobs": None,
        },
        {
            "type": "conversation.item.done",
            "previous_item_id": previous,
            "item": item(number, text),
        },
    ]


def delta(number: int, text: str) -> dict[str, Any]:
    return {
        "type": f"{TRANSCRIPTION}.delta",
        "item_id": f"item_{number}",
        "content_index": 0,
        "delta": text,
        "logprobs": None,
    }


def refused(play: Golden, message: dict[str, Any]) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        play.hears({"event_id": "mine", **message})
    assert caught.value.ref == "mine"
    return caught.value


def configure(play: Golden, message: dict[str, Any]) -> list[dict[str, Any] | Close]:
    """Send an update and let the session take it; return the answer."""
    [request] = play.hears(message)
    assert isinstance(request, Configure)
    return play.says(Configured(request.settings, request.ref))


def test_a_session_begins_at_24_khz_with_turns_by_voice_activity() -> None:
    play = golden(model="gpt-4o-transcribe")
    assert play.dialect.settings == SessionSettings(
        AudioFormat(Encoding.PCM16, 24000), None, VadEndpoint(0.5, 300, 500)
    )
    assert play.greets() == [
        {
            "type": "session.created",
            "id": "sess_1",
            "created": int(CREATED_S),
            "session": {
                "id": "sess_1",
                "object": "realtime.transcription_session",
                "type": "transcription",
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 24000},
                        "noise_reduction": None,
                        "transcription": {
                            "model": "embedded",
                            "delay": None,
                            "language": None,
                            "prompt": None,
                        },
                        "turn_detection": {
                            "type": "server_vad",
                            "threshold": 0.5,
                            "prefix_padding_ms": 300,
                            "silence_duration_ms": 500,
                        },
                    }
                },
                "include": None,
                "ignored": [],
            },
        }
    ]


def test_two_turns_by_voice_activity() -> None:
    play = golden(intent="transcription")
    play.greets()
    assert play.hears(append(100)) == [Audio(bytes(4800))]
    assert play.says(SpeechStarted(0, 0.34)) == [
        {
            "type": "input_audio_buffer.speech_started",
            "audio_start_ms": 340,
            "item_id": "item_1",
        }
    ]
    assert play.says(partial(0, "one")) == [delta(1, "one")]
    assert play.says(SpeechStopped(0, 1.5)) == [
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 1500, "item_id": "item_1"}
    ]
    assert play.says(Committed(0, CloseReason.ENDPOINT)) == committed(1, None)
    assert play.says(SpeechStarted(1, 1.6))[0]["item_id"] == "item_2"  # type: ignore[index]
    assert play.says(partial(0, " two", "one two")) == [delta(1, " two")]
    assert play.says(final(0, "one two", CloseReason.ENDPOINT)) == completed(1, None, "one two")
    assert play.says(Committed(1, CloseReason.ENDPOINT)) == committed(2, "item_1")
    assert play.says(final(1, "", CloseReason.ENDPOINT)) == completed(2, "item_1", "")


def test_manual_commits_are_answered_one_by_one() -> None:
    play = golden()
    configure(play, NO_TURNS)
    play.hears(append(150))
    assert play.hears({"type": "input_audio_buffer.commit", "event_id": "c1"}) == [Commit("c1")]
    assert play.says(Committed(0, CloseReason.COMMIT)) == committed(1, None)
    assert play.says(partial(0, "yes")) == [delta(1, "yes")]
    assert play.says(final(0, "yes")) == completed(1, None, "yes")
    play.hears(append(150))
    assert play.hears({"type": "input_audio_buffer.commit"}) == [Commit()]
    assert play.says(Committed(1, CloseReason.COMMIT)) == committed(2, "item_1")
    assert play.says(final(1, "")) == completed(2, "item_1", "")


def test_less_than_100_ms_cannot_be_committed() -> None:
    play = golden()
    error = refused(play, {"type": "input_audio_buffer.commit"})
    assert wire_code(error) == "input_audio_buffer_commit_empty"
    assert "0.00ms" in error.message
    play.hears(append(99))
    assert "99.00ms" in refused(play, {"type": "input_audio_buffer.commit"}).message
    play.hears(append(1))
    assert play.hears({"type": "input_audio_buffer.commit"}) == [Commit()]
    refused(play, {"type": "input_audio_buffer.commit"})
    play.hears(append(1000))
    assert play.hears({"type": "input_audio_buffer.clear", "event_id": "x"}) == [Clear("x")]
    refused(play, {"type": "input_audio_buffer.commit"})


def test_what_voice_activity_committed_cannot_be_committed_again() -> None:
    play = golden()
    play.hears(append(2000))
    play.says(SpeechStarted(0, 0.0))
    play.says(SpeechStopped(0, 1.95))
    assert "50.00ms" in refused(play, {"type": "input_audio_buffer.commit"}).message
    play.hears(append(60))
    assert play.hears({"type": "input_audio_buffer.commit"}) == [Commit()]


def test_an_item_that_was_cleared_fails_and_its_segment_gets_another_id() -> None:
    play = golden()
    configure(play, NO_TURNS)
    play.hears(append(500))
    play.says(partial(0, "wro"))
    failed, cleared = play.says(Cleared("x"))
    assert cleared == {"type": "input_audio_buffer.cleared"}
    assert failed == {
        "type": f"{TRANSCRIPTION}.failed",
        "item_id": "item_1",
        "content_index": 0,
        "error": {
            "type": "invalid_request_error",
            "code": "input_audio_buffer_cleared",
            "message": "the audio was cleared",
            "param": None,
        },
    }
    assert play.says(partial(1, "right")) == [delta(2, "right")]
    assert play.says(Committed(1, CloseReason.COMMIT)) == committed(2, None)


def test_a_turn_without_text_is_cleared_without_a_failure() -> None:
    play = golden()
    play.says(SpeechStarted(0, 0.1))
    assert play.says(Cleared()) == [{"type": "input_audio_buffer.cleared"}]


def test_a_final_without_a_commit_is_committed_first() -> None:
    play = golden()
    play.says(partial(0, "so far"))
    assert play.says(final(0, "so far", CloseReason.SHUTDOWN)) == [
        *committed(1, None),
        *completed(1, None, "so far"),
    ]


def test_a_final_of_nothing_that_nobody_was_told_of_is_not_told() -> None:
    assert golden().says(final(0, "", CloseReason.END)) == []


def test_log_probabilities_come_only_where_they_were_asked_for() -> None:
    scores = (Score(b"\xc3", -0.5), Score(b"ol", -0.25))
    play = golden()
    [told] = play.says(partial(0, "ol", scores=scores))
    assert told["logprobs"] is None  # type: ignore[index]
    include = {"include": ["item.input_audio_transcription.logprobs"]}
    configure(play, {"type": "session.update", "session": include})
    entries = [
        {"token": "\ufffd", "bytes": [0xC3], "logprob": -0.5},
        {"token": "ol", "bytes": [0x6F, 0x6C], "logprob": -0.25},
    ]
    [told] = play.says(partial(0, "ol", scores=scores))
    assert told["logprobs"] == entries  # type: ignore[index]
    *_, told, _ = play.says(final(0, "ol", scores=scores))
    assert told["logprobs"] == entries  # type: ignore[index]


def test_items_can_be_retrieved_and_deleted() -> None:
    play = golden()
    for segment in range(2):
        play.says(Committed(segment, CloseReason.COMMIT))
    play.says(final(0, "zero"))
    retrieve = {"type": "conversation.item.retrieve", "item_id": "item_1"}
    delete = {"type": "conversation.item.delete", "item_id": "item_2"}
    [reply] = play.hears(retrieve)
    assert isinstance(reply, Reply)
    assert '"transcript":"zero"' in str(reply.message)
    [reply] = play.hears(delete)
    assert isinstance(reply, Reply)
    assert '"conversation.item.deleted"' in str(reply.message)
    assert wire_code(refused(play, delete)) == "item_delete_invalid_item_id"
    gone = refused(play, {**retrieve, "item_id": "item_2"})
    assert (wire_code(gone), gone.param) == ("item_retrieve_invalid_item_id", "item_id")
    # Its transcript is told all the same, and the next item follows the one that is left.
    assert play.says(final(1, "one"))[0] == completed(2, "item_1", "one")[0]
    assert play.says(Committed(2, CloseReason.COMMIT))[0] == committed(3, "item_1")[0]


def test_the_oldest_items_are_forgotten() -> None:
    play = golden()
    for segment in range(MAX_HISTORY + 1):
        play.says(Committed(segment, CloseReason.COMMIT))
        play.says(final(segment, "x"))
    refused(play, {"type": "conversation.item.retrieve", "item_id": "item_1"})
    assert play.hears({"type": "conversation.item.retrieve", "item_id": "item_2"})


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ({"type": "response.create"}, "unsupported_event", "type"),
        ({"type": "response.cancel"}, "unsupported_event", "type"),
        ({"type": "output_audio_buffer.clear"}, "unsupported_event", "type"),
        ({"type": "conversation.item.create", "item": {}}, "unsupported_event", "type"),
        ({"type": "conversation.item.truncate"}, "unsupported_event", "type"),
        ({"type": "input_audio_buffer.apend"}, "unknown_event", "type"),
        ({"type": 5}, "missing_required_parameter", "type"),
        ({}, "missing_required_parameter", "type"),
        ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
        ({"type": "input_audio_buffer.append", "audio": 5}, "invalid_value", "audio"),
        ({"type": "input_audio_buffer.append", "audio": "!"}, "invalid_audio", "audio"),
        ({"type": "session.update"}, "missing_required_parameter", "session"),
        ({"type": "conversation.item.delete"}, "missing_required_parameter", "item_id"),
    ],
)
def test_what_is_wrong_is_refused_with_a_code_and_a_param(
    message: dict[str, Any], code: str, param: str
) -> None:
    error = refused(golden(), message)
    assert (wire_code(error), error.param) == (code, param)


@pytest.mark.parametrize(
    "message", ["", "nope", "[1]", "\x00", b"\xff\xfe", "[" * 5000, "9" * 5000]
)
def test_what_is_no_object_is_refused(message: str | bytes) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        golden().dialect.receive(message)
    assert wire_code(caught.value) == "invalid_json"


def test_an_event_may_come_in_a_binary_frame() -> None:
    message = b'{"type": "input_audio_buffer.clear"}'
    assert golden().dialect.receive(message) == [Clear()]


def test_a_refusal_is_told_with_the_clients_own_id() -> None:
    error = InvalidRequestError("expected this, got that", param="audio")
    assert golden().says(RequestRefused(error, "mine")) == [
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "code": "invalid_request",
                "message": "expected this, got that",
                "param": "audio",
                "event_id": "mine",
            },
        }
    ]


def test_a_refused_update_changes_nothing() -> None:
    play = golden()
    slow = {"audio": {"input": {"transcription": {"delay": "high"}}}}
    [request] = play.hears({"type": "session.update", "event_id": "mine", "session": slow})
    assert isinstance(request, Configure)
    refusal = InvalidRequestError("before the first audio only", param="delay_ms")
    [told] = play.says(RequestRefused(refusal, request.ref))
    assert isinstance(told, dict)
    assert told["error"]["event_id"] == "mine"
    assert told["error"]["param"] == "session.audio.input.transcription.delay"
    [request] = play.hears({"type": "session.update", "session": {}})
    assert isinstance(request, Configure)
    assert request.settings == golden().dialect.settings


def test_a_session_that_fails_fails_its_open_items() -> None:
    play = golden()
    play.says(partial(0, "half"))
    assert play.says(final(0, "half", CloseReason.ERROR)) == []
    failed, told, close = play.says(Ended(CloseReason.ERROR, 3.0, RowFaultError("no such row")))
    assert isinstance(failed, dict)
    assert failed["type"] == f"{TRANSCRIPTION}.failed"
    assert failed["item_id"] == "item_1"
    assert isinstance(told, dict)
    assert told["error"] == {
        "type": "server_error",
        "code": "row_fault",
        "message": "no such row",
        "param": None,
        "event_id": None,
    }
    assert close == Close(1011, "row_fault")


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (Ended(CloseReason.END, 1.0), Close(1000, "end")),
        (Ended(CloseReason.SHUTDOWN, 1.0), Close(1012, "shutdown")),
        (Ended(CloseReason.ERROR, 1.0, ShutdownError("stop")), Close(1012, "shutdown")),
        (Ended(CloseReason.ERROR, 1.0, CapacityError("full")), Close(1013, "at_capacity")),
        (Ended(CloseReason.ERROR, 1.0, UnauthorizedError("who")), Close(1008, "unauthorized")),
    ],
)
def test_the_end_closes_with_a_code_that_says_why(ended: Ended, expected: Close) -> None:
    assert golden().says(ended)[-1] == expected


def test_warnings_and_draining_are_told_and_lag_is_not() -> None:
    play = golden()
    assert play.says(Warned("slow_reader", "read faster")) == [
        {
            "type": "warning",
            "warning": {"code": "slow_reader", "message": "read faster", "params": []},
        }
    ]
    [told] = play.says(Draining(29.6))
    assert isinstance(told, dict)
    assert told["warning"]["code"] == "draining"
    assert "30 s" in told["warning"]["message"]
    assert play.says(Lag(1, 2, 3, 0.5)) == []


def test_an_address_of_another_intent_is_refused() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        golden(intent="conversation")
    assert caught.value.param == "intent"


def test_what_an_address_asks_for_in_vain_is_named() -> None:
    _, warning = golden(intent="transcription", language="de").greets()
    assert warning["warning"]["params"] == ["language"]


def test_every_event_has_an_id_of_its_own() -> None:
    dialect = OpenAIRealtime.from_query({}, context())
    [greeting] = dialect.greet()
    told = [greeting, *dialect.tell(partial(0, "a")), *dialect.tell(final(0, "a"))]
    ids = [TypeAdapter(ServerEvent).validate_json(str(one)).event_id for one in told]
    assert len(set(ids)) == len(ids) == 6
