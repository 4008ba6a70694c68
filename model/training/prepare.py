"""Decode, synthesise, align and hear everything once, into files that the training step maps."""

from __future__ import annotations

import json
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from rich.progress import track

from . import kokoro, whisper
from .align import Aligner, align_isolated
from .clips import HEARD_SIZE, STRIDE, Clip, catalogue, once, stamp_sounds
from .synth import synthesise
from .vocabulary import WORDS

N_SYNTHETIC_STRINGS, N_SYNTHETIC_WORDS, N_NATURAL = 2600, 1300, 1200
ISOLATED = ("commands", "wake")
AUDIO_FILE, CLIPS_FILE = "audio.i16", "clips.json"


def decode(path: str) -> np.ndarray:
    """Decode any recording to int16 mono at 16 kHz."""
    resampler = av.AudioResampler("s16", "mono", 16000)
    with av.open(path) as container:
        frames = [g for f in container.decode(audio=0) for g in resampler.resample(f)]
        frames += resampler.resample(None)
    return np.concatenate([f.to_ndarray()[0] for f in frames])


_aligner: Aligner | None = None


def _shared_aligner() -> Aligner:
    global _aligner  # one a process: loading its model takes a second
    _aligner = _aligner or Aligner()
    return _aligner


def read_clip(clip: Clip, samples: np.ndarray | None = None) -> tuple[Clip, np.ndarray] | None:
    """Decode and align one clip; None where its domain words cannot be placed in time."""
    samples = decode(clip.path) if samples is None else samples
    clip.n_samples = len(samples)
    if clip.corpus == "fsdd":
        clip.spans = [(clip.text, 0.0, len(samples) / 16000)]  # the corpus is trimmed
    elif clip.corpus in ISOLATED and clip.has_domain_words:
        clip.spans = align_isolated(_shared_aligner(), samples, clip.text)
    elif clip.has_domain_words:
        spans = _shared_aligner().align(samples, clip.text)
        if spans is None:
            return None
        clip.spans = [span for span in spans if span[0] in WORDS]
    return clip, samples


def _read_synthetic(
    corpus: str, job: tuple[str, str, np.ndarray]
) -> tuple[Clip, np.ndarray] | None:
    voice, text, samples = job
    return read_clip(Clip(voice, corpus, voice, text, "train"), samples)


def prepare(data: Path, out: Path, seed: int) -> None:
    """Write the packed audio and its catalogue below ``out``; does nothing where they exist."""
    if (out / CLIPS_FILE).exists():
        return
    out.mkdir(parents=True, exist_ok=True)
    clips: list[Clip] = []
    with (out / AUDIO_FILE).open("wb") as audio, ProcessPoolExecutor(2) as pool:
        listed = [*catalogue(data), *stamp_sounds()]
        real = pool.map(read_clip, listed, chunksize=16)
        _pack(once(track(real, "recordings", total=len(listed))), clips, audio)
        voices = synthesise(seed, N_SYNTHETIC_STRINGS, N_SYNTHETIC_WORDS)
        made = pool.map(partial(_read_synthetic, "synthetic"), voices, chunksize=16)
        _pack(track(made, "synthetic", N_SYNTHETIC_STRINGS + N_SYNTHETIC_WORDS), clips, audio)
        spoken = kokoro.synthesise(kokoro.fetch_voices(out.parent / "kokoro"), seed, N_NATURAL)
        made = map(partial(_read_synthetic, "kokoro"), spoken)
        _pack(track(made, "natural voices", N_NATURAL), clips, audio)
    whisper.hear_all(clips, np.memmap(out / AUDIO_FILE, np.int16, "r"), out)
    text = "\n".join(json.dumps(asdict(clip)) for clip in clips)
    (out / CLIPS_FILE).write_text(text)


def _pack(
    read: Iterable[tuple[Clip, np.ndarray] | None], clips: list[Clip], audio: BinaryIO
) -> None:
    at = audio.tell() // 2
    for item in read:
        if item is None:
            continue
        clip, samples = item
        clip.start = at
        padded = np.pad(samples, (0, -len(samples) % STRIDE))
        at += len(padded)
        audio.write(padded.tobytes())
        clips.append(clip)


def load_packed(folder: Path) -> tuple[list[Clip], np.ndarray, np.ndarray]:
    """Return the catalogue, the packed audio and what Whisper tells of it, memory-mapped.

    audio: int16 [N]; heard: float16 [N / 640, HEARD_SIZE], row k for the samples from 640 k on.
    """
    clips = [_clip(json.loads(line)) for line in (folder / CLIPS_FILE).read_text().splitlines()]
    audio = np.memmap(folder / AUDIO_FILE, dtype=np.int16, mode="r")
    heard = np.memmap(folder / whisper.HEARD_FILE, dtype=np.float16, mode="r")
    return clips, audio, heard.reshape(-1, HEARD_SIZE)


def _clip(row: dict[str, Any]) -> Clip:
    return Clip(**{**row, "spans": [tuple(span) for span in row["spans"]]})
