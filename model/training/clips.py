"""The catalogue: which recording says what, who speaks, and which side of a split it is on."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .vocabulary import WAKE_PHRASES, WORDS

FSDD_TEST_INDEX = 5  # indices 0..4 are the corpus's own test split: never trained on
HELD_OUT_FSDD = ("george", "jackson")  # left-out adults, one accented and one US speaker
HELD_OUT_PERCENT = 16  # of the other corpora's speakers (or clips, where speakers are not named)
KEPT_PERCENT = 3  # of them, the part that not even the final fit hears: demo and tests draw on it

# Sounds of beasts and things, out of Debian's tuxpaint-stamps-default: what is heard at no word.
STAMPS = Path("/usr/share/tuxpaint/stamps")
SOUNDING_STAMPS = ("animals", "vehicles", "household", "naturalforces", "hobbies/music")

# Packed recordings start at multiples of STRIDE samples: each is one row of what Whisper tells.
STRIDE, HEARD_SIZE = 640, 64

_SPOKEN_NAME = re.compile(r"_(desc|[a-z]{2,3}(_[A-Za-z]{2})?$)")

Span = tuple[str, float, float]  # word, start and end in seconds


@dataclass(slots=True)
class Clip:
    """One recording: where it lies, what is said, by whom, and its split.

    split: ``train``; ``held`` (left out of the fit that is judged, heard by the final one);
    ``kept`` (left out of both); ``test`` (known speakers' clips, left out of both).
    spans: domain words with their times, once aligned. Empty for out-of-domain recordings.
    """

    path: str
    corpus: str
    speaker: str
    text: str
    split: str
    start: int = 0  # first sample in the packed audio
    n_samples: int = 0
    spans: list[Span] = field(default_factory=list)

    @property
    def has_domain_words(self) -> bool:
        """Tell whether any word of the text is in the vocabulary."""
        return any(word in WORDS for word in self.text.split())


def split_of(key: str) -> str:
    """Draw the split of a speaker or clip by a checksum of its name: stable for ever."""
    drawn = zlib.crc32(key.encode()) % 100
    return "kept" if drawn < KEPT_PERCENT else "held" if drawn < HELD_OUT_PERCENT else "train"


def once(
    read: Iterable[tuple[Clip, np.ndarray] | None],
) -> Iterator[tuple[Clip, np.ndarray]]:
    """Leave out what is the very samples of an earlier recording, under another name, or None."""
    seen: set[bytes] = set()
    for item in read:
        if item is None:
            continue
        digest = hashlib.sha256(item[1].tobytes()).digest()
        if digest not in seen:
            yield item
        seen.add(digest)


def catalogue(data: Path) -> Iterator[Clip]:
    """Yield every usable recording below the data folder, unaligned."""
    yield from _free_spoken_digits(data / "free-spoken-digits")
    yield from _speech_commands(data / "speech-commands")
    yield from _wake_words(data / "wake-words")
    yield from _speechocean(data / "speechocean762")
    yield from _lj_speech(data / "lj-speech")
    yield from _coffee_orders(data / "coffee-orders")
    yield from _noise(data / "noise")


def _free_spoken_digits(folder: Path) -> Iterator[Clip]:
    for path in sorted(folder.glob("*/*.flac")):
        digit, speaker, index = path.stem.split("_")
        known = speaker not in HELD_OUT_FSDD
        if int(index) < FSDD_TEST_INDEX:
            split = "test" if known else "kept"
        else:
            split = "train" if known else "held"
        yield Clip(str(path), "fsdd", speaker, WORDS[int(digit)], split)


def _speech_commands(folder: Path) -> Iterator[Clip]:
    for path in sorted(folder.glob("*/*.opus")):
        speaker = path.name.split("_")[0]
        split = split_of(speaker)
        yield Clip(str(path), "commands", speaker, path.parent.name, split)


def _wake_words(folder: Path) -> Iterator[Clip]:
    for path in sorted(folder.glob("*/*.opus")):
        phrase = path.parent.name.replace("-", " ")
        assert phrase in WAKE_PHRASES, phrase
        split = split_of(path.stem)
        yield Clip(str(path), "wake", path.stem, phrase, split)


def _tsv(path: Path, columns: list[str] | None = None) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        yield from csv.DictReader(lines, columns, delimiter="\t", quoting=csv.QUOTE_NONE)


def _speechocean(folder: Path) -> Iterator[Clip]:
    for row in _tsv(folder / "transcripts.tsv"):
        path = folder / row["speaker"] / f"{row['id']}.opus"
        split = split_of(row["speaker"])
        yield Clip(str(path), "ocean", row["speaker"], row["text"].lower(), split)


def _lj_speech(folder: Path) -> Iterator[Clip]:
    for row in _tsv(folder / "transcripts.tsv", ["id", "text"]):
        text = "".join(c if c.isalpha() or c == "'" else " " for c in row["text"].lower())
        path = folder / f"{row['id']}.opus"
        split = split_of(row["id"])
        yield Clip(str(path), "lj", "lj", " ".join(text.split()), split)


def _coffee_orders(folder: Path) -> Iterator[Clip]:
    labels: dict[str, Any] = json.loads((folder / "label.json").read_text())
    for name, label in sorted(labels.items()):
        path = folder / f"{Path(name).stem}.opus"
        if path.exists() and "eight ounce" not in label["slots"].values():  # no domain words
            split = split_of(path.stem)
            yield Clip(str(path), "coffee", path.stem, "", split)


def _noise(folder: Path) -> Iterator[Clip]:
    for path in sorted(folder.glob("*/*.ogg")):
        split = split_of(path.stem)
        yield Clip(str(path), "noise", path.parent.name, "", split)


def stamp_sounds(folder: Path = STAMPS) -> Iterator[Clip]:
    """Yield the sounds of stamps, but not their names read aloud, which have a language's code.

    Raises FileNotFoundError, which tells how to get them.
    """
    if not folder.exists():
        raise FileNotFoundError(f"no {folder}: apt-get install tuxpaint-stamps-default")
    for kind in SOUNDING_STAMPS:
        for path in sorted((folder / kind).rglob("*.ogg")):
            if not _SPOKEN_NAME.search(path.stem):
                yield Clip(str(path), "noise", kind, "", "train")
