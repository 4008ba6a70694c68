"""Write a transcript's words as SubRip (SRT) or WebVTT subtitles. No I/O."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from .transcript import Word, join_words

# The usual limits of broadcasters: two lines of 42 columns, on screen for one to seven seconds.
MAX_COLUMNS = 42
MAX_CUE_S = 7.0
MIN_CUE_S = 1.0
PAUSE_S = 0.8
_SENTENCE_END = tuple(".?!…。？！؟।")  # noqa: RUF001 (full-width marks of other scripts)
_CLAUSE_END = (*_SENTENCE_END, *",;:،、，；：—")  # noqa: RUF001
_CLOSERS = "\"'”’»）)]」』"  # noqa: RUF001 (may follow the mark that ends a sentence)
_TICK_S = 0.001  # the resolution of both formats


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: one or two lines, shown from start_s to end_s."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def to_srt(words: Sequence[Word]) -> str:
    """Return a SubRip document; empty if nothing was said."""
    return "\n".join(
        f"{number}\n{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}\n{_text(cue)}\n"
        for number, cue in enumerate(cues(words), 1)
    )


def to_vtt(words: Sequence[Word]) -> str:
    """Return a WebVTT document, with the characters escaped that mean markup there."""
    blocks = [
        f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}\n{_escape(_text(cue))}\n"
        for cue in cues(words)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def cues(words: Sequence[Word]) -> list[Cue]:
    """Group `words` into cues that neither overlap nor break the limits above.

    A cue ends at a pause, at the end of a sentence, or, when it is full, after its last clause.
    """
    blocks = _blocks([piece for word in words for piece in _pieces(word)])
    result: list[Cue] = []
    clock_s = 0.0
    for index, block in enumerate(blocks):
        start_s = max(clock_s, round(block[0].start_s, 3))
        next_s = blocks[index + 1][0].start_s if index + 1 < len(blocks) else float("inf")
        end_s = max(block[-1].end_s, min(start_s + MIN_CUE_S, next_s), start_s + _TICK_S)
        clock_s = round(end_s, 3)
        result.append(Cue(start_s, clock_s, _lines(block)))
    return result


def _blocks(words: Sequence[Word]) -> list[list[Word]]:
    blocks: list[list[Word]] = []
    block: list[Word] = []
    for word in words:
        if block and (word.start_s - block[-1].end_s >= PAUSE_S or _is_sentence(block)):
            blocks.append(block)
            block = []
        while block and not _fits([*block, word]):
            cut = _clause(block)
            blocks.append(block[:cut])
            block = block[cut:]
        block.append(word)
    return [*blocks, block] if block else blocks


def _is_sentence(block: Sequence[Word]) -> bool:
    """Say whether `block` ends a sentence and is long enough not to be an abbreviation."""
    ends = block[-1].text.rstrip(_CLOSERS).endswith(_SENTENCE_END)
    return ends and _columns(join_words(block)) > MAX_COLUMNS // 2


def _clause(block: Sequence[Word]) -> int:
    """Return where to cut a full block: after the last clause of its second half, or at its end."""
    for cut in range(len(block), len(block) // 2, -1):
        if block[cut - 1].text.rstrip(_CLOSERS).endswith(_CLAUSE_END):
            return cut
    return len(block)


def _fits(block: Sequence[Word]) -> bool:
    return block[-1].end_s - block[0].start_s <= MAX_CUE_S and bool(_splits(block))


def _splits(block: Sequence[Word]) -> list[tuple[str, ...]]:
    """Return every way to write `block` on one line or two; empty if it does not fit."""
    whole = join_words(block)
    if _columns(whole) <= MAX_COLUMNS:
        return [(whole,)]
    pairs = [(join_words(block[:cut]), join_words(block[cut:])) for cut in range(1, len(block))]
    return [pair for pair in pairs if max(map(_columns, pair)) <= MAX_COLUMNS]


def _lines(block: Sequence[Word]) -> tuple[str, ...]:
    return min(_splits(block), key=lambda lines: max(map(_columns, lines)))


def _pieces(word: Word) -> list[Word]:
    """Cut a word wider than a line, as scripts without spaces may make it, sharing out its time."""
    texts = _chop(_printable(word.text))
    step_s = (word.end_s - word.start_s) / max(1, len(texts))
    return [
        Word(
            text=text,
            start_s=word.start_s + index * step_s,
            end_s=word.end_s if index == len(texts) - 1 else word.start_s + (index + 1) * step_s,
            space_before=word.space_before and index == 0,
        )
        for index, text in enumerate(texts)
    ]


def _printable(text: str) -> str:
    """Return `text` on one line, without control characters, which players choke on."""
    kept = (char for char in text if char.isspace() or unicodedata.category(char) != "Cc")
    return " ".join("".join(kept).split())


def _chop(text: str) -> list[str]:
    pieces = [""]
    for char in text:
        if _columns(pieces[-1] + char) > MAX_COLUMNS:
            pieces.append("")
        pieces[-1] += char
    return pieces if text else []


def _columns(text: str) -> int:
    """Return the width of `text`: a wide character fills two columns, a combining one none."""
    return sum(_width(char) for char in text)


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _text(cue: Cue) -> str:
    return "\n".join(cue.lines)


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, point: str) -> str:
    ms = round(seconds * 1000)
    hours, ms = divmod(ms, 3_600_000)
    minutes, ms = divmod(ms, 60_000)
    whole_s, ms = divmod(ms, 1000)
    return f"{hours:02}:{minutes:02}:{whole_s:02}{point}{ms:03}"
