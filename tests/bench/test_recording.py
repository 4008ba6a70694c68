"""A recording is people's speech, of whole positions and exact in 16 bits."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from tests.bench.recording import POSITION_SAMPLES, record, rolled, write_wav


def test_it_is_the_same_for_the_same_seed_and_holds_its_words() -> None:
    recording = record(12, seed=3)
    assert np.array_equal(recording.samples, record(12, seed=3).samples)
    assert recording.words
    assert recording.samples.shape == (12 * 16000,)
    assert not np.array_equal(recording.samples, record(12, seed=4).samples)


def test_a_wav_file_holds_the_very_samples(tmp_path: Path) -> None:
    samples = record(2).samples
    write_wav(tmp_path / "a.wav", samples)
    with wave.open(str(tmp_path / "a.wav")) as file:
        read = np.frombuffer(file.readframes(len(samples)), "<i2") / np.float32(32768)
    assert np.array_equal(read, samples)


def test_rolling_begins_at_another_position() -> None:
    samples = np.arange(4 * POSITION_SAMPLES, dtype=np.float32)
    assert rolled(samples, 1, 4)[0] == POSITION_SAMPLES
    assert np.array_equal(np.sort(rolled(samples, 3, 4)), samples)
