"""Golden transcripts of `/v1/stream`: what a client sends, and what it is told."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest

from voxwire.protocol.dialect import Close, Context
from voxwire.protocol.errors import (
    CapacityError,
    IdleError,
    IllegalMoveError,
    InvalidRequestError,
    RowFaultError,
    ShutdownError,
    VoxwireError,
)
from voxwire.protocol.native import Native
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
    Endpoint,
    Event,
    Final,
    Finish,
    HeardWord,
    KeepAlive,
    Lag,
    PadEndpoint,
    Partial,
    RequestRefused,
    Score,
    SessionSettings,
    SpeechStarted,
    SpeechStopped,
    VadEndpoint,
    Warned,
)
from voxwire.protocol.transcript import Word


def context(endpoint_silence_ms: int = 800) -> Context:
    numbers = itertools.count(1)
    return Context(
        model="embedded",
        default_delay_ms=480,
        new_id=lambda prefix: f"{prefix}_{next(numbers)}",
        now_s=lambda: 0.0,
        endpoint_silence_ms=endpoint_silence_ms,
    )


def dialect(**query: str) -> Native:
    return Native.from_query(query, context())


def told(native: Native, *events: Event) -> list[Any]:
    """Return what the client reads: text frames as data, closes as they are."""
    answers = [answer for event in events for answer in native.tell(event)]
    return [json.loads(answer) if isinstance(answer, str) else answer for answer in answers]


def greeting(native: Native) -> list[Any]:
    return [json.loads(message) for message in native.greet()]


DEFAULTS = {
    "encoding": "pcm_s16le",
    "sample_rate": 16000,
    "channels": 1,
    "delay_ms": 480,
    "endpoint": "pads",
    "silence_ms": 800,
    "scores": False,
}


def test_a_session_from_the_first_message_to_the_last() -> None:
    native = dialect()
    assert greeting(native) == [
        {
            "seq": 1,
            "type": "ready",
            "session": "sess_1",
            "model": "embedded",
            "settings": DEFAULTS,
        }
    ]
    assert native.receive(b"\x01\x02\x03") == [Audio(b"\x01\x02\x03")]
    assert told(
        native, Partial(0, "three", "three", 1.04), Partial(0, " one", "three one", 1.76)
    ) == [
        {
            "seq": 2,
            "type": "partial",
            "segment": 0,
            "delta": "three",
            "text": "three",
            "at_s": 1.04,
        },
        {
            "seq": 3,
            "type": "partial",
            "segment": 0,
            "delta": " one",
            "text": "three one",
            "at_s": 1.76,
        },
    ]
    assert native.receive('{"type":"commit","ref":"c1"}') == [Commit("c1")]
    words = (
        HeardWord(Word(text="three", start_s=0.64, end_s=1.04, space_before=False), None),
        HeardWord(Word(text="one", start_s=1.48, end_s=1.76), None),
    )
    closed = Final(0, CloseReason.COMMIT, "three one", words, 0.0, 2.0)
    assert told(native, Committed(0, CloseReason.COMMIT), closed) == [
        {"seq": 4, "type": "committed", "segment": 0, "reason": "commit"},
        {
            "seq": 5,
            "type": "final",
            "segment": 0,
            "reason": "commit",
            "text": "three one",
            "words": [
                {"text": "three", "start_s": 0.64, "end_s": 1.04, "space_before": False},
                {"text": "one", "start_s": 1.48, "end_s": 1.76, "space_before": True},
            ],
            "start_s": 0.0,
            "end_s": 2.0,
        },
    ]
    assert native.receive('{"type":"end"}') == [Finish()]
    last = Final(1, CloseReason.END, "", (), 2.0, 2.4)
    assert told(native, last, Ended(CloseReason.END, 2.4)) == [
        {
            "seq": 6,
            "type": "final",
            "segment": 1,
            "reason": "end",
            "text": "",
            "words": [],
            "start_s": 2.0,
            "end_s": 2.4,
        },
        {"seq": 7, "type": "bye", "reason": "end", "audio_s": 2.4},
        Close(1000, "end"),
    ]


def test_scores_are_written_as_text_and_as_the_bytes_they_are() -> None:
    scores = (Score(b"caf\xc3", -0.25), Score(b"\xa9", -0.5))
    words = (HeardWord(Word(text="café", start_s=0, end_s=1, space_before=False), 0.75),)
    [partial, final] = told(
        dialect(scores="true"),
        Partial(0, "café", "café", 1.0, scores),
        Final(0, CloseReason.COMMIT, "café", words, 0.0, 1.0, scores, 12),
    )
    expected = [
        {"text": "caf\ufffd", "bytes": [99, 97, 102, 195], "log_prob": -0.25},
        {"text": "\ufffd", "bytes": [169], "log_prob": -0.5},
    ]
    assert partial["scores"] == final["scores"] == expected
    assert final["words"][0]["confidence"] == 0.75


def test_every_other_event_has_its_message() -> None:
    events: list[Event] = [
        SpeechStarted(0, 0.3),
        SpeechStopped(0, 2.1),
        Cleared("k"),
        Lag(2000, 1920, 1440, 0.25),
        Warned("slow_reader", "read faster"),
        Draining(12.5),
        RequestRefused(IllegalMoveError("expected streaming, got closed"), "r"),
        RequestRefused(InvalidRequestError("wrong", param="delay_ms", ref="ignored"), None),
    ]
    assert told(dialect(), *events) == [
        {"seq": 1, "type": "speech_started", "segment": 0, "at_s": 0.3},
        {"seq": 2, "type": "speech_stopped", "segment": 0, "at_s": 2.1},
        {"seq": 3, "type": "cleared", "ref": "k"},
        {
            "seq": 4,
            "type": "lag",
            "received_ms": 2000,
            "processed_ms": 1920,
            "emitted_ms": 1440,
            "real_time_factor": 0.25,
        },
        {"seq": 5, "type": "warning", "code": "slow_reader", "message": "read faster"},
        {
            "seq": 6,
            "type": "warning",
            "code": "draining",
            "message": "the server goes down in 12.5 s; open segments are finished before",
            "seconds_left": 12.5,
        },
        {
            "seq": 7,
            "type": "error",
            "code": "illegal_state",
            "message": "expected streaming, got closed",
            "ref": "r",
        },
        {
            "seq": 8,
            "type": "error",
            "code": "invalid_request",
            "message": "wrong",
            "param": "delay_ms",
        },
    ]


@pytest.mark.parametrize(
    ("error", "reason", "code"),
    [
        (None, CloseReason.END, 1000),
        (None, CloseReason.SHUTDOWN, 1012),
        (ShutdownError("the server stopped"), CloseReason.SHUTDOWN, 1012),
        (IdleError("no audio for 120 s"), CloseReason.ERROR, 1008),
        (RowFaultError("bad audio"), CloseReason.ERROR, 1011),
        (CapacityError("8 sessions are open", retry_after_s=3.5), CloseReason.ERROR, 1013),
    ],
)
def test_the_end_is_told_by_bye_and_by_a_close_code(
    error: VoxwireError | None, reason: CloseReason, code: int
) -> None:
    *before, bye, close = told(dialect(), Ended(reason, 4.5, error))
    seq = len(before) + 1
    assert bye == {"seq": seq, "type": "bye", "reason": reason, "audio_s": 4.5}
    assert isinstance(close, Close)
    assert close.code == code
    if error is not None:
        [message] = before
        assert message["code"] == error.code == close.reason
        assert message.get("retry_after_s") == error.retry_after_s
    else:
        assert not before


def test_each_client_message_asks_for_what_it_says() -> None:
    native = dialect()
    encoded = base64.b64encode(b"abc").decode()
    asked = [
        *native.receive(json.dumps({"type": "audio", "audio": encoded, "ref": "a"})),
        *native.receive(json.dumps({"type": "audio", "audio": f"{encoded}\r\n"})),
        *native.receive('{"type":"clear","ref":"k"}'),
        *native.receive('{"type":"keepalive"}'),
        *native.receive('{"type":"end","ref":"e"}'),
    ]
    assert asked == [Audio(b"abc", "a"), Audio(b"abc"), Clear("k"), KeepAlive(), Finish("e")]


@pytest.mark.parametrize(
    ("query", "settings"),
    [
        ({}, SessionSettings()),
        (
            {"encoding": "mulaw", "sample_rate": "8000", "channels": "2"},
            SessionSettings(format=AudioFormat(Encoding.MULAW, 8000, 2)),
        ),
        ({"delay_ms": "2400", "scores": "1"}, SessionSettings(delay_ms=2400, wants_scores=True)),
        ({"endpoint": "none"}, SessionSettings(endpoint=None)),
        ({"silence_ms": "400"}, SessionSettings(endpoint=PadEndpoint(400))),
        ({"endpoint": "vad"}, SessionSettings(endpoint=VadEndpoint())),
        (
            {
                "endpoint": "vad",
                "threshold": "0.7",
                "silence_ms": "300",
                "prefix_padding_ms": "0",
            },
            SessionSettings(endpoint=VadEndpoint(0.7, 0, 300)),
        ),
    ],
)
def test_the_address_chooses_the_settings(query: dict[str, str], settings: SessionSettings) -> None:
    assert dialect(**query).settings == settings


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"encoding": "opus"}, "encoding"),
        ({"sample_rate": "96000"}, "sample_rate"),
        ({"sample_rate": "fast"}, "sample_rate"),
        ({"channels": "0"}, "channels"),
        ({"delay_ms": "100"}, "delay_ms"),
        ({"delay_ms": "1280"}, "delay_ms"),
        ({"threshold": "0.5"}, "threshold"),
        ({"endpoint": "vad", "threshold": "nan"}, "threshold"),
        ({"endpoint": "none", "silence_ms": "500"}, "silence_ms"),
        ({"silence_ms": "0"}, "silence_ms"),
    ],
)
def test_a_wrong_address_is_refused_by_the_name_of_its_parameter(
    query: dict[str, str], param: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        dialect(**query)
    assert caught.value.param == param
    assert param in caught.value.message


def test_a_parameter_that_means_nothing_is_named_in_a_warning() -> None:
    [_, warning] = greeting(dialect(language="de"))
    assert warning["code"] == "unknown_parameter"
    assert "'language'" in warning["message"]
    assert warning["seq"] == 2


def configured(native: Native, **fields: object) -> SessionSettings:
    [asked] = native.receive(json.dumps({"type": "config", **fields}))
    assert isinstance(asked, Configure)
    return asked.settings


def test_config_changes_what_it_names_and_leaves_the_rest() -> None:
    native = dialect(endpoint="vad", threshold="0.7", sample_rate="8000")
    assert configured(native, silence_ms=300) == SessionSettings(
        format=AudioFormat(rate_hz=8000), endpoint=VadEndpoint(0.7, 300, 300)
    )
    assert configured(native, endpoint="pads").endpoint == PadEndpoint()
    assert configured(native, endpoint="none", scores=True).endpoint is None
    assert configured(native).wants_scores


def test_the_server_says_what_silence_closes_a_segment_where_the_client_does_not() -> None:
    server = context(endpoint_silence_ms=1200)
    assert Native.from_query({}, server).settings.endpoint == PadEndpoint(1200)
    asked = Native.from_query({"silence_ms": "400"}, server)
    assert asked.settings.endpoint == PadEndpoint(400)
    configured(asked, endpoint="none")
    assert configured(asked, endpoint="pads").endpoint == PadEndpoint(1200)


def test_what_was_refused_is_no_ground_for_the_next_config() -> None:
    native = dialect()
    held = configured(native, scores=True)
    native.tell(Configured(held))
    configured(native, delay_ms=960)
    native.tell(RequestRefused(IllegalMoveError("audio was sent already")))
    assert configured(native, silence_ms=400) == SessionSettings(
        endpoint=PadEndpoint(400), wants_scores=True
    )


def test_configured_writes_out_all_settings() -> None:
    settings = SessionSettings(delay_ms=960, endpoint=VadEndpoint())
    assert told(dialect(), Configured(settings, "x")) == [
        {
            "seq": 1,
            "type": "configured",
            "settings": {
                **DEFAULTS,
                "delay_ms": 960,
                "endpoint": "vad",
                "silence_ms": 500,
                "threshold": 0.5,
                "prefix_padding_ms": 300,
            },
            "ref": "x",
        }
    ]


def endpoints() -> list[Endpoint]:
    return [None, PadEndpoint(240), VadEndpoint(0.25, 100, 700)]


@pytest.mark.parametrize("endpoint", endpoints(), ids=repr)
def test_settings_that_are_written_out_are_read_back_the_same(endpoint: Endpoint) -> None:
    settings = SessionSettings(delay_ms=80, endpoint=endpoint, wants_scores=True)
    [written] = told(dialect(), Configured(settings))
    assert dialect(**{k: str(v) for k, v in written["settings"].items()}).settings == settings
