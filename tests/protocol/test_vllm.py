"""Golden transcripts of vLLM's Realtime dialect."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.protocol.fuzz import Step, events, messages, play
from tests.protocol.golden import CREATED_S, Golden, context, final, partial, pcm
from voxwire.protocol.dialect import Close
from voxwire.protocol.errors import InvalidRequestError, RowFaultError
from voxwire.protocol.messages import wire_code
from voxwire.protocol.session import (
    Audio,
    AudioFormat,
    Clear,
    CloseReason,
    Commit,
    Committed,
    Ended,
    Lag,
    RequestRefused,
    SessionSettings,
)
from voxwire.protocol.vllm import ServerEvent, Vllm


def golden() -> Golden:
    return Golden(Vllm(context()), TypeAdapter(ServerEvent))


def done(text: str, n_tokens: int = 10) -> dict[str, Any]:
    usage = {
        "prompt_tokens": n_tokens,
        "completion_tokens": n_tokens,
        "total_tokens": 2 * n_tokens,
    }
    return {"type": "transcription.done", "text": text, "usage": usage}


def delta(text: str) -> dict[str, Any]:
    return {"type": "transcription.delta", "delta": text}


def test_two_utterances_on_one_socket() -> None:
    play = golden()
    assert play.dialect.settings == SessionSettings(AudioFormat(rate_hz=16000), endpoint=None)
    assert play.greets() == [{"type": "session.created", "id": "sess_1", "created": int(CREATED_S)}]
    assert play.hears({"type": "session.update", "model": "mistralai/Voxtral"}) == []
    for segment, text in enumerate(["one", "two"]):
        assert play.hears({"type": "input_audio_buffer.commit"}) == []
        heard = play.hears({"type": "input_audio_buffer.append", "audio": pcm(80, 16000)})
        assert heard == [Audio(bytes(2560))]
        assert play.says(partial(segment, text)) == [delta(text)]
        assert play.hears({"type": "input_audio_buffer.commit", "final": True}) == [Commit()]
        assert play.says(Committed(segment, CloseReason.COMMIT)) == []
        assert play.says(final(segment, text)) == [done(text)]


def test_a_segment_that_became_too_long_ends_no_utterance() -> None:
    play = golden()
    assert play.says(partial(0, "one")) == [delta("one")]
    assert play.says(final(0, "one", CloseReason.LIMIT)) == []
    assert play.says(partial(1, "two")) == [delta(" two")]
    assert play.says(partial(1, " three", "two three")) == [delta(" three")]
    assert play.says(final(1, "two three")) == [done("one two three", 20)]
    assert play.says(partial(2, "four")) == [delta("four")]


def test_an_utterance_without_speech_is_done_too() -> None:
    assert golden().says(final(0, "")) == [done("")]


def test_clear_of_its_forks() -> None:
    assert golden().hears({"type": "input_audio_buffer.clear"}) == [Clear()]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "input_audio_buffer.append", "audio": "!"}, "invalid_audio"),
        ({"type": "session.update"}, "missing_required_parameter"),
        ({"type": "session.update", "model": 5}, "invalid_value"),
        ({"type": "input_audio_buffer.commit", "final": "maybe"}, "invalid_value"),
        ({"type": "response.create"}, "unknown_event"),
        ({}, "unknown_event"),
    ],
)
def test_what_is_wrong_is_refused(message: dict[str, Any], code: str) -> None:
    play = golden()
    with pytest.raises(InvalidRequestError) as caught:
        play.hears(message)
    assert wire_code(caught.value) == code
    assert play.says(RequestRefused(caught.value)) == [
        {"type": "error", "error": caught.value.message, "code": code}
    ]


def test_a_session_that_fails_is_told_in_a_string() -> None:
    play = golden()
    assert play.says(final(0, "half", CloseReason.ERROR)) == []
    assert play.says(Ended(CloseReason.ERROR, 1.0, RowFaultError("no such row"))) == [
        {"type": "error", "error": "no such row", "code": "processing_error"},
        Close(1011, "row_fault"),
    ]
    assert play.says(Ended(CloseReason.SHUTDOWN, 1.0)) == [Close(1012, "shutdown")]
    assert play.says(Lag(1, 2, 3, 0.5)) == []


TYPES = ["session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "x"]
FIELDS: dict[str, Any] = {"model": ["m"], "audio": [pcm(9), "", "AAA"], "final": [True, False]}
steps: st.SearchStrategy[Step] = messages(TYPES, FIELDS) | events


@given(st.lists(steps, max_size=12))
def test_everything_is_answered_in_its_own_words(said: list[Step]) -> None:
    play(Vllm(context()), said, TypeAdapter(ServerEvent))
