"""What is answered follows from the words and tokens that were heard, in every format."""

from __future__ import annotations

import json
import math

import pytest
import srt
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from voxwire.protocol import errors
from voxwire.protocol.errors import InvalidRequestError, VoxwireError
from voxwire.protocol.openai_rest.answers import Transcription, VerboseTranscription
from voxwire.protocol.openai_rest.errors import error_body, error_headers, status_of
from voxwire.protocol.openai_rest.form import TranscriptionRequest, read_form
from voxwire.protocol.openai_rest.heard import Heard, TextToken, document, done
from voxwire.protocol.transcript import Transcript, Word, join_words, segments_of


def asked(response_format: str, *more: tuple[str, str]) -> TranscriptionRequest:
    return read_form([("response_format", response_format), *more])


ALL_TIMES = (("timestamp_granularities[]", "word"), ("timestamp_granularities[]", "segment"))
SCORED = ("include[]", "logprobs")


@st.composite
def recordings(draw: st.DrawFn) -> Heard:
    """Words of one to three tokens each, sometimes two words in one token."""
    words: list[Word] = []
    tokens: list[TextToken] = []
    index = 0
    for text in draw(st.lists(st.text("abcé", min_size=1, max_size=8), max_size=12)):
        index += draw(st.integers(0, 30)) if words else draw(st.integers(1, 30))
        end_s = index * 80 / 1000
        start_s = max(words[-1].end_s if words else 0.0, round(end_s - 0.3, 3))
        words.append(Word(text=text, start_s=start_s, end_s=end_s, space_before=bool(words)))
        if tokens and tokens[-1].at_s == end_s:
            continue  # this word came with the token before
        for n in range(draw(st.integers(1, 3))):
            log_prob = draw(st.floats(-5, 0))
            opening = draw(st.floats(-5, 0)) if n == 0 else log_prob
            data = text.encode()[n : n + 1]
            tokens.append(TextToken(index + n, (index + n) * 80 / 1000, data, log_prob, opening))
        index = round(tokens[-1].at_s * 12.5)
    transcript = Transcript(
        text=join_words(words),
        words=tuple(words),
        segments=segments_of(words),
        duration_s=index * 0.08 + 1,
        model="tiny",
        delay_ms=480,
    )
    return Heard(transcript, tokens, n_positions=index + 13)


@settings(deadline=None)
@given(recordings())
def test_words_and_segments_are_those_of_the_transcript(heard: Heard) -> None:
    text, media_type = document(heard, asked("verbose_json", *ALL_TIMES, SCORED))
    answer = VerboseTranscription.model_validate_json(text)
    assert media_type == "application/json"
    assert answer.text == heard.transcript.text
    assert answer.duration == answer.usage.seconds == heard.transcript.duration_s
    words, segments = answer.words or [], answer.segments or []
    assert [(w.word, w.start, w.end) for w in words] == [
        (w.text, w.start_s, w.end_s) for w in heard.transcript.words
    ]
    assert [(s.text, s.start, s.end) for s in segments] == [
        (s.text, s.start_s, s.end_s) for s in heard.transcript.segments
    ]
    assert [s.id for s in segments] == list(range(len(segments)))


@settings(deadline=None)
@given(recordings())
def test_each_token_belongs_to_one_segment(heard: Heard) -> None:
    text, _ = document(heard, asked("verbose_json"))
    segments = VerboseTranscription.model_validate_json(text).segments or []
    assert [token for s in segments for token in s.tokens] == [token.id for token in heard.tokens]
    for segment in segments:
        scores = [t.log_prob or 0.0 for t in heard.tokens if t.id in segment.tokens]
        assert min(scores, default=0) - 1e-5 <= segment.avg_logprob <= max(scores, default=0) + 1e-5
        assert 0 <= segment.no_speech_prob <= 1
        assert segment.compression_ratio > 0


@settings(deadline=None)
@given(recordings())
def test_confidence_is_a_probability_and_only_where_asked_for(heard: Heard) -> None:
    scored, _ = document(heard, asked("verbose_json", *ALL_TIMES, SCORED))
    plain, _ = document(heard, asked("verbose_json", *ALL_TIMES))
    for word in json.loads(scored)["words"]:
        assert 0 < word["confidence"] <= 1
    assert all("confidence" not in word for word in json.loads(plain)["words"])


