"""The engine over the real model: every session gets its offline tokens."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.model.models import alone, make_model, make_recording
from tests.server.engine.sessions import TIMEOUT_S, transcribe
from voxwire.model.cache import RingStep
from voxwire.model.device import free_unused_memory, release_thread
from voxwire.model.mel import Floats
from voxwire.model.rope import Ints
from voxwire.model.stream import Probe, SlotBatch
from voxwire.protocol.errors import NotFiniteError, StepFaultError
from voxwire.server.engine.admission import Kind, Limits, Load
from voxwire.server.engine.backend import MAX_GUESS, Backend, load_backend
from voxwire.server.engine.engine import Engine
from voxwire.server.engine.session import EngineSession, Token

LIMITS = Limits(max_sessions=6, max_uploads=6)
NO_LOAD = Load(6, 6, is_behind=False)  # however busy the machine is
N_SAMPLES = (0, 700, 16_000, 31_999)
CLIENTS = st.tuples(
    st.sampled_from(list(Kind)),
    st.integers(0, 2),  # recording
    st.sampled_from(N_SAMPLES),
    st.sampled_from([80, 480, 2400]),  # ms of delay
    st.lists(st.sampled_from([37, 320, 1280, 1600, 9000]), min_size=1, max_size=4),  # pieces
    st.booleans(),  # leaves early
)


class Sabotaged(SlotBatch):
    """A batch that can be made to fail after its encoder has run."""

    fails_with: Exception | None = None

    def _encode(self, rows: Ints, mel: Floats, probe: Probe | None) -> tuple[RingStep, mx.array]:
        heard = super()._encode(rows, mel, probe)
        if self.fails_with is not None:
            error, self.fails_with = self.fails_with, None
            raise error
        return heard


class Real:
    """The tiny random model, whose batches the test can reach."""

    def __init__(self) -> None:
        self.batch: Sabotaged

    def load(self) -> Backend:
        return Backend(
            make_model().config,
            Path("tekken.json"),
            self._make,
            100,
            free_unused_memory,
            release_thread,
        )

    def _make(self, n_slots: int) -> Sabotaged:
        self.batch = Sabotaged(make_model(), n_slots, max_guess=MAX_GUESS)
        return self.batch


def check(ids: list[int], seed: int, n_samples: int, delay_ms: int) -> None:
    alone("tiny", seed, n_samples, delay_ms // 80).assert_same(ids)


@settings(
    deadline=None, max_examples=3, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(st.lists(CLIENTS, min_size=2, max_size=6))
def test_any_mix_of_sessions_gives_each_its_offline_tokens(
    clients: list[tuple[Kind, int, int, int, list[int], bool]],
) -> None:
    async def client(
        engine: Engine,
        kind: Kind,
        seed: int,
        n: int,
        delay_ms: int,
        pieces: list[int],
        leaves: bool,
    ) -> None:
        samples = make_recording(seed, n)
        async with engine.open(kind, delay_ms) as session:
            if leaves:
                await session.feed(samples[: n // 2])
                await asyncio.sleep(0.01)
                return
            ids = await transcribe(session, samples, pieces, stall_s=0.005)
        check(ids, seed, n, delay_ms)

    async def main() -> None:
        async with Engine(Real().load, LIMITS) as engine, asyncio.TaskGroup() as tasks:
            for each in clients * 2:
                tasks.create_task(when_free(engine, each))

    async def when_free(engine: Engine, each: tuple[Kind, int, int, int, list[int], bool]) -> None:
        async with seats:
            while sum(engine._admission.n_open.values()) == LIMITS.max_sessions:
                await asyncio.sleep(0.001)
            engine._admission.load = NO_LOAD
            await client(engine, *each)

    seats = asyncio.Semaphore(4)  # fewer than sessions, so that slots are used again
    asyncio.run(main())


async def heard(session: EngineSession, samples: np.ndarray, n_first: int) -> list[int]:
    """Feed the first samples; return the tokens once all that can be written of them is."""
    await session.feed(samples[:n_first])
    n_tokens = (n_first - 40) // 1280 - 6
    async with asyncio.timeout(TIMEOUT_S):
        events = [await anext(session) for _ in range(n_tokens)]
    return [event.id for event in events if isinstance(event, Token)]


async def rest(session: EngineSession, samples: np.ndarray) -> list[int]:
    await session.feed(samples)
    session.end()
    async with asyncio.timeout(TIMEOUT_S):
        return [event.id async for event in session if isinstance(event, Token)]


@pytest.mark.parametrize("fault", ["step", "not-finite"])
def test_the_others_outlive_a_fault_word_for_word(fault: str) -> None:
    async def main() -> None:
        real = Real()
        async with Engine(real.load, Limits(max_sessions=4)) as engine:
            engine._admission.load = NO_LOAD
            sessions = [engine.open() for _ in range(3)]
            recordings = [make_recording(seed, 31_999) for seed in range(3)]
            ids = [
                await heard(session, samples, 20_000)
                for session, samples in zip(sessions, recordings, strict=True)
            ]
            if fault == "step":
                real.batch.fails_with = RuntimeError("no such kernel")
                expected: type[Exception] = StepFaultError
            else:
                real.batch._tails[1] = np.nan
                expected = NotFiniteError
            with pytest.raises(expected):
                await rest(sessions[1], recordings[1][20_000:])
            for slot in (0, 2):
                ids[slot] += await rest(sessions[slot], recordings[slot][20_000:])
                check(ids[slot], slot, 31_999, 480)
            engine._admission.load = NO_LOAD
            check(await transcribe(engine.open(), recordings[1]), 1, 31_999, 480)

    asyncio.run(main())


def test_a_checkpoint_is_loaded_in_the_engines_thread(checkpoint: Path) -> None:
    threads: list[threading.Thread] = []

    def load() -> Backend:
        threads.append(threading.current_thread())
        return load_backend(checkpoint)

    async def main() -> None:
        async with Engine(load, Limits(max_sessions=2)) as engine:
            assert engine.config.default_delay_tokens == 6
            assert len(await transcribe(engine.open(), make_recording(0, 16_000))) == 13 + 11
        with pytest.raises(Exception, match="expected"):
            await Engine(lambda: load_backend(checkpoint.parent / "nowhere")).start()

    asyncio.run(main())
    assert [thread.name for thread in threads] == ["voxwire-engine"]
