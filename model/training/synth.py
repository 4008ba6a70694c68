"""Synthetic voices from Debian's flite and espeak-ng: single words and strings read as a phrase."""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
import soxr

from .vocabulary import COMMANDS, DIGITS, WAKE_PHRASES

FLITE_VOICES = ("kal16", "awb", "rms", "slt")
ESPEAK_ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-029")
ESPEAK_VARIANTS = (
    "m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 Adam Alex Alicia Andrea Andy Annie antonio aunty "
    "belinda benjamin boris caleb david Denis Diogo ed edward Gene gustave Henrique Hugo Iven "
    "Jacky john Lee linda marcelo Marco Mario Michael michel miguel Mike Nguyen pablo paul pedro "
    "quincy rob robert steph sandro shelby travis victor Zac anika norbert"
).split()
PHONE_NUMBER_COMMA = 0.15  # how often a string is read in groups, with a breath between them


def sentences(rng: random.Random, n_strings: int, n_words: int) -> Iterator[tuple[str, str]]:
    """Yield (voice, text): digit strings of 2 to 8 as one phrase, then single words and phrases."""
    for _ in range(n_strings):
        digits = [rng.choice(DIGITS) for _ in range(rng.randint(2, 8))]
        yield _voice(rng), " ".join(_with_breaths(rng, digits))
    singles = DIGITS + COMMANDS + WAKE_PHRASES
    for i in range(n_words):
        yield _voice(rng), singles[i % len(singles)]


def _voice(rng: random.Random) -> str:
    if rng.random() < 0.45:
        return f"flite:{rng.choice(FLITE_VOICES)}"
    return f"espeak:{rng.choice(ESPEAK_ACCENTS)}+{rng.choice(ESPEAK_VARIANTS)}"


def _with_breaths(rng: random.Random, words: list[str]) -> list[str]:
    breath = [rng.random() < PHONE_NUMBER_COMMA for _ in words[:-1]]
    return [w + ("," if i < len(breath) and breath[i] else "") for i, w in enumerate(words)]


def speak(voice: str, text: str, seed: int) -> np.ndarray:
    """Synthesise text at a seeded rate and pitch; returns int16 [N] at 16 kHz."""
    rng = random.Random(seed)
    engine, name = voice.split(":")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "speech.wav"
        if engine == "flite":
            pitch = {"slt": 170, "awb": 120, "rms": 100, "kal16": 105}[name] * rng.uniform(
                0.85, 1.2
            )
            command = [
                "flite",
                "-voice",
                name,
                "--setf",
                f"duration_stretch={rng.uniform(0.7, 1.2)}",
            ]
            command += ["--setf", f"int_f0_target_mean={pitch}", "-t", text, "-o", str(out)]
        else:
            command = ["espeak-ng", "-v", name, "-s", str(rng.randint(120, 210))]
            command += ["-p", str(rng.randint(30, 75)), "-w", str(out), text]
        subprocess.run(command, check=True, capture_output=True)
        samples, rate = soundfile.read(out, dtype="float32")
    samples = soxr.resample(samples, rate, 16000)
    return (np.clip(samples, -1, 1) * 32767).astype(np.int16)


def synthesise(
    seed: int, n_strings: int, n_words: int, n_threads: int = 2
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield (voice, text without commas, int16 samples) in a seeded order."""
    jobs = list(sentences(random.Random(seed), n_strings, n_words))
    with ThreadPoolExecutor(n_threads) as pool:
        audio = pool.map(lambda job: speak(job[1][0], job[1][1], seed + job[0]), enumerate(jobs))
        for (voice, text), samples in zip(jobs, audio, strict=True):
            yield voice, text.replace(",", ""), samples
