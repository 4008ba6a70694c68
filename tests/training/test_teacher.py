"""The teacher rebuilt in torch tells what the packaged runtime tells, position by position."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tflite", reason="the training extra has it")
pytest.importorskip("pyopen_wakeword", reason="the training extra has it")

import pyopen_wakeword as runtime
import torch

from voxwire.model.training.clips import Clip
from voxwire.model.training.teacher import LEAD, SIZE, Teacher

POSITION = 1280
N = 30  # positions


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return Teacher()


def hiss(seed: int = 0) -> np.ndarray:
    """Return loud noise, int16: the runtime's range of 80 dB, drawn anew each 80 ms, is idle."""
    return np.random.default_rng(seed).normal(0, 3000, N * POSITION).astype(np.int16)


def row(samples: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(samples.astype(np.float32) / 32768)[None]


def test_a_row_at_once_is_the_runtime_window_by_window(teacher: Teacher) -> None:
    samples = hiss()
    pieces = np.split(samples, N)
    features = runtime.OpenWakeWordFeatures.from_builtin()
    told = np.concatenate(
        [e.reshape(-1, SIZE) for p in pieces for e in features.process_streaming(p.tobytes())]
    )
    ours = teacher.embed(teacher.mel(row(samples)))[0].numpy()
    # It has not yet read the last windows: it wants 1760 samples for the last 8 frames.
    np.testing.assert_allclose(ours[-16:-1], told[-15:], atol=1e-3)


def test_a_position_is_owed_the_window_that_ends_with_its_own_audio(teacher: Teacher) -> None:
    samples = hiss()
    owed = teacher(row(samples))[0]
    assert owed.shape == (N, SIZE)
    changed = samples.copy()
    changed[20 * POSITION :] = hiss(1)[20 * POSITION :]
    differs = (teacher(row(changed))[0] != owed).any(1)
    assert not differs[LEAD:20].any()  # those before hear the range of 80 dB below the row's peak
    assert differs[20:].all()


def test_the_numbers_are_centred_on_the_recordings_it_settled_on() -> None:
    samples = np.concatenate([hiss(2), hiss(3) // 50])
    clips = [
        Clip("", "commands", "a", "go", "train", start, N * POSITION, [("go", 0.2, 0.5)])
        for start in (0, N * POSITION)
    ]
    teacher = Teacher()
    teacher.settle(clips, samples)
    told = (teacher.embed(teacher.mel(row(samples))) - teacher.mean) / teacher.spread
    assert told.mean((0, 1)).abs().max() < 1e-3
    assert (told.std((0, 1)) - 1).abs().max() < 1e-2
