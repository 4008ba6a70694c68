"""Choose the recordings that travel with the project: voices no fit ever heard.

``python -m voxwire.model.training.bundle`` writes model/embedded/demo and tests/data/voices.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from pathlib import Path

import numpy as np
import soundfile

from .clips import Clip
from .prepare import load_packed
from .vocabulary import DIGITS

ROOT = Path(__file__).parents[2]
DEMO_SPEAKER, DEMO_DIGITS = "jackson", "3141592653"
N_WORDS, N_WAKE, N_STRINGS, N_FOREIGN = 14, 9, 5, 5
COLUMNS = ("file", "corpus", "speaker", "licence", "text")
LICENCES = {
    "fsdd": "CC BY-SA 4.0",
    "commands": "CC BY 4.0",
    "wake": "Apache-2.0",
    "ocean": "Apache-2.0",
}


def _join(clips: list[Clip], audio: np.ndarray, seed: int, tail_s: float) -> np.ndarray:
    """Join one speaker's clips with the gaps of somebody reading a number. float32 [N]."""
    rng = np.random.default_rng(seed)
    pieces: list[np.ndarray] = [np.zeros(8000, np.float32)]
    for clip in clips:
        samples = audio[clip.start : clip.start + clip.n_samples].astype(np.float32) / 32768
        pieces += [samples, np.zeros(int(16000 * rng.uniform(0.08, 0.35)), np.float32)]
    return np.concatenate([*pieces, np.zeros(int(16000 * tail_s), np.float32)])


def _digits_of(clips: list[Clip], speaker: str, digits: str, take: int) -> list[Clip]:
    own = {(c.text, Path(c.path).stem[-1]): c for c in clips if c.speaker == speaker}
    return [own[DIGITS[int(d)], str((i + take) % 5)] for i, d in enumerate(digits)]


def write_demo(clips: list[Clip], audio: np.ndarray, out: Path) -> None:
    """Write the demo: one speaker's ten digits, joined, and its transcript."""
    out.mkdir(parents=True, exist_ok=True)
    chosen = _digits_of(clips, DEMO_SPEAKER, DEMO_DIGITS, 0)
    soundfile.write(out / "digits.flac", _join(chosen, audio, 1, tail_s=1.2), 16000)
    (out / "digits.txt").write_text(" ".join(c.text for c in chosen) + "\n")


def write_voices(clips: list[Clip], audio: np.ndarray, out: Path) -> None:
    """Write the tests' recordings: unchanged clips, and joined strings of two speakers."""
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for clip in _chosen(clips):
        said = clip.text.replace(" ", "-") if clip.corpus != "ocean" else Path(clip.path).stem
        name = f"{clip.corpus}-{said}-{clip.speaker[:8]}.opus"
        shutil.copy2(clip.path, out / name)
        rows.append((name, clip.corpus, clip.speaker, LICENCES[clip.corpus], clip.text))
    for speaker, digits in (("jackson", "70236"), ("george", "8150942")):
        own = _digits_of(clips, speaker, digits, 2)
        name = f"fsdd-{speaker}-{digits}.flac"
        soundfile.write(out / name, _join(own, audio, 2, tail_s=0.5), 16000)
        text = " ".join(c.text for c in own)
        rows.append((name, "fsdd", speaker, LICENCES["fsdd"], text))
    with (out / "transcripts.tsv").open("w", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(sorted(rows))


def _chosen(clips: list[Clip]) -> list[Clip]:
    """Take the first kept clips of each kind: one of a command, wake phrases, strings, others."""
    commands = {c.text: c for c in clips if c.corpus == "commands" and c.spans}
    wake: dict[str, list[Clip]] = {}
    for clip in clips:
        if clip.corpus == "wake":
            wake.setdefault(clip.text, []).append(clip)
    ocean = [c for c in clips if c.corpus == "ocean"]
    strings = [c for c in ocean if set(c.text.split()) <= set(DIGITS)]
    foreign = [c for c in ocean if not c.has_domain_words]
    return [
        *list(commands.values())[:N_WORDS],
        *[c for own in wake.values() for c in own[:2]][:N_WAKE],
        *strings[:N_STRINGS],
        *foreign[:: max(1, len(foreign) // N_FOREIGN)][:N_FOREIGN],
    ]


def main() -> None:
    """Write both folders from a packed catalogue."""
    parser = argparse.ArgumentParser(description="Write the bundled recordings.")
    parser.add_argument("--packed", type=Path, default=Path(".train/packed"))
    clips, audio, _ = load_packed(parser.parse_args().packed)
    kept = [c for c in clips if c.split in ("kept", "test")]
    write_demo(kept, audio, ROOT / "model/embedded/demo")
    write_voices(kept, audio, ROOT / "tests/data/voices")


if __name__ == "__main__":
    main()
