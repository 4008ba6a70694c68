"""The page's pure parts: resampling, frames, subtitles, server-sent events."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.clients.web.conftest import Bridge
from voxwire.protocol.subtitles import to_srt, to_vtt
from voxwire.protocol.transcript import Transcript, Word

# One node process serves all examples.
shared = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
RATES_HZ = [8000, 16000, 22050, 24000, 44100, 48000, 96000]
MAX_FRAME_SAMPLES = 1280

Floats = npt.NDArray[np.float64]


def tone(hz: float, rate_hz: int, seconds: float = 0.25) -> Floats:
    return np.sin(2 * math.pi * hz * np.arange(int(seconds * rate_hz)) / rate_hz)


def resample(bridge: Bridge, samples: Floats, from_hz: int) -> Floats:
    argument = {"from": from_hz, "to": 16000, "pieces": [samples.tolist()]}
    return np.array(bridge("resample", argument))


def amplitude(samples: Floats) -> float:
    """Return that of a tone, its beginning and end apart."""
    return float(np.sqrt(2 * np.mean(samples[800:-800] ** 2)))


@pytest.mark.parametrize("rate_hz", [24000, 44100, 48000, 96000])
@pytest.mark.parametrize("hz", [100, 1000, 4000, 6500])
def test_speech_passes_the_low_pass_unchanged(bridge: Bridge, rate_hz: int, hz: int) -> None:
    heard = resample(bridge, tone(hz, rate_hz), rate_hz)
    assert amplitude(heard) == pytest.approx(1, abs=0.01)
    assert np.allclose(heard[800:-800], tone(hz, 16000)[800 : len(heard) - 800], atol=0.01)


@pytest.mark.parametrize("rate_hz", [24000, 44100, 48000, 96000])
@pytest.mark.parametrize("hz", [8100, 9500, 11500])
def test_what_would_alias_is_gone(bridge: Bridge, rate_hz: int, hz: int) -> None:
    heard = resample(bridge, tone(hz, rate_hz), rate_hz)
    assert 20 * math.log10(amplitude(heard) + 1e-12) < -75


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_no_sample_is_lost_or_invented(bridge: Bridge, rate_hz: int) -> None:
    heard = resample(bridge, np.ones(rate_hz), rate_hz)
    assert len(heard) == 16000
    assert np.allclose(heard[400:-400], 1, atol=1e-3)


@shared
@given(
    st.sampled_from(RATES_HZ),
    st.lists(st.integers(0, 700), min_size=1, max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_any_cutting_gives_the_same_frames(
    bridge: Bridge, rate_hz: int, lengths: list[int], seed: int
) -> None:
    whole = np.random.default_rng(seed).uniform(-1.2, 1.2, sum(lengths))
    pieces = np.split(whole, np.cumsum(lengths)[:-1])
    cut = bridge("frames", {"rate": rate_hz, "pieces": [piece.tolist() for piece in pieces]})
    assert cut == bridge("frames", {"rate": rate_hz, "pieces": [whole.tolist()]})
    n_samples = sum(len(frame["pcm"]) for frame in cut)
    assert n_samples == -(-len(whole) * 16000 // rate_hz)
    assert all(len(frame["pcm"]) == MAX_FRAME_SAMPLES for frame in cut[:-1])


def test_a_frame_is_pcm16_with_the_peak_of_each_20_ms(bridge: Bridge) -> None:
    samples = np.zeros(MAX_FRAME_SAMPLES)
    samples[[0, 400, 1279]] = [1.5, -0.4, 0.2]  # too loud is clipped
    [frame] = bridge("frames", {"rate": 16000, "pieces": [samples.tolist()]})
    assert frame["pcm"] == np.round(np.clip(samples, -1, 1) * 32767).astype(int).tolist()
    assert frame["peaks"] == pytest.approx([1, 0.4, 0, 0.2], abs=1e-4)


texts = st.text(st.sampled_from("abcMW .,?!…\"'”)-äé\u0301漢字ﾊあ<&>\n\t\x07"), max_size=60)
gaps_ms = st.integers(0, 2500)


@st.composite
def words(draw: st.DrawFn) -> list[Word]:
    clock_ms, result = 0, []
    for _ in range(draw(st.integers(0, 25))):
        start_ms = clock_ms + draw(gaps_ms)
        clock_ms = start_ms + draw(gaps_ms)
        times = {"start_s": start_ms / 1000, "end_s": clock_ms / 1000}
        result.append(Word(text=draw(texts), space_before=draw(st.booleans()), **times))
    return result


@shared
@given(words())
def test_the_page_writes_the_subtitles_that_the_command_line_writes(
    bridge: Bridge, spoken: list[Word]
) -> None:
    given_words = [word.model_dump() for word in spoken]
    assert bridge("srt", given_words) == to_srt(spoken)
    assert bridge("vtt", given_words) == to_vtt(spoken)


def timed(text: str, start_s: float, end_s: float) -> dict[str, Any]:
    word = {"text": text, "start_s": start_s, "end_s": end_s, "space_before": False}
    return {"text": text, "words": [word], "startS": start_s, "endS": end_s}


LOST = {"text": "half <a> line", "words": [], "startS": 2.0, "endS": 4.5}
TAKE = [timed("Hello.", 0.5, 1.0), LOST, timed("Again.", 4.6, 5.2)]


def test_text_without_words_is_in_every_format_at_its_own_time(bridge: Bridge) -> None:
    """What was heard before a connection was lost for good."""

    def render(format: str) -> str:
        return str(bridge("render", {"segments": TAKE, "format": format}))

    assert render("txt") == "Hello.\nhalf <a> line\nAgain.\n"
    assert "00:00:02,000 --> 00:00:04,500\nhalf <a> line\n\n3\n" in render("srt")
    assert "00:00:02.000 --> 00:00:04.500\nhalf &lt;a&gt; line\n\n" in render("vtt")
    transcript = Transcript.model_validate_json(render("json"))
    assert transcript.text == "Hello. half <a> line Again."
    assert [word.text for word in transcript.words] == ["Hello.", "Again."]
    assert [segment.start_s for segment in transcript.segments] == [0.5, 2.0, 4.6]


def test_long_text_without_words_is_cut_between_words(bridge: Bridge) -> None:
    text = " ".join(["seven"] * 60)
    segments = [{"text": text, "words": [], "startS": 1.0, "endS": 31.0}]
    blocks = bridge("render", {"segments": segments, "format": "srt"}).strip().split("\n\n")
    lines = [line for block in blocks for line in block.split("\n")[2:]]
    assert " ".join(lines) == text
    assert max(map(len, lines)) <= 42
    assert blocks[0].startswith("1\n00:00:01,000")
    assert "--> 00:00:31,000" in blocks[-1]


def test_text_that_is_kept_ends_with_the_audio_that_was_heard_for_it(bridge: Bridge) -> None:
    partials = [{"text": "half", "at_s": 1.5}, {"text": "half a", "at_s": 2.25}]
    [kept] = bridge("lost", {"partials": partials, "fromS": 10, "durationS": 99})
    assert kept == {"text": "half a", "words": [], "startS": 11.5, "endS": 12.25}


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("correct-horse", "correct-horse"),
        (" \tcorrect-horse\n", "correct-horse"),
        ("Bearer  correct-horse", "correct-horse"),
        ("bearer correct-horse", "correct-horse"),
        ("correct horse", None),
        ("schlüsselwort", None),
        ("correct,horse", None),
        ("correct/horse", None),
        ("short", None),
        ("x" * 257, None),
        ("Bearer ", None),
        ("", None),
    ],
)
def test_only_what_can_be_a_key_is_taken_for_one(
    bridge: Bridge, typed: str, key: str | None
) -> None:
    assert bridge("key", typed) == key


DONE = {
    "type": "transcript.text.done",
    "text": "Hello, world. Again!",
    "duration": 3.5,
    "words": [
        {"word": "Hello,", "start": 0.1, "end": 0.5},
        {"word": "world.", "start": 0.6, "end": 1.0, "confidence": 0.9},
        {"word": "Again!", "start": 2.5, "end": 3.0},
    ],
    "segments": [
        {"text": "Hello, world.", "start": 0.1, "end": 1.0},
        {"text": "Again!", "start": 2.5, "end": 3.0},
    ],
}
STREAM = "".join(
    [
        ': progress {"done_s":0.0,"total_s":null}\n\n',
        'data: {"type":"transcript.text.delta","delta":"Hello, wörld."}\n\n',
        ': progress {"done_s":1.0,"total_s":3.5}\n\n',
        f"data: {json.dumps(DONE)}\n\n",
    ]
)


@shared
@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_any_cutting_of_an_answer_tells_the_same(bridge: Bridge, cuts: list[int]) -> None:
    grown = [STREAM[:cut] for cut in sorted(cuts)]
    told = bridge("events", [*grown, STREAM])
    assert [name for name, *_ in told] == ["onHeard", "onText", "onHeard", "onDone"]
    assert told[:3] == [["onHeard", 0, None], ["onText", "Hello, wörld."], ["onHeard", 1, 3.5]]


def test_words_are_given_back_to_their_segments(bridge: Bridge) -> None:
    *_, (_, segments, duration_s, served) = bridge("events", [STREAM])
    assert (duration_s, served) == (3.5, {"model": "embedded", "delayMs": 480})
    assert [segment["text"] for segment in segments] == ["Hello, world.", "Again!"]
    first, second = (segment["words"] for segment in segments)
    assert first[0] == {"text": "Hello,", "start_s": 0.1, "end_s": 0.5, "space_before": False}
    assert first[1]["confidence"] == 0.9
    assert second[0]["space_before"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("", "the answer ended early"),
        ('data: {"type":"transcript.text.delta","delta":"a"}\n\n', "the answer ended early"),
        ('data: {"error":{"message":"the decoder died"}}\n\n', "the decoder died"),
    ],
)
def test_an_answer_without_its_last_event_is_a_problem(
    bridge: Bridge, answer: str, problem: str
) -> None:
    told: list[Any] = bridge("events", [answer])
    assert told[-1] == ["onProblem", {"kind": "upload", "detail": problem}]
    assert [name for name, *_ in told].count("onProblem") == 1


said = st.lists(st.integers(0, 255), min_size=1, max_size=9) | st.text("abc", min_size=1)
moves = st.sampled_from(["say", "send", "lose", "receipt", "cut", "end"])


@shared
@given(st.lists(said, max_size=12), st.lists(moves, max_size=60))
def test_every_piece_is_heard_once_and_in_order_whatever_breaks(
    bridge: Bridge, pieces: list[Any], steps: list[str]
) -> None:
    n = len(pieces)
    rest = [*["say"] * n, "cut", *["send"] * n, "receipt"]
    heard = bridge("ring", {"said": pieces, "steps": steps + rest})
    assert heard == {"server": pieces, "kept": 0}
