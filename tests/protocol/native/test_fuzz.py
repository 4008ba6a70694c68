"""Whatever a client sends, it is answered by requests or by one typed refusal."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.native.test_dialect import dialect
from voxwire.protocol.errors import InvalidRequestError
from voxwire.protocol.native.asyncapi import client_models, type_of
from voxwire.protocol.native.messages import CLIENT_MESSAGE
from voxwire.protocol.native.parameters import Parameters
from voxwire.protocol.session import Audio

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(["ref", "audio", *Parameters.model_fields]) | st.text(max_size=8)
kinds = st.sampled_from([type_of(model) for model in client_models()]) | values
objects = st.builds(
    lambda kind, fields: json.dumps({**fields, "type": kind}),
    kinds,
    st.dictionaries(names, values, max_size=4),
)
frames = st.text() | st.binary() | objects | values.map(json.dumps)


@given(st.lists(frames, max_size=8))
def test_nothing_but_a_typed_refusal_comes_of_any_frames(messages: list[str | bytes]) -> None:
    native = dialect()
    for message in messages:
        with contextlib.suppress(InvalidRequestError):
            assert len(native.receive(message)) == 1


@given(st.dictionaries(names, st.text(max_size=8), max_size=4))
def test_nothing_but_a_typed_refusal_comes_of_any_address(query: dict[str, str]) -> None:
    with contextlib.suppress(InvalidRequestError):
        assert dialect(**query).greet()


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "\ud800",
        '{"type":"commit","ref":"\\ud800"}',
        "[" * 100_000,
        '{"type":' + '{"a":' * 5000,
        '{"type":"audio","audio":"ab!d"}',
        '{"type":"audio","audio":"abc"}',
        '{"type":"audio","audio":"\u00e9"}',
        '{"type":"audio"}',
        '{"type":"hello"}',
        '{"type":"commit","final":true}',
        '{"type":"config","sample_rate":1e999}',
        '{"type":"config","delay_ms":9' + "9" * 5000 + "}",
    ],
    ids=range(14),
)
def test_what_is_wrong_is_refused(message: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        dialect().receive(message)
    assert len(caught.value.message) < 1000


@pytest.mark.parametrize(
    "body",
    [
        {"type": "hello"},
        {"type": "audio", "audio": "!"},
        {"type": "config", "delay_ms": 100},
        {"type": "config", "threshold": 0.5},
        {"type": "commit", "final": True},
    ],
    ids=str,
)
def test_a_refusal_carries_the_clients_own_id(body: dict[str, object]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        dialect().receive(json.dumps({**body, "ref": "mine"}))
    assert caught.value.ref == "mine"


def test_an_id_that_is_too_long_does_not_come_back() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        dialect().receive(json.dumps({"type": "commit", "ref": "x" * 129}))
    assert (caught.value.param, caught.value.ref) == ("ref", None)


def test_a_refusal_never_repeats_audio() -> None:
    audio = "secretaudio!"
    with pytest.raises(InvalidRequestError) as caught:
        dialect().receive(json.dumps({"type": "audio", "audio": audio}))
    assert audio not in caught.value.message


@given(st.binary())
def test_base64_and_binary_frames_say_the_same(data: bytes) -> None:
    encoded = json.dumps({"type": "audio", "audio": base64.b64encode(data).decode()})
    assert dialect().receive(encoded) == dialect().receive(data) == [Audio(data)]


@given(st.sampled_from(client_models()), st.none() | st.text(max_size=20))
def test_client_models_write_what_the_dialect_reads(model: type, ref: str | None) -> None:
    own: dict[str, object] = {"audio": b"YWI=", "seq": 3}
    known = model.model_fields  # type: ignore[attr-defined]
    message = model(ref=ref, **{name: own[name] for name in own.keys() & known})
    text = message.model_dump_json(exclude_none=True)
    assert CLIENT_MESSAGE.validate_json(text) == message
    assert len(dialect().receive(text)) == 1
