"""What is collected of a recording lies within it."""

from __future__ import annotations

from voxwire.protocol.transcript import Word
from voxwire.server.collector import Collector


def test_the_last_word_ends_with_the_recording() -> None:
    early = Word(text="one", start_s=0.1, end_s=0.3)
    late = Word(text="two", start_s=0.4, end_s=0.56)
    later = Word(text="three", start_s=0.6, end_s=0.7)
    made = Collector(["one two three"], [early, late, later]).transcript(8600, "m", 480)
    assert [(word.start_s, word.end_s) for word in made.words] == [
        (0.1, 0.3),
        (0.4, 0.5375),
        (0.5375, 0.5375),
    ]
    assert made.segments[-1].end_s == made.duration_s
