"""What this process does itself is no disturbance."""

from __future__ import annotations

import pytest

from tests.bench import disturbance
from tests.bench.disturbance import Disturbance


def test_only_what_others_did_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {"wall": 0.0, "machine": 50.0, "own": 7.0}
    monkeypatch.setattr("tests.bench.disturbance.time.monotonic", lambda: now["wall"])
    monkeypatch.setattr(disturbance, "_machine_busy_s", lambda: now["machine"])
    monkeypatch.setattr(disturbance, "_own_busy_s", lambda: now["own"])
    watch = Disturbance()
    now |= {"wall": 10.0, "machine": 65.0, "own": 17.0}
    assert watch.cores() == 0.5
    now |= {"machine": 59.0}  # counters of different grain
    assert watch.cores() == 0.0


def test_the_machine_is_busy_at_least_as_long_as_this_process() -> None:
    busy_s = disturbance._machine_busy_s()
    if busy_s is None:
        pytest.skip("the system does not tell")
    assert busy_s > 0
    assert Disturbance().cores() is not None
