"""The transcript of one recording, growing delta by delta."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..model.text import Delta
from ..protocol.transcript import Transcript, Word, segments_of

SAMPLE_RATE_HZ = 16000


@dataclass(slots=True)
class Collector:
    """What was written so far: parts of text, and words with times."""

    parts: list[str] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)

    def add(self, deltas: Iterable[Delta]) -> str:
        """Take deltas; return the text they add."""
        added = ""
        for delta in deltas:
            added += delta.text
            self.words += [
                Word(
                    text=word.text,
                    start_s=word.start_s,
                    end_s=word.end_s,
                    space_before=word.space_before,
                )
                for word in delta.words
            ]
        self.parts.append(added)
        return added

    def transcript(self, n_samples: int, model: str, delay_ms: int) -> Transcript:
        """Return what was collected from a recording of `n_samples`.

        The last word may be written as late as the padding after it: it ends with the recording.
        """
        duration_s = n_samples / SAMPLE_RATE_HZ
        words = [_until(word, duration_s) for word in self.words]
        return Transcript(
            text="".join(self.parts).rstrip(),
            words=tuple(words),
            segments=segments_of(words),
            duration_s=duration_s,
            model=model,
            delay_ms=delay_ms,
        )


def _until(word: Word, end_s: float) -> Word:
    """Return a word that ends at `end_s` at the latest."""
    if word.end_s <= end_s:
        return word
    times = {"start_s": min(word.start_s, end_s), "end_s": end_s}
    return word.model_copy(update=times)
