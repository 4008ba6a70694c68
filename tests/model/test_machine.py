"""What is asked of the machine."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from voxwire.model.machine import wake_quietly


@pytest.mark.skipif(sys.platform != "linux", reason="scheduling policies of Linux")
def test_only_the_thread_that_asks_wakes_quietly() -> None:
    own = os.sched_getscheduler(0)
    with ThreadPoolExecutor(1) as thread:
        thread.submit(wake_quietly).result()
        assert thread.submit(os.sched_getscheduler, 0).result() == os.SCHED_BATCH
    assert os.sched_getscheduler(0) == own


@pytest.mark.skipif(sys.platform != "linux", reason="scheduling policies of Linux")
def test_a_sandbox_that_forbids_it_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(*_: object) -> None:
        raise PermissionError("seccomp")

    monkeypatch.setattr(os, "sched_setscheduler", forbid)
    wake_quietly()
