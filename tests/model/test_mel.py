"""The log-mel front end: its values, and that no cutting of the audio changes a bit of it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.models import make_recording
from tests.model.numpy_reference import Reference
from tests.random_checkpoint import PARAMS
from voxwire.model.config import AudioConfig, ModelConfig
from voxwire.model.delay import DELAYS_TOKENS, N_PREFIX_TOKENS, right_pad_tokens
from voxwire.model.errors import AudioError
from voxwire.model.mel import MelStream, frames_of, log_mel

CONFIG = ModelConfig.from_params(PARAMS["tiny"])


def test_silence_is_the_floor_in_every_bin() -> None:
    assert (log_mel(np.zeros((3, 400), np.float32), AudioConfig()) == -0.625).all()


@pytest.mark.parametrize("name", ["tiny", "one-kv-head"])
@pytest.mark.parametrize("n_samples", [0, 1, 1280, 7777])
def test_frames_equal_the_reference(name: str, n_samples: int) -> None:
    params = PARAMS[name]
    samples = make_recording(1, n_samples)
    stream = MelStream(ModelConfig.from_params(params), 6)
    stream.feed(samples)
    stream.flush()
    mine = stream.take(stream.n_ready)
    theirs = Reference(params, {}).mel(samples, 6)
    assert (theirs[: 8 * N_PREFIX_TOKENS] == -0.625).all()
    np.testing.assert_allclose(mine, theirs[8 * N_PREFIX_TOKENS :], atol=1e-6)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    cuts=st.lists(st.integers(0, 9000), max_size=12), greedy=st.lists(st.booleans(), max_size=13)
)
def test_any_cutting_gives_the_same_bits(cuts: list[int], greedy: list[bool]) -> None:
    samples = make_recording(2, 9000)
    stream, frames = MelStream(CONFIG, 6), []
    edges = [0, *sorted(cuts), len(samples)]
    for index, (start, stop) in enumerate(itertools.pairwise(edges)):
        stream.feed(samples[start:stop])
        if index < len(greedy) and greedy[index]:
            frames += [stream.take(1) for _ in range(stream.n_ready)]
    stream.flush()
    frames.append(stream.take(stream.n_ready))
    whole = MelStream(CONFIG, 6)
    whole.feed(samples)
    whole.flush()
    assert np.array_equal(np.concatenate(frames), whole.take(whole.n_ready))


@settings(deadline=None, derandomize=True, max_examples=20)
@given(first=st.integers(0, 63), n=st.integers(1, 64))
def test_a_frame_does_not_depend_on_its_neighbours(first: int, n: int) -> None:
    windows = make_recording(3, 128 * 400).reshape(128, 400)
    together = log_mel(windows, AudioConfig())
    assert np.array_equal(log_mel(windows[first : first + n], AudioConfig()), together[first:][:n])


@pytest.mark.parametrize("n_sessions", [1, 3, 40])
@pytest.mark.parametrize("n_positions", [1, 5])
def test_sessions_together_get_the_bits_they_get_alone(n_sessions: int, n_positions: int) -> None:
    alone, together = ([MelStream(CONFIG, 6) for _ in range(n_sessions)] for _ in range(2))
    for seed, streams in enumerate(zip(alone, together, strict=True)):
        for stream in streams:
            stream.feed(make_recording(seed, 1280 * 6))
    frames = frames_of([stream.cut(n_positions) for stream in together], CONFIG.audio)
    assert np.array_equal(frames, np.stack([stream.take(n_positions) for stream in alone]))
    assert {stream.n_ready for stream in together} == {6 - n_positions}


def test_a_position_is_ready_when_its_last_window_is_complete() -> None:
    stream = MelStream(CONFIG, 6)
    ready = []
    for n_samples in (39, 1, 1279, 1):
        stream.feed(np.zeros(n_samples, np.float32))
        ready.append(stream.n_ready)
    assert ready == [0, 1, 1, 2]


@pytest.mark.parametrize("delay", DELAYS_TOKENS)
@pytest.mark.parametrize("n_samples", [0, 1, 39, 1280, 1281])
def test_flush_completes_all_positions_and_no_more(delay: int, n_samples: int) -> None:
    stream = MelStream(CONFIG, delay)
    stream.feed(np.zeros(n_samples, np.float32))
    stream.flush()
    assert stream.n_ready == 1 + -(-n_samples // 1280) + right_pad_tokens(delay)


def test_a_stream_goes_on_after_a_flush() -> None:
    samples = make_recording(4, 5000)
    stream = MelStream(CONFIG, 6)
    stream.feed(samples[:2000])
    silence = stream.flush()
    stream.feed(samples[2000:])
    padded = MelStream(CONFIG, 6)
    padded.feed(np.concatenate([samples[:2000], np.zeros(silence, np.float32), samples[2000:]]))
    assert np.array_equal(stream.take(stream.n_ready), padded.take(padded.n_ready))


def test_an_hour_leaves_no_more_behind_than_a_second() -> None:
    stream = MelStream(CONFIG, 6)
    left = set()
    for _ in range(40):
        stream.feed(np.zeros(12_800, np.float32))
        stream.take(stream.n_ready)
        left.add(len(stream._buffer))
    assert left == {1480}  # what the next window still wants: less than one position and a window


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros(4),
        np.zeros(4, np.int16),
        np.zeros((2, 4), np.float32),
        np.array([0, np.nan], np.float32),
        np.array([np.inf], np.float32),
    ],
    ids=["float64", "int16", "stereo", "nan", "infinity"],
)
def test_other_samples_are_refused_and_leave_nothing(samples: np.ndarray) -> None:
    stream = MelStream(CONFIG, 6)
    with pytest.raises(AudioError):
        stream.feed(samples)
    stream.feed(np.zeros(39, np.float32))
    assert stream.n_ready == 0


def test_only_ready_positions_can_be_taken() -> None:
    stream = MelStream(CONFIG, 6)
    assert stream.take(0).shape == (0, 128)
    for n in (-1, 1):
        with pytest.raises(ValueError, match="expected 0 to 0"):
            stream.take(n)


def test_fed_samples_may_be_overwritten_afterwards() -> None:
    samples = make_recording(5, 4000).copy()
    stream = MelStream(CONFIG, 6)
    stream.feed(samples)
    expected = mel_frames(samples.copy())
    samples[:] = 0
    assert np.array_equal(stream.take(stream.n_ready), expected)


def mel_frames(samples: np.ndarray) -> np.ndarray:
    stream = MelStream(CONFIG, 6)
    stream.feed(samples)
    return stream.take(stream.n_ready)
