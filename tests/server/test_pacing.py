"""Audio comes as it is spoken: never early, and all of it when the reader is late."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.server.fake_clock import FakeClock
from voxwire.server.pacing import WallClock, as_spoken

PIECES = [np.full(320, index, np.float32) for index in range(5)]


def test_each_piece_comes_when_its_last_sample_is_spoken() -> None:
    clock = FakeClock(100.0)
    came_s = [clock.now_s() for _ in as_spoken(PIECES, clock)]
    assert came_s == pytest.approx([100.02, 100.04, 100.06, 100.08, 100.10])


def test_a_late_reader_gets_what_is_due_at_once_and_then_waits_again() -> None:
    clock = FakeClock()
    came_s, values = [], []
    for piece in as_spoken(PIECES, clock):
        came_s.append(clock.now_s())
        values.append(int(piece[0]))
        if len(values) == 1:
            clock.time_s += 0.05  # the reader is busy
    assert came_s == pytest.approx([0.02, 0.07, 0.07, 0.08, 0.10])
    assert values == [0, 1, 2, 3, 4]


def test_the_wall_clock_waits_and_does_not_wait_for_the_past() -> None:
    clock = WallClock()
    before_s = time.monotonic()
    clock.sleep_until(clock.now_s() + 0.02)
    clock.sleep_until(clock.now_s() - 100)
    assert 0.02 <= time.monotonic() - before_s < 5
