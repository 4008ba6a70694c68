"""One minute of everything a microphone meets, to be heard again and again."""

from __future__ import annotations

import functools

import numpy as np

from tests.server.voices import voices
from voxwire.model.mel import Floats

RATE_HZ = 16000
CYCLE_S = 60
_N_VOICES = 12


@functools.cache
def cycle() -> Floats:
    """Return voices, noise, music and long silences, [CYCLE_S * 16000] float32: always the same."""
    rng = np.random.default_rng(12)
    minute = np.zeros(CYCLE_S * RATE_HZ, np.float32)
    at = RATE_HZ
    for voice in voices()[:_N_VOICES]:
        clip = voice.samples[: 3 * RATE_HZ]
        minute[at : at + len(clip)] += clip
        at += len(clip) + RATE_HZ // 2
    noise_from, music_from, silence_from = (s * RATE_HZ for s in (34, 40, 48))
    minute[noise_from:music_from] = 0.05 * rng.normal(size=music_from - noise_from)
    minute[music_from:silence_from] = _music(silence_from - music_from)
    minute[silence_from:] = 0.0
    return minute


def _music(n: int) -> Floats:
    """Return chords that follow each other, [n] float32."""
    t = np.arange(n) / RATE_HZ
    roots_hz = np.array([220.0, 174.6, 261.6, 196.0])[(t // 2).astype(int) % 4]
    chord = sum(np.sin(2 * np.pi * roots_hz * ratio * t) for ratio in (1, 1.25, 1.5, 2))
    music: Floats = (0.08 * chord * np.exp(-(t % 0.5) * 3)).astype(np.float32)
    return music
