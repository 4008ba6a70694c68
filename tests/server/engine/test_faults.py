"""Every fault that can be thought of, injected: whoever is not in it gets every word."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np
import pytest

from tests.server.engine.fakes import FakeModel, fake_tokens
from tests.server.engine.sessions import TIMEOUT_S, collect, noise, transcribe
from voxwire.model.mel import Floats
from voxwire.protocol.errors import (
    EngineDeadError,
    NotFiniteError,
    NotReadyError,
    OutOfMemoryError,
    RowFaultError,
    SessionFailedError,
    StepFaultError,
)
from voxwire.server.engine.admission import Kind, Limits
from voxwire.server.engine.engine import Engine
from voxwire.server.engine.row import Row
from voxwire.server.engine.session import EngineSession, Token

METAL_MEMORY = RuntimeError("[metal::malloc] Resource limit (499000) exceeded.")
LIMITS = Limits(max_sessions=10)
N_SAMPLES = 40_000


class Saboteur:
    """Fails passes that a chosen slot is in, as often as told."""

    def __init__(self, slot: int, error: Exception, n_times: int = 1) -> None:
        self.slot = slot
        self.error = error
        self.n_left = n_times

    def __call__(self, slots: Sequence[int], mel: Floats) -> None:
        if self.slot in slots and self.n_left:
            self.n_left -= 1
            raise self.error


def run(client: Callable[[Engine], Coroutine[Any, Any, None]], model: FakeModel) -> None:
    async def main() -> None:
        async with Engine(model.load, LIMITS) as engine, asyncio.timeout(TIMEOUT_S):
            await client(engine)

    asyncio.run(main())


async def interrupted(session: EngineSession, seed: int, code: type[SessionFailedError]) -> None:
    """Feed until the session fails; what was written before must stand."""
    await session.feed(noise(seed, N_SAMPLES))
    ids: list[int] = []
    with pytest.raises(SessionFailedError) as failure:
        await read_into(session, ids)
    assert failure.type is code
    assert ids == fake_tokens(noise(seed, N_SAMPLES), 6)[: len(ids)]
    with pytest.raises(code):
        await session.feed(noise(seed, 1))


async def read_into(session: EngineSession, ids: list[int]) -> None:
    async for event in session:
        assert isinstance(event, Token)
        ids.append(event.id)


async def in_steps(session: EngineSession, seed: int, go_on: asyncio.Event) -> None:
    """Speak, wait in silence until something has happened, speak on; every word must come."""
    samples = noise(seed, N_SAMPLES)
    await session.feed(samples[:15_000])
    reading = asyncio.create_task(collect(session))
    await go_on.wait()
    await session.feed(samples[15_000:])
    session.end()
    assert await reading == fake_tokens(samples, 6)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("no such kernel"), StepFaultError),
        (METAL_MEMORY, OutOfMemoryError),
        (MemoryError(), OutOfMemoryError),
    ],
    ids=["kernel", "metal-memory", "memory"],
)
def test_a_failing_step_ends_its_sessions_and_no_other(
    error: Exception, code: type[SessionFailedError]
) -> None:
    async def speak(engine: Engine) -> None:
        others, go_on = [engine.open() for _ in range(3)], asyncio.Event()
        waiting = [
            asyncio.create_task(in_steps(session, seed, go_on))
            for seed, session in enumerate(others)
        ]
        while sum(len(slots) * n for slots, n in model.passes) < 3 * 12:
            await asyncio.sleep(0.001)
        victim = engine.open()
        model.before_pass = Saboteur(3, error)
        await interrupted(victim, 9, code)
        go_on.set()
        await asyncio.gather(*waiting)
        samples = noise(7, N_SAMPLES)
        assert await transcribe(engine.open(), samples) == fake_tokens(samples, 6)
        assert engine.is_alive
        assert engine.is_ready

    model = FakeModel()

    async def begin(engine: Engine) -> None:
        model.passes.clear()
        await speak(engine)

    run(begin, model)


def test_lost_caches_end_all_sessions_and_the_next_ones_are_whole() -> None:
    async def speak(engine: Engine) -> None:
        bystander, victim = engine.open(), engine.open()
        await bystander.feed(noise(1, 100))
        model.before_pass = Saboteur(1, METAL_MEMORY)
        model.batches[-1].is_lost = True
        await interrupted(victim, 9, OutOfMemoryError)
        with pytest.raises(OutOfMemoryError):
            await collect(bystander)
        samples = noise(7, N_SAMPLES)
        sessions = [engine.open() for _ in range(10)]
        written = await asyncio.gather(*(transcribe(each, samples) for each in sessions))
        assert written == [fake_tokens(samples, 6)] * 10
        assert not model.batches[-1].is_lost

    model = FakeModel()
    run(speak, model)


def test_spoilt_numbers_in_one_row_end_that_row_alone() -> None:
    def spoil(slots: Sequence[int], mel: Floats) -> None:
        if 1 in slots and model.batches[-1].slots[1].n_positions > 45:
            mel[list(slots).index(1), -8:] = np.nan

    async def speak(engine: Engine) -> None:
        samples = noise(4, N_SAMPLES)
        sessions = [engine.open() for _ in range(3)]
        model.before_pass = spoil
        others = [asyncio.create_task(transcribe(sessions[n], samples, [1280])) for n in (0, 2)]
        await interrupted(sessions[1], 5, NotFiniteError)
        assert [await other for other in others] == [fake_tokens(samples, 6)] * 2

    model = FakeModel()
    run(speak, model)


def test_a_row_whose_audio_cannot_be_framed_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pull = Row.pull

    def trip(row: Row) -> int:
        if row.slot == 1 and row.last_turn:
            raise ValueError("no such frame")
        return pull(row)

    async def speak(engine: Engine) -> None:
        samples = noise(4, N_SAMPLES)
        sessions = [engine.open() for _ in range(3)]
        monkeypatch.setattr(Row, "pull", trip)
        others = [asyncio.create_task(transcribe(sessions[n], samples, [1280])) for n in (0, 2)]
        await interrupted(sessions[1], 5, RowFaultError)
        assert [await other for other in others] == [fake_tokens(samples, 6)] * 2

    run(speak, FakeModel())


def test_a_slot_that_cannot_be_had_fails_the_one_who_asked() -> None:
    def refuse() -> None:
        raise METAL_MEMORY

    async def speak(engine: Engine) -> None:
        first, samples = engine.open(), noise(4, N_SAMPLES)
        await first.feed(samples)
        await anext(first)
        model.before_reset = refuse
        unlucky = engine.open()
        with pytest.raises(OutOfMemoryError):
            await anext(unlucky)
        model.before_reset = lambda: None
        assert await transcribe(engine.open(), samples) == fake_tokens(samples, 6)
        first.end()
        assert len([event async for event in first]) == len(fake_tokens(samples, 6))
        while engine.n_free < LIMITS.max_sessions:
            await asyncio.sleep(0.001)

    model = FakeModel()
    run(speak, model)


def test_two_faults_and_a_success_are_forgiven_and_three_in_a_row_are_not() -> None:
    failures: list[Exception] = []

    async def main() -> None:
        engine = Engine(model.load, LIMITS, on_failure=failures.append)
        await engine.start()
        samples = noise(4, N_SAMPLES)
        for _ in range(2):
            model.before_pass = Saboteur(0, RuntimeError("no such kernel"), 2)
            for _ in range(2):
                await interrupted(engine.open(), 5, StepFaultError)
            assert await transcribe(engine.open(), samples) == fake_tokens(samples, 6)
        quiet, place = engine.open(), engine.reserve()
        model.before_pass = Saboteur(1, RuntimeError("no such kernel"), 3)
        for code in (StepFaultError, StepFaultError, EngineDeadError):
            assert not failures
            await interrupted(engine.open(), 5, code)
        with pytest.raises(EngineDeadError):
            await collect(quiet)
        with pytest.raises(EngineDeadError):
            await collect(place.open(None, log_probs=False))
        assert engine.n_open == 0
        await engine.stop()
        assert not engine.is_alive
        assert not engine.is_ready
        assert [str(failure) for failure in failures] == ["3 steps failed in a row"]
        with pytest.raises(NotReadyError):
            engine.open()

    model = FakeModel()
    asyncio.run(main())
    assert model.n_released == 1


def test_a_step_that_hangs_is_seen_by_the_heartbeat() -> None:
    hanging, free, now_s = threading.Event(), threading.Event(), [0.0]

    def hang(slots: Sequence[int], mel: Floats) -> None:
        hanging.set()
        free.wait(TIMEOUT_S)

    async def main() -> None:
        model = FakeModel()
        engine = Engine(model.load, LIMITS, stale_s=10, clock=lambda: now_s[0])
        await engine.start()
        model.before_pass = hang
        samples = noise(4, N_SAMPLES)
        session = asyncio.create_task(transcribe(engine.open(), samples))
        await asyncio.to_thread(hanging.wait, TIMEOUT_S)
        now_s[0] += 9
        assert (engine.is_alive, engine.is_ready) == (True, True)
        now_s[0] += 2
        assert (engine.is_alive, engine.is_ready, engine.n_free) == (False, False, 0)
        with pytest.raises(NotReadyError):
            engine.open()
        free.set()
        assert await session == fake_tokens(samples, 6)
        assert engine.is_ready
        await engine.stop()

    asyncio.run(main())


def test_a_model_that_cannot_be_loaded_says_why() -> None:
    def load() -> Any:
        raise FileNotFoundError("no such checkpoint")

    async def main() -> None:
        failures: list[Exception] = []
        engine = Engine(load, LIMITS, on_failure=failures.append)
        with pytest.raises(FileNotFoundError):
            await engine.start()
        assert not engine.is_alive
        assert not failures
        with pytest.raises(NotReadyError):
            engine.open(Kind.UPLOAD)

    asyncio.run(main())
