"""/v1/realtime tells its two dialects apart by the client's first words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.protocol.fuzz import Step, events, messages, play
from tests.protocol.golden import context, final, pcm
from voxwire.protocol.errors import InvalidRequestError
from voxwire.protocol.openai_realtime import server_events
from voxwire.protocol.realtime import Realtime, asks_for_beta
from voxwire.protocol.session import (
    Audio,
    Commit,
    Configure,
    Configured,
    RequestRefused,
    SessionSettings,
)
from voxwire.protocol.vllm import ServerEvent as VllmEvent

UPDATE = {"type": "session.update", "model": "voxtral"}
START = {"type": "input_audio_buffer.commit"}
APPEND = {"type": "input_audio_buffer.append", "audio": pcm(10)}
VLLM_SETTINGS = SessionSettings(endpoint=None)


def realtime(**query: str) -> Realtime:
    return Realtime.from_query(query, context())


def hears(dialect: Realtime, message: dict[str, Any]) -> list[object]:
    return list(dialect.receive(json.dumps(message)))


def type_of_final(dialect: Realtime) -> str:
    *_, last = dialect.tell(final(0, "text"))
    name: str = json.loads(str(last))["type"]
    return name


@pytest.mark.parametrize("first", [UPDATE, START, {**START, "final": True}])
def test_vllms_first_words_switch_to_16_khz_and_to_its_words(first: dict[str, Any]) -> None:
    dialect = realtime()
    configure, *rest = hears(dialect, first)
    assert configure == Configure(VLLM_SETTINGS)
    assert rest == ([Commit()] if first.get("final") else [])
    assert dialect.tell(Configured(VLLM_SETTINGS)) == ()
    assert hears(dialect, APPEND) == [Audio(bytes(480))]
    assert type_of_final(dialect) == "transcription.done"


@pytest.mark.parametrize(
    "first",
    [
        APPEND,
        {"type": "session.update", "session": {}},
        {"type": "session.update", "session": {}, "model": "both"},
        {"type": "transcription_session.update", "session": {}},
    ],
)
def test_openais_first_words_stay_openais(first: dict[str, Any]) -> None:
    dialect = realtime(model="gpt-realtime-whisper")
    hears(dialect, first)
    with pytest.raises(InvalidRequestError):
        dialect.receive(json.dumps(START))  # a commit of less than 100 ms
    with pytest.raises(InvalidRequestError):
        dialect.receive(json.dumps(UPDATE))
    assert type_of_final(dialect) == "conversation.item.done"


def test_an_intent_is_openais() -> None:
    dialect = realtime(intent="transcription")
    with pytest.raises(InvalidRequestError):
        dialect.receive(json.dumps(START))
    assert type_of_final(dialect) == "conversation.item.done"


BETA_SUBPROTOCOLS = ["realtime", "openai-insecure-api-key.k", "openai-beta.realtime-v1"]


@pytest.mark.parametrize(
    ("header", "subprotocols", "expected"),
    [
        ("realtime=v1", [], True),
        ("assistants=v2, realtime=v1", [], True),
        ("", BETA_SUBPROTOCOLS, True),
        ("assistants=v2", BETA_SUBPROTOCOLS[:2], False),
        ("realtime=v10", [], False),
    ],
)
def test_a_handshake_asks_for_the_beta_by_header_or_subprotocol(
    header: str, subprotocols: list[str], expected: bool
) -> None:
    assert asks_for_beta(header, subprotocols) is expected


def greeting(*, is_beta: bool, **query: str) -> dict[str, Any]:
    dialect = Realtime.from_query(query, context(), is_beta=is_beta)
    [greeting] = dialect.greet()
    told: dict[str, Any] = json.loads(greeting)
    return told


def test_only_the_betas_transcription_is_greeted_by_a_name_of_its_own() -> None:
    told = greeting(is_beta=True, intent="transcription")
    assert told["type"] == "transcription_session.created"
    assert told["session"]["input_audio_format"] == "pcm16"
    dialect = Realtime.from_query({"intent": "transcription"}, context(), is_beta=True)
    assert type_of_final(dialect) == "conversation.item.input_audio_transcription.completed"
    assert greeting(is_beta=True, model="m")["type"] == "session.created"
    assert greeting(is_beta=False, intent="transcription")["type"] == "session.created"


def test_a_commit_of_nothing_by_who_named_a_model_in_the_address_is_openais() -> None:
    dialect = realtime(model="gpt-4o-transcribe")
    with pytest.raises(InvalidRequestError):
        dialect.receive(json.dumps(START))
    assert type_of_final(dialect) == "conversation.item.done"


def test_first_words_that_are_wrong_decide_nothing() -> None:
    dialect = realtime()
    for message in ("{", '{"type": "nothing"}', '{"type": "response.create"}'):
        with pytest.raises(InvalidRequestError):
            dialect.receive(message)
    assert hears(dialect, UPDATE) == [Configure(VLLM_SETTINGS)]


def test_a_wrong_update_of_vllms_is_refused_in_its_words_and_loses_nothing() -> None:
    dialect = realtime()
    with pytest.raises(InvalidRequestError) as caught:
        dialect.receive(json.dumps({**UPDATE, "model": 5}))
    [told] = dialect.tell(RequestRefused(caught.value))
    assert isinstance(json.loads(str(told))["error"], str)
    assert hears(dialect, APPEND) == [Configure(VLLM_SETTINGS), Audio(bytes(480))]


TYPES = ["session.update", "input_audio_buffer.append", "input_audio_buffer.commit", "x"]
FIELDS: dict[str, Any] = {
    "model": ["m"],
    "session": [{}],
    "audio": [pcm(200), ""],
    "final": [True, False],
}
steps: st.SearchStrategy[Step] = messages(TYPES, FIELDS) | events


@given(st.lists(steps, max_size=12))
def test_everything_is_answered_in_the_words_of_one_of_the_two(said: list[Step]) -> None:
    play(realtime(), said, TypeAdapter(server_events.ServerEvent | VllmEvent))
