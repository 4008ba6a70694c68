"""Speech for the benchmarks: the bundled recordings of people, one after another, noise between."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.server.voices import Voice, voices
from voxwire.model.mel import Floats

RATE_HZ = 16_000
POSITION_SAMPLES = 1280
_PAUSE_S = (0.4, 1.2)
_NOISE_RMS = 0.002  # a quiet room


@dataclass(frozen=True, slots=True)
class Recording:
    """samples: [n] float32 at 16 kHz, exact in 16 bits. words: those said in whole voices of it."""

    samples: Floats
    words: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Length."""
        return len(self.samples) / RATE_HZ


def record(seconds: float, seed: int = 0) -> Recording:
    """Return a recording of a whole number of positions, `seconds` or a little less.

    Every voice of it is one whole recording of a person that owes words.
    """
    rng = np.random.default_rng(seed)
    n = int(seconds * RATE_HZ) // POSITION_SAMPLES * POSITION_SAMPLES
    spoken = [voice for voice in voices() if voice.words]
    samples = rng.normal(0, _NOISE_RMS, n).astype(np.float32)
    words: list[str] = []
    at = _pause(rng)
    for voice in _endlessly(spoken, rng):
        end = at + len(voice.samples)
        if end + RATE_HZ // 2 > n:  # the last word is heard to its end
            break
        samples[at:end] += voice.samples
        words += voice.words
        at = end + _pause(rng)
    return Recording(_in_16_bits(samples), tuple(words))


def write_wav(path: Path, samples: Floats) -> None:
    """Write samples that are exact in 16 bits as a WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes((samples * 32768).astype("<i2").tobytes())


def rolled(samples: Floats, place: int, n_places: int) -> Floats:
    """Return the recording begun elsewhere, so that streams do not all say the same at once."""
    positions = len(samples) // POSITION_SAMPLES
    return np.roll(samples, -(positions * place // n_places) * POSITION_SAMPLES)


def _endlessly(spoken: list[Voice], rng: np.random.Generator) -> list[Voice]:
    """Return the voices in random order, again and again, longer than any benchmark reads."""
    return [spoken[index] for _ in range(100) for index in rng.permutation(len(spoken))]


def _pause(rng: np.random.Generator) -> int:
    return int(rng.uniform(*_PAUSE_S) * RATE_HZ)


def _in_16_bits(samples: Floats) -> Floats:
    clipped = np.clip(samples, -1, 32767 / 32768)
    rounded: Floats = (np.rint(clipped * 32768) / 32768).astype(np.float32)
    return rounded
