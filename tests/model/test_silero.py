"""The detector gives what ONNX Runtime gives, whoever else is in the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.voices import FOLDER, read
from voxwire.model.silero.network import WINDOW_SAMPLES, Floats, SileroVad, VadState

REFERENCE = Path(__file__).with_name("silero_reference.npz")
DEMO = Path(__file__).parents[2] / "model/embedded/demo/digits.flac"
NETWORK = SileroVad()


def windows(samples: Floats) -> Floats:
    whole = samples[: len(samples) // WINDOW_SAMPLES * WINDOW_SAMPLES]
    return whole.reshape(-1, WINDOW_SAMPLES)


VOICE = windows(read(FOLDER / "fsdd-george-8150942.flac"))


def alone(stream: Floats) -> Floats:
    return NETWORK.probabilities([stream], [VadState()])[0]


def test_it_gives_what_onnx_runtime_gives() -> None:
    """The reference is frozen by freeze_silero.py from the wheel of silero-vad 6.2.3."""
    expected = np.load(REFERENCE)["probabilities"]
    found = alone(windows(read(DEMO)))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_array_equal(found > 0.5, expected > 0.5)


@st.composite
def streams(draw: st.DrawFn) -> list[Floats]:
    """Up to six streams of different lengths, each from somewhere in the recording."""
    spans = st.tuples(st.integers(0, len(VOICE)), st.integers(0, 24))
    drawn = draw(st.lists(spans, min_size=1, max_size=6))
    loudness = draw(st.sampled_from([0.01, 0.3, 1.0, 4.0]))
    return [VOICE[start : start + n] * np.float32(loudness) for start, n in drawn]


@settings(deadline=None, max_examples=40)
@given(streams())
def test_a_stream_hears_the_same_alone_and_in_any_company(batch: list[Floats]) -> None:
    together = NETWORK.probabilities(batch, [VadState() for _ in batch])
    for stream, found in zip(batch, together, strict=True):
        expected = alone(stream) if len(stream) else stream[:, 0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
        np.testing.assert_array_equal(found >= 0.5, expected >= 0.5)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, len(VOICE)), max_size=6))
def test_windows_may_come_in_any_portions(cuts: list[int]) -> None:
    state = VadState()
    parts = np.split(VOICE, sorted(set(cuts)))
    found = [NETWORK.probabilities([part], [state])[0] for part in parts if len(part)]
    np.testing.assert_allclose(np.concatenate(found), alone(VOICE), rtol=0, atol=1e-5)


@pytest.mark.parametrize("loudness", [1e4, 1e38])
def test_samples_far_beyond_full_scale_do_not_spoil_what_follows(loudness: float) -> None:
    state = VadState()
    NETWORK.probabilities([VOICE[:20] * np.float32(loudness)], [state])
    after = NETWORK.probabilities([VOICE], [state])[0]
    assert np.isfinite(after).all()
    assert (after > 0.5).mean() == pytest.approx((alone(VOICE) > 0.5).mean(), abs=0.2)


def test_silence_and_noise_are_no_speech() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, (60, WINDOW_SAMPLES)).astype(np.float32)
    assert alone(np.zeros((60, WINDOW_SAMPLES), np.float32)).max() < 0.1
    assert alone(noise).max() < 0.5
