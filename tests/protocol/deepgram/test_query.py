"""The parameters of an address: what they choose, what they may not, what is told of the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.golden import context
from voxwire.protocol.deepgram.dialect import Deepgram
from voxwire.protocol.deepgram.query import MIN_SILENCE_MS, Query
from voxwire.protocol.errors import InvalidRequestError
from voxwire.protocol.session import (
    AudioFormat,
    Encoding,
    PadEndpoint,
    SessionSettings,
    VadEndpoint,
)

RAW = {"model": "nova-3", "encoding": "linear16", "sample_rate": "16000"}


def settings(**more: str) -> SessionSettings:
    return Deepgram.from_query({**RAW, **more}, context()).settings


@pytest.mark.parametrize(
    ("encoding", "rate", "channels", "expected"),
    [
        ("linear16", "16000", "1", AudioFormat(Encoding.PCM16, 16000, 1)),
        ("linear16", "48000", "2", AudioFormat(Encoding.PCM16, 48000, 2)),
        ("linear32", "24000", "1", AudioFormat(Encoding.FLOAT32, 24000, 1)),
        ("mulaw", "8000", "1", AudioFormat(Encoding.MULAW, 8000, 1)),
        ("alaw", "8000", "1", AudioFormat(Encoding.ALAW, 8000, 1)),
    ],
)
def test_the_format_is_the_clients(
    encoding: str, rate: str, channels: str, expected: AudioFormat
) -> None:
    assert settings(encoding=encoding, sample_rate=rate, channels=channels).format == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, PadEndpoint(800)),  # the operator's choice
        ({"endpointing": "true"}, PadEndpoint(800)),
        ({"endpointing": "false"}, PadEndpoint(800)),
        ({"endpointing": "500"}, VadEndpoint(silence_ms=500)),
        ({"endpointing": "10"}, VadEndpoint(silence_ms=MIN_SILENCE_MS)),
        ({"vad_events": "true"}, VadEndpoint()),
        ({"vad_events": "true", "endpointing": "1200"}, VadEndpoint(silence_ms=1200)),
        ({"vad_events": "True", "endpointing": "25"}, VadEndpoint(silence_ms=MIN_SILENCE_MS)),
        ({"vad_events": "true", "endpointing": "False"}, VadEndpoint()),
    ],
)
def test_silence_of_a_clients_own_length_and_events_of_speech_need_the_detector(
    more: dict[str, str], expected: PadEndpoint | VadEndpoint
) -> None:
    assert settings(**more).endpoint == expected


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"encoding": "opus"}, "encoding"),
        ({"sample_rate": "fast"}, "sample_rate"),
        ({"sample_rate": "4000"}, "sample_rate"),
        ({"channels": "6"}, "channels"),
        ({"channels": "2", "multichannel": "true"}, "multichannel"),
        ({"endpointing": "-1"}, "endpointing"),
        ({"endpointing": "soon"}, "endpointing"),
        ({"utterance_end_ms": "500"}, "utterance_end_ms"),
        ({"interim_results": "perhaps"}, "interim_results"),
        ({"callback": "http://example.com"}, "callback"),
        ({"redact": "pci"}, "redact"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(wrong: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidRequestError, match=named) as caught:
        settings(**wrong)
    assert caught.value.param == named


@pytest.mark.parametrize("missing", ["encoding", "sample_rate"])
def test_raw_audio_must_say_what_it_is(missing: str) -> None:
    query = {name: value for name, value in RAW.items() if name != missing}
    with pytest.raises(InvalidRequestError, match=missing):
        Query.read(query)


def test_parameters_without_effect_are_named_and_the_others_are_not() -> None:
    query = {
        **RAW,
        "punctuate": "true",
        "smart_format": "true",
        "diarize": "true",
        "numerals": "false",
        "keyterm": "voxwire",
        "language": "de",
        "endpointing": "10",
        "interim_results": "true",
    }
    warned = {warning.parameter: warning.type for warning in Query.read(query).warnings()}
    assert warned == {
        "endpointing": "adjusted_parameter",
        "language": "unsupported_parameter",
        "smart_format": "unsupported_parameter",
        "diarize": "unsupported_parameter",
        "keyterm": "unsupported_parameter",
    }


def test_no_value_of_a_client_is_repeated_and_warnings_are_bounded() -> None:
    many = {**RAW, **{f"p{i}" * 99: "secret" for i in range(99)}}
    warnings = Query.read(many).warnings()
    assert len(warnings) == 32
    assert all(len(warning.model_dump_json()) < 200 for warning in warnings)
    assert not any("secret" in warning.model_dump_json() for warning in warnings)


NAMES = [*Query.model_fields, "callback", "redact", "keyterm", "model"]


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), st.text(max_size=5)))
def test_any_address_is_taken_or_refused_with_a_typed_error(query: dict[str, str]) -> None:
    for asked in (query, {**RAW, **query}):
        try:
            dialect = Deepgram.from_query(asked, context())
        except InvalidRequestError:
            continue
        assert dialect.settings.wants_scores
