"""One way through the model for files and live audio: the cutting of the audio does not matter."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.media_files import Signal, chirp
from voxwire.model.errors import AudioError, DelayError
from voxwire.model.offline import transcribe_tokens
from voxwire.model.text import Delta
from voxwire.server.collector import Collector
from voxwire.server.live import LiveTranscriber, OpenModel

DELAY_TOKENS = 2


def audio(seconds: float = 2.0) -> Signal:
    noise = np.random.default_rng(5).normal(0, 0.02, round(16000 * seconds))
    return (chirp(16000, seconds) + noise).astype(np.float32)


def listen(opened: OpenModel, pieces: list[Signal]) -> list[Delta]:
    live = LiveTranscriber(opened, DELAY_TOKENS)
    deltas = [delta for piece in pieces for delta in live.feed(piece)]
    return deltas + live.finish()


def test_it_writes_what_the_model_writes_offline(opened: OpenModel) -> None:
    tokens = transcribe_tokens(opened.model, audio(), DELAY_TOKENS)
    deltas = listen(opened, [audio()])
    text = "".join(delta.text for delta in deltas)
    assert text == opened.tekken.decode(tokens).lstrip()
    assert len(set(text)) > 3
    assert len(deltas) == len(tokens) + 1


@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.integers(0, 32000), max_size=20))
def test_any_cutting_gives_the_same_deltas(opened: OpenModel, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), 32000]
    pieces = [audio()[start:end] for start, end in itertools.pairwise(edges)]
    assert listen(opened, pieces) == listen(opened, [audio()])


def test_a_position_is_written_as_soon_as_its_audio_is_there(opened: OpenModel) -> None:
    live = LiveTranscriber(opened, DELAY_TOKENS)
    needed = (DELAY_TOKENS + 1) * 1280 + 40  # the first token's audio and 2.5 ms of look-ahead
    samples = audio()
    assert live.feed(samples[: needed - 1]) == []
    assert len(live.feed(samples[needed - 1 : needed])) == 1
    assert live.feed(samples[needed : needed + 1279]) == []
    assert len(live.feed(samples[needed + 1279 : needed + 1280])) == 1


def test_silence_too_short_for_a_position_is_a_transcript_too(opened: OpenModel) -> None:
    assert listen(opened, [])[-1].text == ""


def test_wrong_audio_and_wrong_delays_are_refused(opened: OpenModel) -> None:
    with pytest.raises(DelayError):
        LiveTranscriber(opened, 16)
    with pytest.raises(AudioError):
        LiveTranscriber(opened, DELAY_TOKENS).feed(np.full(100, np.nan, np.float32))


def test_the_collected_transcript_is_the_sum_of_its_deltas(opened: OpenModel) -> None:
    deltas = listen(opened, [audio()])
    collector = Collector()
    added = [collector.add([delta]) for delta in deltas]
    transcript = collector.transcript(32000, "some model", 160)
    assert added == [delta.text for delta in deltas]
    assert transcript.text == "".join(added).rstrip()
    assert transcript.duration_s == 2.0
    assert (transcript.model, transcript.delay_ms) == ("some model", 160)
    words = [word for delta in deltas for word in delta.words]
    assert [(word.text, word.end_s) for word in transcript.words] == [
        (word.text, min(word.end_s, 2.0)) for word in words
    ]
    assert transcript.segments
