"""A client's message is read whole, or refused without repeating what may be audio."""

from __future__ import annotations

import base64
import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, field_validator

from voxwire.protocol.errors import InvalidRequestError
from voxwire.protocol.messages import (
    MAX_QUOTED,
    decode_audio,
    parse_fields,
    parse_object,
    quoted,
    wire_code,
)

NO_SPACE = str.maketrans("", "", string.whitespace)


class Message(BaseModel):
    audio: str
    sizes: list[int] = []
    delay_ms: int = 80

    @field_validator("delay_ms")
    @classmethod
    def _in_steps(cls, delay_ms: int) -> int:
        if delay_ms % 80:
            raise ValueError("expected steps of 80")
        return delay_ms


@given(st.binary(max_size=50))
def test_base64_is_read_back(data: bytes) -> None:
    assert decode_audio(base64.b64encode(data).decode()) == data


@given(st.text(max_size=20))
def test_what_is_no_base64_is_refused(text: str) -> None:
    try:
        data = decode_audio(text)
    except InvalidRequestError:
        return
    # The last character of a padded group may hold bits that are no part of any byte.
    assert base64.b64encode(data).decode()[:-3] == text.translate(NO_SPACE)[:-3]


@given(st.binary(max_size=50), st.data())
def test_base64_may_be_broken_into_lines(data: bytes, draw: st.DataObject) -> None:
    text = base64.b64encode(data).decode()
    for _ in range(3):
        at = draw.draw(st.integers(0, len(text)))
        text = text[:at] + draw.draw(st.sampled_from(["\r\n", "\n", " ", "\t"])) + text[at:]
    assert decode_audio(text) == data


def test_what_is_no_base64_without_its_lines_either_is_refused() -> None:
    for text in ("AA\n", "AA==\nAA==", "A\u00a0AAA", "AAAA\x1c", "\0AAAA\n"):
        with pytest.raises(InvalidRequestError, match="audio: expected base64"):
            decode_audio(text)


@given(st.text(max_size=30) | st.binary(max_size=30))
def test_any_message_is_an_object_or_refused(message: str | bytes) -> None:
    with contextlib.suppress(InvalidRequestError):
        assert isinstance(parse_object(message), dict)


@pytest.mark.parametrize("text", ['{"a": "\\ud800"}', '{"a": "\ud800"}'])
def test_half_a_character_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        parse_object(text)


def test_a_fault_is_named_by_its_path_without_what_came() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_fields(Message, {"audio": "secret", "sizes": [1, "secret"]}, ("session",))
    assert caught.value.param == "session.sizes.1"
    assert "secret" not in caught.value.message


def test_our_own_words_stand_alone() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_fields(Message, {"audio": "", "sizes": [], "delay_ms": 81})
    assert caught.value.message == "delay_ms: expected steps of 80"


def test_what_is_missing_is_named() -> None:
    with pytest.raises(InvalidRequestError, match="expected audio, got nothing") as caught:
        parse_fields(Message, {})
    assert wire_code(caught.value) == "missing_required_parameter"


@given(st.text(max_size=200))
def test_a_clients_words_are_cut(text: str) -> None:
    assert len(quoted(text)) <= MAX_QUOTED + 3
    assert quoted(text).startswith(text[:MAX_QUOTED])
