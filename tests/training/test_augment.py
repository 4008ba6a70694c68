"""The training front end is the product's; the disguises do what they say."""

from __future__ import annotations

import numpy as np

from voxwire.model.config import AudioConfig
from voxwire.model.mel import log_mel
from voxwire.model.training import augment


def _tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    t = np.arange(int(16000 * seconds)) / 16000
    return (0.3 * np.sin(2 * np.pi * hz * t)).astype(np.float32)


def _peak_hz(x: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(x))) * 16000 / len(x))


def test_an_undisguised_row_has_the_mel_frames_the_model_hears() -> None:
    x = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    trained = augment.log_mel(augment.power_frames(x, 90), [])
    padded = np.concatenate([np.zeros(200, np.float32), x])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 400)[::160][:90]
    heard = log_mel(np.ascontiguousarray(windows), AudioConfig())
    np.testing.assert_allclose(trained, heard, atol=2e-5)


def test_a_warped_bank_moves_formants_and_leaves_silence_alone() -> None:
    power = augment.power_frames(_tone(1000), 50)
    longer = augment.log_mel(power, [(0, 50, 0)])
    plain = augment.log_mel(power, [])
    assert plain[25].argmax() != longer[25].argmax()
    silence = augment.log_mel(np.zeros((50, 201), np.float32), [(0, 50, 0)])
    assert np.all(silence == -0.625)


def test_speed_moves_pitch_and_length_together() -> None:
    faster = augment.speed(_tone(500), 1.25)
    assert abs(len(faster) - 16000 / 1.25) < 10
    assert abs(_peak_hz(faster) - 625) < 5


def test_tempo_keeps_the_pitch() -> None:
    slower = augment.tempo(_tone(500, 2.0), 0.8)
    assert 1.15 < len(slower) / 32000 < 1.3
    assert abs(_peak_hz(slower) - 500) < 5


def test_a_room_keeps_the_direct_sound_and_adds_a_tail() -> None:
    click = np.zeros(16000, np.float32)
    click[100] = 1.0
    wet = augment.room(np.random.default_rng(1), click)
    assert abs(wet[100] - 1.0) < 0.01
    assert np.abs(wet[:100]).max() < 1e-3
    assert np.abs(wet[150:]).max() > 1e-3


def test_rumble_lies_below_speech_at_unit_level() -> None:
    rng = np.random.default_rng(3)
    hz = np.fft.rfftfreq(48000, 1 / 16000)
    for _ in range(20):
        noise = augment.rumble(rng, 48000)
        power = np.abs(np.fft.rfft(noise)) ** 2
        assert abs(noise.std() - 1) < 1e-3
        assert power[hz < 250].sum() > 0.9 * power.sum()


def test_bursts_are_loud_for_moments_and_fill_what_they_are_asked_for() -> None:
    rng = np.random.default_rng(4)
    for n in (400, 16000, 48000):
        made = augment.bursts(rng, n)
        assert made.shape == (n,)
        assert np.isfinite(made).all()
    frames = np.abs(augment.bursts(rng, 160_000)).reshape(-1, 1600).max(1)
    assert frames.max() > 0.5
    assert (frames == 0).any()
