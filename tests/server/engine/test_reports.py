"""What the engine tells of every pass: its rows, its time, and how long its audio had waited."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from tests.server.engine.fakes import FakeModel
from tests.server.engine.sessions import TIMEOUT_S, collect, noise
from voxwire.model.mel import Floats
from voxwire.server.engine.admission import Kind
from voxwire.server.engine.engine import Engine
from voxwire.server.engine.messages import Stepped

STEP_S = 0.5
N_SAMPLES = 64_000  # more positions than one pass takes


class Ticks:
    """A clock that stands still but for the passes of the model, which wait for all audio."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.has_all = threading.Event()

    def __call__(self) -> float:
        return self.now_s

    def spend(self, slots: Sequence[int], mel: Floats) -> None:
        assert self.has_all.wait(TIMEOUT_S)
        self.now_s += STEP_S


def watch(kind: Kind, n_sessions: int) -> tuple[FakeModel, list[Stepped]]:
    """Transcribe in some sessions, with passes of half a second; return what was told of them."""
    model, clock, steps = FakeModel(), Ticks(), list[Stepped]()

    async def main() -> None:
        async with (
            Engine(model.load, stale_s=1e9, clock=clock, on_step=steps.append) as engine,
            asyncio.timeout(TIMEOUT_S),
        ):
            model.passes.clear()
            model.before_pass = clock.spend
            sessions = [engine.open(kind) for _ in range(n_sessions)]
            for session in sessions:
                await session.feed(noise(1, N_SAMPLES))
                session.end()
            clock.has_all.set()
            await asyncio.gather(*(collect(session) for session in sessions))

    asyncio.run(main())
    return model, steps


@pytest.mark.parametrize("kind", Kind)
def test_every_pass_is_told_with_its_rows_and_its_time(kind: Kind) -> None:
    model, steps = watch(kind, 2)
    assert [(s.n_rows, s.n_positions) for s in steps] == [(len(p), n) for p, n in model.passes]
    assert {s.seconds for s in steps} == {STEP_S}


def test_live_audio_that_came_at_once_waits_for_the_passes_before_its_own() -> None:
    _, steps = watch(Kind.LIVE, 1)
    waits = [s.waited_s for s in steps if s.waited_s is not None]
    assert waits[0] == 0
    assert waits == sorted(waits)
    assert waits[-1] == STEP_S * (len(waits) - 1) > STEP_S


def test_uploads_wait_by_design_and_are_not_counted() -> None:
    _, steps = watch(Kind.UPLOAD, 2)
    assert steps
    assert all(s.waited_s is None for s in steps)
