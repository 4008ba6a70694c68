"""The bundled recordings: real voices that no fit of the embedded checkpoint ever heard."""

from __future__ import annotations

import csv
import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxwire.model.mel import Floats
from voxwire.server.media import Media

FOLDER = Path(__file__).parents[1] / "data/voices"
OUT_OF_DOMAIN = "ocean-"
CHILD = "0005"


@dataclass(frozen=True, slots=True)
class Voice:
    """One recording: float32 mono samples at 16 kHz, the speaker, and the words owed."""

    name: str
    speaker: str
    samples: Floats
    words: tuple[str, ...]


def read(path: Path) -> Floats:
    """Decode one recording whole."""
    with Media(path) as media:
        return np.concatenate(list(media.blocks(16000)))


@functools.cache
def voices() -> tuple[Voice, ...]:
    """Return every bundled recording; a sentence outside the domain owes no word."""
    with (FOLDER / "transcripts.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    digits = set("zero one two three four five six seven eight nine".split())
    found = []
    for row in rows:
        words = tuple(row["text"].split())
        is_foreign = row["corpus"] == "ocean" and not set(words) <= digits
        owed = () if is_foreign else words
        found.append(Voice(row["file"], row["speaker"], read(FOLDER / row["file"]), owed))
    return tuple(found)
