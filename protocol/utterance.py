"""One utterance as clients count them, from one commit to the next, over several segments.

A session closes a segment by itself where it reaches the longest length that is configured. A
dialect that promises one answer for each commit joins the segments in between.
"""

from __future__ import annotations

from .session import Final, Partial


class Utterance:
    """Collects what was said since the last commit. Segments are joined by a space."""

    def __init__(self) -> None:
        self._finals: list[Final] = []
        self._newest: int | None = None

    def add_partial(self, partial: Partial) -> str:
        """Return the delta as it follows the text that was told before."""
        is_first = partial.segment != self._newest
        self._newest = partial.segment
        return f" {partial.delta}" if is_first and self.text else partial.delta

    def add_final(self, final: Final) -> None:
        """Take a segment that was closed."""
        self._finals.append(final)

    @property
    def text(self) -> str:
        """All text of the closed segments."""
        return " ".join(final.text for final in self._finals if final.text)

    @property
    def finals(self) -> tuple[Final, ...]:
        """The closed segments."""
        return tuple(self._finals)

    @property
    def n_tokens(self) -> int:
        """Steps that the model took."""
        return sum(final.n_tokens for final in self._finals)

    @property
    def duration_s(self) -> float:
        """Length of the audio."""
        return sum(final.end_s - final.start_s for final in self._finals)
