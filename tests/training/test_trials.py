"""The card's numbers mean what it says they mean."""

from __future__ import annotations

import numpy as np
import pytest

from voxwire.model.training.trials import Trial, errors, with_noise, word_error_rate


def _trial(words: str, speaker: str, seconds: float = 60.0) -> Trial:
    return Trial(np.ones(int(16000 * seconds), np.float32), words.split(), speaker)


@pytest.mark.parametrize(
    ("owed", "heard", "counted"),
    [
        ("one two three", "one two three", (0, 0, 0)),
        ("one two three", "one nine three", (1, 0, 0)),
        ("one two three", "one three", (0, 1, 0)),
        ("one", "one one", (0, 0, 1)),
        ("", "yes no", (0, 0, 2)),
    ],
)
def test_errors_are_counted_by_the_cheapest_alignment(
    owed: str, heard: str, counted: tuple[int, int, int]
) -> None:
    found = errors(owed.split(), heard.split())
    assert (found["sub"], found["del"], found["ins"]) == counted
    assert found["words"] == len(owed.split())


def test_speakers_count_alike_however_much_they_say() -> None:
    trials = [_trial("one two three four", "a"), _trial("one", "b")]
    scored = word_error_rate(trials, [["one", "two", "three", "four"], []])
    assert scored["wer"] == pytest.approx(1 / 5)
    assert scored["wer_by_speaker"] == pytest.approx(1 / 2)
    assert scored["speakers"] == 2


def test_false_words_are_told_with_the_minutes_listened() -> None:
    scored = word_error_rate([_trial("", "a"), _trial("", "b")], [["go"], []])
    assert scored["ins"] == 1
    assert scored["minutes"] == pytest.approx(2.0)


def test_noise_is_mixed_at_the_ratio_asked_for() -> None:
    noise = np.random.default_rng(0).normal(0, 3, 4000).astype(np.float32)
    mixed = with_noise([_trial("one", "a", 1.0)], 10, [noise])[0]
    added = mixed.samples - 1.0
    assert 10 * np.log10(1.0 / np.mean(added**2)) == pytest.approx(10, abs=0.01)
