"""A transcript is plain, checked data."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from voxwire.protocol.formats import OutputFormat, render
from voxwire.protocol.transcript import Segment, Transcript, Word, join_words, segments_of

HELLO = Word(text="Hello,", start_s=0.5, end_s=0.8, space_before=False)
THERE = Word(text="there.", start_s=0.8, end_s=1.12)
AGAIN = Word(text="Again", start_s=3.0, end_s=3.2)


def transcript(*words: Word) -> Transcript:
    return Transcript(
        text=join_words(words),
        words=words,
        segments=segments_of(words),
        duration_s=4.0,
        model="embedded",
        delay_ms=480,
    )


def test_words_join_with_spaces_only_where_the_script_has_them() -> None:
    assert join_words([HELLO, THERE]) == "Hello, there."
    chinese = [Word(text=text, start_s=0, end_s=0, space_before=False) for text in ("今天", "天气")]
    assert join_words(chinese) == "今天天气"


def test_a_pause_closes_a_segment() -> None:
    assert segments_of([HELLO, THERE, AGAIN]) == (
        Segment(text="Hello, there.", start_s=0.5, end_s=1.12),
        Segment(text="Again", start_s=3.0, end_s=3.2),
    )
    assert segments_of([]) == ()


@pytest.mark.parametrize(
    ("start_s", "end_s"), [(1.0, 0.9), (-0.1, 0.0), (0.0, float("inf")), (float("nan"), 1.0)]
)
def test_impossible_times_are_refused(start_s: float, end_s: float) -> None:
    with pytest.raises(ValidationError):
        Word(text="no", start_s=start_s, end_s=end_s)


def test_json_reads_back_as_the_same_transcript() -> None:
    whole = transcript(HELLO, THERE, AGAIN)
    document = render(whole, OutputFormat.JSON)
    assert Transcript.model_validate_json(document) == whole
    assert json.loads(document)["words"][1] == {
        "text": "there.",
        "start_s": 0.8,
        "end_s": 1.12,
        "space_before": True,
    }


def test_text_is_one_line() -> None:
    assert render(transcript(HELLO, THERE, AGAIN), OutputFormat.TEXT) == "Hello, there. Again\n"


def test_each_format_is_told_by_its_first_line() -> None:
    whole = transcript(HELLO)
    first = {form: render(whole, form).splitlines()[0] for form in OutputFormat}
    assert first == {"text": "Hello,", "json": "{", "srt": "1", "vtt": "WEBVTT"}
    assert [form.suffix for form in OutputFormat] == [".txt", ".json", ".srt", ".vtt"]
