"""Transcripts are compared token by token, and a difference is explained only by what was shown."""

from __future__ import annotations

from tests.bench.peers.compare import Reference, difference, reason

OURS = Reference([1, 2, 3, 4], [1.0, 1.0, 1e-6, 1.0])


def test_equal_transcripts_are_equal() -> None:
    assert str(difference([1, 2, 3], [1, 2, 3])) == "equal"
    assert reason([1, 2, 3, 4], OURS, None, "") == ""


def test_a_shorter_one_is_said_to_be() -> None:
    assert str(difference([1, 2, 3], [1, 2])) == "equal, -1 tokens"
    assert reason([1, 2, 3], OURS, None, "") == "stops earlier"


def test_differences_are_counted_from_the_first() -> None:
    assert str(difference([1, 2, 3, 4], [1, 9, 3, 9, 5])) == "2 of 4 differ, first 1, +1 tokens"


def test_a_tie_excuses_what_begins_at_it() -> None:
    assert "tie at token 2" in reason([1, 2, 9, 9], OURS, None, "")
    assert reason([1, 9, 3, 4], OURS, None, "") == "not known"


def test_windows_excuse_what_ours_write_with_the_same_ones() -> None:
    windowed = Reference([1, 2, 9, 9], [1.0, 1.0, 1.0, 1e-6])
    assert "ours are equal" in reason([1, 2, 9, 9], OURS, windowed, "")
    assert "tie at token 3" in reason([1, 2, 9, 8], OURS, windowed, "")
    assert reason([1, 8, 9, 9], OURS, windowed, "slips") == "other attention windows; slips"
