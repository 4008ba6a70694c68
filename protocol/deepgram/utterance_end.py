"""When no word has come for so long that an utterance is over."""

from __future__ import annotations


class UtteranceEnds:
    """Tells, once after each last word, that `gap_s` of audio have passed without another.

    gap_s: None where the client did not ask.
    """

    def __init__(self, gap_s: float | None) -> None:
        self._gap_s = gap_s
        self._last_word_end_s: float | None = None  # None: nothing said, or told already

    def final(self, last_word_end_s: float) -> None:
        """Note the end of the last word of a result that is final."""
        self._last_word_end_s = last_word_end_s

    def spoken(self) -> None:
        """Note that more is being said."""
        self._last_word_end_s = None

    def passed(self, at_s: float) -> float | None:
        """Return the last word's end if the utterance is over at this time of the audio clock."""
        last_s = self._last_word_end_s
        if last_s is None or self._gap_s is None or at_s < last_s + self._gap_s:
            return None
        self._last_word_end_s = None
        return last_s
