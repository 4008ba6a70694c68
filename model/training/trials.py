"""The trials a fitted checkpoint is judged by: recordings it never trained on, and their words."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import jiwer
import numpy as np
from numpy.random import Generator

from .clips import Clip
from .vocabulary import DIGITS

RATE_HZ = 16000
STRINGS_A_SPEAKER = 40
FALSE_ALARM_MINUTES = 10
_OUT_OF_DOMAIN = ("ocean", "lj", "coffee", "commands")


@dataclass(slots=True)
class Trial:
    """One clip to transcribe: float32 samples, the words owed, and whose voice it is."""

    samples: np.ndarray
    words: list[str]
    speaker: str


class Judge:
    """Builds the trials of a packed catalogue; seeded, so every fit meets the same ones."""

    def __init__(self, clips: list[Clip], audio: np.ndarray, seed: int = 7) -> None:
        self.clips, self.audio = clips, audio
        self.rng: Generator = np.random.default_rng(seed)

    def all(self) -> dict[str, list[Trial]]:
        """Return every set of trials by name."""
        held = [clip for clip in self.clips if clip.split in ("held", "kept")]
        known = [c for c in self.clips if c.corpus == "fsdd" and c.split == "test"]
        commands = self._singles(
            [c for c in held if c.corpus == "commands" and c.spans and c.text not in DIGITS]
        )
        wake = self._singles([c for c in held if c.corpus == "wake"])
        return {
            "joined digit strings": self._joined_strings(held),
            "natural digit strings": self._natural_strings(held),
            "single digits": self._singles(
                [c for c in held if c.corpus == "commands" and c.text in DIGITS]
            ),
            "commands": commands,
            "wake words": wake,
            "commands and wake words": commands + wake,
            "known speakers": self._singles(known),
            "out of domain": self._out_of_domain(held),
            "noise and silence": self._noise([c for c in held if c.corpus == "noise"]),
        }

    def _samples(self, clip: Clip, low_s: float = 0.0, high_s: float = 1e9) -> np.ndarray:
        low = max(0, int(low_s * RATE_HZ))
        high = min(clip.n_samples, int(high_s * RATE_HZ))
        return self.audio[clip.start + low : clip.start + high].astype(np.float32) / 32768

    def _singles(self, clips: list[Clip]) -> list[Trial]:
        return [Trial(self._samples(c), c.text.split(), c.speaker) for c in clips]

    def _natural_strings(self, clips: list[Clip]) -> list[Trial]:
        spoken = [c for c in clips if c.corpus == "ocean" and set(c.text.split()) <= set(DIGITS)]
        return [t for t in self._singles(spoken) if len(t.words) > 1]

    def _joined_strings(self, clips: list[Clip]) -> list[Trial]:
        """Join each left-out adult's own digits into strings of 3 to 8, with gaps of a reader."""
        voices: dict[str, list[Clip]] = defaultdict(list)
        for clip in clips:
            if clip.text in DIGITS and clip.corpus in ("fsdd", "commands"):
                voices[f"{clip.corpus}:{clip.speaker}"].append(clip)
        trials = []
        for speaker, own in sorted(voices.items()):
            if len(own) >= 3:
                n = STRINGS_A_SPEAKER if speaker.startswith("fsdd") else 2
                trials += [self._join(speaker, own) for _ in range(n)]
        return trials

    def _join(self, speaker: str, own: list[Clip]) -> Trial:
        n = int(self.rng.integers(3, min(8, max(3, len(own))) + 1))
        chosen = [own[i] for i in self.rng.choice(len(own), n, replace=False)]
        pieces = [np.zeros(int(0.3 * RATE_HZ), np.float32)]
        for clip in chosen:
            first, last = clip.spans[0][1] - 0.05, clip.spans[-1][2] + 0.08
            gap = np.exp(self.rng.uniform(np.log(0.03), np.log(0.5)))
            pieces += [self._samples(clip, first, last), np.zeros(int(gap * RATE_HZ), np.float32)]
        return Trial(np.concatenate(pieces), [c.text for c in chosen], speaker)

    def _out_of_domain(self, clips: list[Clip]) -> list[Trial]:
        """Return speech whose transcript holds no domain word (or, for coffee, none expected)."""
        kept = [c for c in clips if c.corpus in _OUT_OF_DOMAIN and not c.has_domain_words]
        return [Trial(self._samples(c), [], c.speaker) for c in kept]

    def _noise(self, clips: list[Clip]) -> list[Trial]:
        """Return ten minutes: recorded noises, made noises at several levels, then silence."""
        trials = [Trial(self._samples(c), [], c.speaker) for c in clips]
        minutes = sum(len(t.samples) for t in trials) / RATE_HZ / 60
        for i in range(math.ceil((FALSE_ALARM_MINUTES - minutes) * 2)):
            n = 30 * RATE_HZ
            colour = np.fft.rfft(self.rng.normal(0, 1, n))
            colour[1:] *= np.arange(1, len(colour)) ** -float(self.rng.uniform(0, 1))
            made = np.fft.irfft(colour, n)
            level = 0.0 if i % 4 == 0 else 10 ** (self.rng.uniform(-60, -20) / 20)
            trials.append(Trial((made / made.std() * level).astype(np.float32), [], "made"))
        return trials


def with_noise(trials: list[Trial], snr_db: float, noises: list[np.ndarray]) -> list[Trial]:
    """Mix recorded noise under each trial at a signal-to-noise ratio over the whole clip."""
    rng = np.random.default_rng(3)
    mixed = []
    for trial in trials:
        noise = noises[int(rng.integers(len(noises)))]
        noise = np.tile(noise, len(trial.samples) // len(noise) + 1)[: len(trial.samples)]
        scale = np.sqrt(
            np.mean(trial.samples**2) / (np.mean(noise**2) + 1e-12) / 10 ** (snr_db / 10)
        )
        mixed.append(Trial(trial.samples + noise * scale, trial.words, trial.speaker))
    return mixed


def errors(reference: list[str], heard: list[str]) -> dict[str, int]:
    """Count substitutions, deletions and insertions of the cheapest alignment."""
    if not reference:
        return {"words": 0, "sub": 0, "del": 0, "ins": len(heard)}
    found: Any = jiwer.process_words(" ".join(reference), " ".join(heard))
    return {
        "words": len(reference),
        "sub": found.substitutions,
        "del": found.deletions,
        "ins": found.insertions,
    }


def word_error_rate(trials: list[Trial], heard: list[list[str]]) -> dict[str, float]:
    """Return the word error rate over all words, averaged over speakers, and its parts."""
    by_speaker: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    parts = {"words": 0, "sub": 0, "del": 0, "ins": 0}
    for trial, words in zip(trials, heard, strict=True):
        counted = errors(trial.words, words)
        wrong = counted["sub"] + counted["del"] + counted["ins"]
        by_speaker[trial.speaker][0] += wrong
        by_speaker[trial.speaker][1] += counted["words"]
        parts = {key: parts[key] + counted[key] for key in parts}
    rates = [wrong / max(1, words) for wrong, words in by_speaker.values()]
    total = parts["sub"] + parts["del"] + parts["ins"]
    return {
        **parts,
        "wer": total / max(1, parts["words"]),
        "wer_by_speaker": float(np.mean(rates)) if rates else 0.0,
        "speakers": len(rates),
        "minutes": sum(len(t.samples) for t in trials) / RATE_HZ / 60,
    }
