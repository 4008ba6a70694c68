"""Make deterministic test recordings with NumPy: chirps, noise and speech-like bursts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SAMPLING_RATE_HZ = 16_000
SECTION_S = 0.4
# Halves what the rounding of the reference's float32 STFT does to mel bins beside a loud tone.
NOISE_FLOOR = 0.008

Samples = npt.NDArray[np.float32]
Wave = npt.NDArray[np.float64]


def _chirp(time_s: Wave, rng: np.random.Generator) -> Wave:
    start_hz, stop_hz = rng.uniform(100, 7000, 2)
    slope = (stop_hz - start_hz) / SECTION_S
    wave: Wave = np.sin(2 * np.pi * (start_hz * time_s + slope / 2 * time_s**2))
    return wave


def _voiced(time_s: Wave, rng: np.random.Generator) -> Wave:
    """Sum harmonics of a gliding pitch under two formant bumps, in syllable-long swells."""
    pitch_hz, glide_hz = rng.uniform(90, 260), rng.uniform(-60, 60)
    formants_hz = rng.uniform([300, 900], [900, 2800])
    phase = 2 * np.pi * (pitch_hz * time_s + glide_hz * time_s**2)
    wave = np.zeros_like(time_s)
    for harmonic in range(1, 24):
        distance = (harmonic * pitch_hz - formants_hz) / 180
        wave += np.exp(-(distance**2)).sum() * np.sin(harmonic * phase)
    swell: Wave = np.sin(np.pi * time_s / SECTION_S * rng.integers(1, 4)) ** 2
    return wave * swell


def _hiss(time_s: Wave, rng: np.random.Generator) -> Wave:
    return rng.standard_normal(len(time_s)) * np.exp(-time_s / rng.uniform(0.02, 0.2))


def _pause(time_s: Wave, rng: np.random.Generator) -> Wave:
    return np.zeros_like(time_s)


def _unit_peak(wave: Wave) -> Wave:
    return wave / max(float(np.abs(wave).max()), 1e-9)


def recording(seconds: float, seed: int) -> Samples:
    """Return float32 mono samples at 16 kHz in [-1, 1], exactly representable as PCM16.

    PCM16 makes the samples the same on machines whose sine differs in the last bit.
    """
    rng = np.random.default_rng(seed)
    n_samples = round(seconds * SAMPLING_RATE_HZ)
    time_s = np.arange(round(SECTION_S * SAMPLING_RATE_HZ)) / SAMPLING_RATE_HZ
    kinds = (_voiced, _voiced, _chirp, _hiss, _pause)
    sections = [
        rng.uniform(0.05, 0.6) * _unit_peak(kinds[rng.integers(len(kinds))](time_s, rng))
        for _ in range(n_samples // len(time_s) + 1)
    ]
    wave = np.concatenate(sections)[:n_samples] + NOISE_FLOOR * rng.standard_normal(n_samples)
    pcm = np.rint(np.clip(wave, -1, 1) * 32767)
    return (pcm / 32768).astype(np.float32)
