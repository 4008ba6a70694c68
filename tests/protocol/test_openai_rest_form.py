"""Every field of OpenAI's form is heeded, or named as ignored, or refused by its name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxwire.model.delay import delay_tokens_from_ms
from voxwire.model.errors import DelayError
from voxwire.protocol.errors import InvalidRequestError, UnsupportedError
from voxwire.protocol.openai_rest.form import (
    ResponseFormat,
    TranscriptionForm,
    TranscriptionRequest,
    form_schema,
    read_form,
)
from voxwire.protocol.session import DELAYS_MS

NAMES = sorted({*form_schema()["properties"], *TranscriptionForm.model_fields, "seed", "a b\r\n"})
VALUES = ["", "0", "1", "true", "json", "srt", "verbose_json", "word", "logprobs", "auto", "480"]


def test_an_empty_form_asks_for_json() -> None:
    asked = read_form([])
    assert asked == TranscriptionRequest(
        ResponseFormat.JSON, False, False, False, False, None, None, ()
    )


@pytest.mark.parametrize("brackets", ["", "[]"])
def test_lists_are_named_with_brackets_or_without(brackets: str) -> None:
    items = [("timestamp_granularities" + brackets, each) for each in ("word", "segment")]
    asked = read_form([("response_format", "verbose_json"), *items])
    assert asked.wants_words
    assert asked.wants_segments
    assert asked.ignored == ()


def test_verbose_json_tells_segments_unless_told_otherwise() -> None:
    verbose = ("response_format", "verbose_json")
    assert read_form([verbose]).wants_segments
    assert not read_form([verbose, ("timestamp_granularities[]", "word")]).wants_segments


def test_plain_json_tells_times_where_it_is_asked_to_and_no_stream_does() -> None:
    word, segment = (("timestamp_granularities[]", each) for each in ("word", "segment"))
    asked = read_form([segment])
    assert (asked.plain_spans, asked.ignored) == ("segment", ())
    assert not asked.wants_segments
    assert read_form([word, segment]).plain_spans == "word"
    assert read_form([]).plain_spans is None
    for other in (("stream", "true"), ("response_format", "text")):
        asked = read_form([word, other])
        assert (asked.plain_spans, asked.ignored) == (None, ("timestamp_granularities",))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("language", "en"),
        ("languages[]", "en"),
        ("prompt", "a story"),
        ("keywords[]", "voxwire"),
        ("hotwords", "voxwire"),
        ("temperature", "0.4"),
        ("known_speaker_names[]", "ann"),
        ("known_speaker_references[]", "data:,"),
        ("chunking_strategy", '{"type": "server_vad", "threshold": 0.4}'),
        ("chunking_strategy[type]", "server_vad"),
        ("seed", "1"),  # of another server
    ],
)
def test_what_changes_nothing_is_named(field: str, value: str) -> None:
    assert read_form([(field, value)]).ignored == (field.partition("[")[0],)
    assert read_form([(field, "")]).ignored == ()


@pytest.mark.parametrize(
    "items",
    [
        [("model", "whisper-1")],
        [("temperature", "0")],
        [("chunking_strategy", "auto")],
        [("include[]", "logprobs")],
        [("stream", "true"), ("response_format", "verbose_json")],
        [("delay_ms", "960")],
    ],
)
def test_what_is_heeded_is_not_named(items: list[tuple[str, str]]) -> None:
    assert read_form(items).ignored == ()


def test_log_probabilities_are_not_promised_where_no_format_holds_them() -> None:
    items = [("include[]", "logprobs")]
    assert read_form(items).wants_log_probs
    subtitles = read_form([*items, ("response_format", "srt")])
    assert not subtitles.wants_log_probs
    assert subtitles.ignored == ("include",)


@pytest.mark.parametrize(
    ("items", "param"),
    [
        ([("response_format", "diarized_json")], "response_format"),
        ([("response_format", "mp3")], "response_format"),
        ([("response_format", "srt"), ("stream", "true")], "response_format"),
        ([("stream", "maybe")], "stream"),
        ([("temperature", "2")], "temperature"),
        ([("temperature", "nan")], "temperature"),
        ([("timestamp_granularities[]", "syllable")], "timestamp_granularities"),
        ([("include[]", "everything")], "include"),
        ([("chunking_strategy", "never")], "chunking_strategy"),
        ([("chunking_strategy", "{")], "chunking_strategy"),
        ([("chunking_strategy", '{"type": "magic"}')], "chunking_strategy"),
        ([("chunking_strategy", "auto"), ("chunking_strategy[type]", "x")], "chunking_strategy"),
        ([("delay_ms", "81")], "delay_ms"),
        ([("delay_ms", "soon")], "delay_ms"),
        ([("language", "x" * 65)], "language"),
        ([("model", "a"), ("model", "b")], "model"),
    ],
)
def test_what_is_wrong_is_refused_by_name(items: list[tuple[str, str]], param: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_form(items)
    assert caught.value.param == param


def test_a_refused_format_says_which_there_are() -> None:
    with pytest.raises(UnsupportedError, match=r"json, text, srt, vtt, verbose_json.*speakers"):
        read_form([("response_format", "diarized_json")])


def test_a_wrong_value_is_told_in_our_own_words() -> None:
    with pytest.raises(InvalidRequestError, match=r"^delay_ms: expected 80 to 1200 by 80"):
        read_form([("delay_ms", "81")])


def test_the_delays_are_the_models() -> None:
    for delay_ms in range(0, 3000, 20):
        try:
            delay_tokens_from_ms(delay_ms)
        except DelayError:
            assert delay_ms not in DELAYS_MS
        else:
            assert delay_ms in DELAYS_MS


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES) | st.text(max_size=80),
            st.sampled_from(VALUES) | st.text(max_size=40),
        ),
        max_size=12,
    )
)
def test_any_form_is_read_or_refused(items: list[tuple[str, str]]) -> None:
    try:
        names = read_form(items).ignored
    except InvalidRequestError as error:
        names = (error.param or "\0",)
    assert all(name.isascii() and name.isprintable() for name in names)


@settings(deadline=None)
@given(st.text(max_size=200).map(lambda text: "{" + text) | st.just("{" * 100_000))
def test_any_json_in_a_field_is_read_or_refused(value: str) -> None:
    with pytest.raises(InvalidRequestError):
        read_form([("chunking_strategy", value + "x")])


def test_a_form_full_of_unknown_fields_makes_a_short_list() -> None:
    names = [f"field{n}" + "x" * 50 for n in range(200)] + ["\r\n" * n for n in range(9)]
    assert sum(map(len, read_form([(name, "1") for name in names * 2]).ignored)) < 3000


def test_the_schema_names_all_fields_and_refers_to_nothing() -> None:
    schema = form_schema()
    names = {name.removesuffix("[]") for name in schema["properties"]}
    assert names == {"file", *TranscriptionForm.model_fields}
    assert schema["required"] == ["file"]
    text = json.dumps(schema)
    assert "$ref" not in text
    assert '"null"' not in text
