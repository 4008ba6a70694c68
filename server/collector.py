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
        """Return what was collected from a recording of `n_samples`."""
        return Transcript(
            text="".join(self.parts).rstrip(),
            words=tuple(self.words),
            segments=segments_of(self.words),
            duration_s=n_samples / SAMPLE_RATE_HZ,
            model=model,
            delay_ms=delay_ms,
        )
