"""Subtitles keep to the usual limits, and independent parsers read back what was said."""

from __future__ import annotations

import io

import pytest
import srt
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from voxwire.protocol.subtitles import MAX_COLUMNS, MAX_CUE_S, cues, to_srt, to_vtt
from voxwire.protocol.transcript import Word, join_words


def said(text: str, start_s: float = 0.0, word_s: float = 0.3) -> list[Word]:
    """Words of `text` one after the other, each taking word_s."""
    return [
        Word(text=part, start_s=start_s + index * word_s, end_s=start_s + (index + 1) * word_s)
        for index, part in enumerate(text.split())
    ]


def lines(words: list[Word]) -> list[tuple[str, ...]]:
    return [cue.lines for cue in cues(words)]


def test_srt_is_written_as_players_expect_it() -> None:
    words = [*said("one two", 0.5), *said("three", 3661.25)]
    assert to_srt(words) == (
        "1\n00:00:00,500 --> 00:00:01,500\none two\n\n2\n01:01:01,250 --> 01:01:02,250\nthree\n"
    )


def test_vtt_is_written_as_browsers_expect_it() -> None:
    assert to_vtt(said("R&D <b> -->")) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nR&amp;D &lt;b&gt; --&gt;\n"
    )


def test_control_characters_are_left_out() -> None:
    word = Word(text="a\x1b\0b\n\nc", start_s=0.0, end_s=1.0)
    assert lines([word, Word(text="\x07", start_s=1.0, end_s=1.0)]) == [("ab c",)]


def test_silence_makes_a_valid_empty_document() -> None:
    assert to_srt([]) == ""
    assert to_vtt([]) == "WEBVTT\n"


def test_a_pause_ends_a_cue() -> None:
    assert lines([*said("yes"), *said("no", 2.0)]) == [("yes",), ("no",)]


def test_a_sentence_ends_a_cue_but_an_abbreviation_does_not() -> None:
    assert lines(said("Ask Dr. Smith about it today. He knows.")) == [
        ("Ask Dr. Smith about it today.",),
        ("He knows.",),
    ]


def test_two_lines_are_balanced() -> None:
    assert lines(said("the quick brown fox jumps over the lazy dog again")) == [
        ("the quick brown fox jumps", "over the lazy dog again")
    ]


def test_a_full_cue_is_cut_after_its_last_clause() -> None:
    text = (
        "we went down to the river in the early morning light, "
        "and then we looked for the boat that was not there"
    )
    assert [" ".join(cue) for cue in lines(said(text, word_s=0.2))] == [
        "we went down to the river in the early morning light,",
        "and then we looked for the boat that was not there",
    ]


def test_slow_speech_is_cut_by_time() -> None:
    slow = cues(said("one two three four five six seven eight nine ten", word_s=1.0))
    assert [(cue.start_s, cue.end_s) for cue in slow] == [(0, 7), (7, 10)]


def test_a_script_without_spaces_is_cut_by_columns() -> None:
    text = "今日はとても良い天気です"
    groups = [
        Word(text=text, start_s=i * 1.5, end_s=i * 1.5 + 1.5, space_before=False) for i in range(4)
    ]
    assert lines(groups) == [(text, text), (text, text)]


def test_a_word_wider_than_a_line_is_cut_and_its_time_shared() -> None:
    shown = cues([Word(text="字" * 63, start_s=0.0, end_s=6.0)])
    assert [cue.lines for cue in shown] == [("字" * 21, "字" * 21), ("字" * 21,)]
    assert [(cue.start_s, cue.end_s) for cue in shown] == [(0.0, 4.0), (4.0, 6.0)]


def test_a_short_cue_stays_a_second_unless_the_next_one_comes() -> None:
    first, second = cues([*said("this sentence is long enough.", 0.0, 0.05), *said("yes", 0.4)])
    assert (first.start_s, first.end_s) == (0.0, 0.4)
    assert (second.start_s, second.end_s) == (0.4, 1.4)


@st.composite
def transcripts(draw: st.DrawFn) -> list[Word]:
    letters = st.characters(codec="utf-8", categories=["L", "N", "P", "S", "M"])
    text = st.text(letters, min_size=1, max_size=60) | st.sampled_from(
        ["yes.", "no,", "-->", "字字"]
    )
    clock_s, words = 0.0, []
    for part in draw(st.lists(text, max_size=40)):
        start_s = clock_s + draw(st.sampled_from([0.0, 0.0, 0.24, 2.0]))
        clock_s = start_s + draw(st.sampled_from([0.0, 0.08, 0.4, 1.0]))
        spaced = draw(st.booleans())
        words.append(Word(text=part, start_s=start_s, end_s=clock_s, space_before=spaced))
    return words


check = settings(max_examples=100, deadline=None, derandomize=True)


@check
@given(transcripts())
def test_cues_keep_the_limits_and_follow_each_other(words: list[Word]) -> None:
    clock_s = 0.0
    for cue in cues(words):
        assert clock_s <= cue.start_s < cue.end_s
        assert cue.end_s - cue.start_s <= MAX_CUE_S + 0.01
        assert 1 <= len(cue.lines) <= 2
        assert all(line and line == line.strip() for line in cue.lines)
        clock_s = cue.end_s


@check
@given(transcripts())
def test_parsers_read_back_the_text_and_the_times(words: list[Word]) -> None:
    wanted = "".join(join_words(words).split())
    from_srt = list(srt.parse(to_srt(words)))
    from_vtt = webvtt.from_buffer(io.StringIO(to_vtt(words))).captions if words else []
    assert "".join("".join(cue.content.split()) for cue in from_srt) == wanted
    assert "".join("".join(unescape(cue.text).split()) for cue in from_vtt) == wanted
    times = [time for cue in cues(words) for time in (cue.start_s, cue.end_s)]
    srt_times = [time.total_seconds() for cue in from_srt for time in (cue.start, cue.end)]
    vtt_times = [seconds(time) for cue in from_vtt for time in (cue.start, cue.end)]
    assert srt_times == pytest.approx(times)
    assert vtt_times == pytest.approx(times)


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


@check
@given(st.lists(st.integers(1, 60).map("x".__mul__), max_size=30))
def test_no_line_is_wider_than_the_limit(parts: list[str]) -> None:
    for cue in cues(said(" ".join(parts))):
        assert max(map(len, cue.lines)) <= MAX_COLUMNS


def unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
