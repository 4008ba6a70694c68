"""The trend over the hours is the share by which values rise, whatever some of them are."""

from __future__ import annotations

import pytest

from tests.bench.long import Minutes, trend


def test_a_rise_is_seen_and_outliers_are_not() -> None:
    values = [100 + 10 * at / 99 for at in range(100)]
    values[7] = 1000
    assert trend(values) == pytest.approx(10 / 105, rel=0.02)
    assert trend([5.0] * 20) == 0
    assert trend([5.0]) == 0


def test_a_minute_is_the_median_of_its_full_blocks() -> None:
    minutes = Minutes()
    for at in range(96):
        minutes._note(16, 0.001 * (1 + at // 48))
        minutes._note(0, 9.0)
    assert minutes.block_ms == [1.0, 2.0]
    assert len(minutes.memory_bytes) == 2
