"""Bytes to samples: every encoding, every rate, any cutting."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from voxwire.protocol.errors import InvalidRequestError
from voxwire.protocol.session import AudioFormat, Encoding
from voxwire.server.session.samples import SampleReader

RATES_HZ = (8000, 11025, 16000, 22050, 24000, 44100, 48000)
formats = st.builds(
    AudioFormat, st.sampled_from(Encoding), st.sampled_from(RATES_HZ), st.integers(1, 2)
)


def speech(n_bytes: int, seed: int, encoding: Encoding) -> bytes:
    rng = np.random.default_rng(seed)
    if encoding is Encoding.FLOAT32:
        return rng.uniform(-1, 1, n_bytes // 4).astype("<f4").tobytes()
    return rng.bytes(n_bytes)


def read_in_pieces(reader: SampleReader, data: bytes, cuts: list[int]) -> np.ndarray:
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [reader.read(data[low:high]) for low, high in pairwise(bounds)]
    return np.concatenate([*pieces, reader.flush()])


@given(form=formats, seed=st.integers(0, 99), cuts=st.lists(st.integers(0, 10**6), max_size=12))
def test_any_cutting_gives_the_same_samples(form: AudioFormat, seed: int, cuts: list[int]) -> None:
    data = speech(8000, seed, form.encoding)
    whole = read_in_pieces(SampleReader(form), data, [])
    np.testing.assert_array_equal(read_in_pieces(SampleReader(form), data, cuts), whole)


@given(form=formats, cut=st.integers(0, 8000))
def test_a_sample_that_a_flush_parts_is_read_whole_after_it(form: AudioFormat, cut: int) -> None:
    data = speech(8000, 3, form.encoding)
    parted, whole = SampleReader(form), SampleReader(form)
    at = cut // form.frame_bytes * form.frame_bytes
    for reader, place in ((parted, cut), (whole, at)):
        reader.read(data[:place])
        reader.flush()
    np.testing.assert_array_equal(parted.read(data[cut:]), whole.read(data[at:]))


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_every_rate_becomes_sixteen_kilohertz(rate_hz: int) -> None:
    t = np.arange(rate_hz) / rate_hz
    tone = (0.5 * np.sin(2 * np.pi * 440 * t)).astype("<f4")
    reader = SampleReader(AudioFormat(Encoding.FLOAT32, rate_hz))
    heard = np.concatenate([reader.read(tone.tobytes()), reader.flush()])
    wanted = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    assert abs(len(heard) - 16000) <= 1
    middle = slice(2000, 14000)
    np.testing.assert_allclose(heard[middle], wanted[middle], atol=2e-3)


def test_streamed_resampling_equals_that_of_the_whole() -> None:
    noise = np.random.default_rng(1).uniform(-1, 1, 24000).astype("<f4")
    reader = SampleReader(AudioFormat(Encoding.FLOAT32, 24000))
    pieces = [reader.read(noise[i : i + 480].tobytes()) for i in range(0, len(noise), 480)]
    heard = np.concatenate([*pieces, reader.flush()])
    np.testing.assert_allclose(heard, soxr.resample(noise, 24000, 16000), atol=1e-6)


def test_two_channels_are_averaged() -> None:
    left, right = np.array([1000, -2000], "<i2"), np.array([3000, 4000], "<i2")
    reader = SampleReader(AudioFormat(n_channels=2))
    heard = reader.read(np.stack([left, right], axis=1).tobytes())
    np.testing.assert_allclose(heard, np.array([2000, 1000]) / 32768)


@pytest.mark.parametrize(
    ("encoding", "code", "sample"),
    [
        (Encoding.MULAW, 0xFF, 0),
        (Encoding.MULAW, 0x80, 32124),
        (Encoding.MULAW, 0x00, -32124),
        (Encoding.MULAW, 0xEF, 132),
        (Encoding.ALAW, 0xD5, 8),
        (Encoding.ALAW, 0x55, -8),
        (Encoding.ALAW, 0xAA, 32256),
        (Encoding.ALAW, 0x2A, -32256),
    ],
)
def test_g711_codes_stand_for_the_samples_of_the_standard(
    encoding: Encoding, code: int, sample: int
) -> None:
    heard = SampleReader(AudioFormat(encoding)).read(bytes([code]))
    assert heard[0] * 32768 == sample


@pytest.mark.parametrize("sample", [np.nan, np.inf, -1e25])
def test_what_is_no_sound_is_refused_and_nothing_is_taken(sample: float) -> None:
    reader = SampleReader(AudioFormat(Encoding.FLOAT32))
    bad = np.array([0.1, sample], "<f4").tobytes()
    with pytest.raises(InvalidRequestError, match=re.escape(f"from -1 to 1, got {sample:g}")):
        reader.check(bad)
    good = np.array([0.25], "<f4")
    np.testing.assert_array_equal(reader.read(good.tobytes()), good)


@pytest.mark.parametrize(("rate_hz", "n_channels"), [(7999, 1), (48001, 1), (16000, 0), (16000, 3)])
def test_a_format_outside_the_bounds_is_refused(rate_hz: int, n_channels: int) -> None:
    with pytest.raises(InvalidRequestError, match="expected"):
        AudioFormat(Encoding.PCM16, rate_hz, n_channels)
