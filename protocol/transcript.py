"""A finished transcript as data: text, words with times, segments. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

# A pause of this length between two words closes a segment, as an endpoint does in a live session.
SEGMENT_PAUSE_S = 0.8

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Timed(_Record):
    text: str
    start_s: Seconds
    end_s: Seconds

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.end_s < self.start_s:
            raise ValueError(f"expected an end after start {self.start_s}, got {self.end_s}")
        return self


class Word(_Timed):
    """One word with its punctuation.

    end_s is measured, in seconds from the first sample; start_s is an estimate. `space_before` is
    false where the script, or the start of the text, puts no space before the word.
    """

    space_before: bool = True


class Segment(_Timed):
    """A stretch of speech between two pauses."""


class Transcript(_Record):
    """What was said in one recording.

    duration_s: length of the audio. model: the name the model was asked for by.
    delay_ms: the transcription delay it ran at.
    """

    text: str
    words: tuple[Word, ...]
    segments: tuple[Segment, ...]
    duration_s: Seconds
    model: str
    delay_ms: int


def join_words(words: Iterable[Word]) -> str:
    """Return the text of `words`, with spaces only where the transcript has them."""
    return "".join((" " if word.space_before else "") + word.text for word in words).strip()


def segments_of(words: Sequence[Word]) -> tuple[Segment, ...]:
    """Cut `words` into segments at pauses of SEGMENT_PAUSE_S or longer."""
    groups: list[list[Word]] = []
    for word in words:
        if groups and word.start_s - groups[-1][-1].end_s < SEGMENT_PAUSE_S:
            groups[-1].append(word)
        else:
            groups.append([word])
    return tuple(
        Segment(text=join_words(group), start_s=group[0].start_s, end_s=group[-1].end_s)
        for group in groups
    )