@settings(deadline=None)
@given(recordings())
def test_the_log_probabilities_are_of_all_text_tokens_byte_by_byte(heard: Heard) -> None:
    text, _ = document(heard, asked("json", SCORED))
    answer = Transcription.model_validate_json(text)
    given_back = [(bytes(each.bytes), each.logprob) for each in answer.logprobs or []]
    assert given_back == [(token.data, token.log_prob) for token in heard.tokens]


@settings(deadline=None)
@given(recordings())
def test_json_names_its_model_and_a_language_of_null_and_nothing_else_that_is_null(
    heard: Heard,
) -> None:
    text, _ = document(heard, asked("json"))
    answer = json.loads(text)
    assert answer.keys() == {"text", "model", "language", "usage"}
    assert (answer["model"], answer["language"]) == (heard.transcript.model, None)


@settings(deadline=None)
@given(recordings())
def test_subtitles_and_text_can_be_read_back(heard: Heard) -> None:
    text, text_type = document(heard, asked("text"))
    assert (text, text_type) == (heard.transcript.text + "\n", "text/plain")
    srt_text, _ = document(heard, asked("srt"))
    assert _joined(cue.content for cue in srt.parse(srt_text)) == _joined([text])
    vtt_text, _ = document(heard, asked("vtt"))
    assert _joined(cue.text for cue in webvtt.from_string(vtt_text).captions) == _joined([text])


def _joined(texts: object) -> str:
    return "".join("".join(text.split()) for text in texts)  # type: ignore[attr-defined]


@settings(deadline=None)
@given(recordings(), st.sampled_from(["json", "text", "verbose_json"]))
def test_the_last_event_says_all_with_its_tokens_counted(heard: Heard, form: str) -> None:
    event = done(heard, asked(form, ("stream", "true")))
    assert event.text == heard.transcript.text
    assert event.usage.input_tokens == heard.n_positions
    assert event.usage.total_tokens == event.usage.input_tokens + event.usage.output_tokens
    assert (event.segments is not None) == (form == "verbose_json")


def test_damaged_packets_are_told_and_none_are_not() -> None:
    transcript = Transcript(
        text="", words=(), segments=(), duration_s=0, model="tiny", delay_ms=480
    )
    whole, _ = document(Heard(transcript, [], 0), asked("json"))
    damaged, _ = document(Heard(transcript, [], 0, n_damaged=3), asked("json"))
    assert "damaged_packets" not in json.loads(whole)
    assert json.loads(damaged)["damaged_packets"] == 3


def test_a_certain_word_leaves_nothing_for_silence() -> None:
    word = Word(text="yes", start_s=0.1, end_s=0.4)
    transcript = Transcript(
        text="yes", words=(word,), segments=segments_of([word]), duration_s=1, model="", delay_ms=80
    )
    for opening, left in ((0.0, 0.0), (math.log(0.25), 0.75)):
        heard = Heard(transcript, [TextToken(7, 0.4, b"yes", 0.0, opening)], 13)
        answer = json.loads(document(heard, asked("verbose_json"))[0])
        assert answer["segments"][0]["no_speech_prob"] == pytest.approx(left)


def every_error() -> list[type[VoxwireError]]:
    found = [each for each in vars(errors).values() if isinstance(each, type)]
    return [each for each in found if issubclass(each, VoxwireError)]


@pytest.mark.parametrize("kind", every_error())
def test_every_error_has_a_status_and_all_four_keys(kind: type[VoxwireError]) -> None:
    error = kind("expected x, got y")
    status = status_of(error)
    detail = error_body(error).model_dump()["error"]
    assert set(detail) == {"message", "type", "param", "code"}
    assert detail["code"] == kind.code
    assert (400 <= status < 500) == issubclass(
        kind, (InvalidRequestError, errors.UnauthorizedError, errors.ForbiddenError)
    )
    assert (detail["type"] == "server_error") == (status >= 500)


@pytest.mark.parametrize(("wait_s", "header"), [(0.2, "1"), (1.0, "1"), (4.2, "5")])
def test_when_to_come_back_is_told_in_whole_seconds(wait_s: float, header: str) -> None:
    assert error_headers(errors.CapacityError("full", wait_s)) == {"Retry-After": header}
    assert error_headers(errors.CapacityError("full")) == {}
