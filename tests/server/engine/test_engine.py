"""Sessions share one engine and notice nothing of each other."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.engine.fakes import FakeModel, fake_tokens
from tests.server.engine.sessions import TIMEOUT_S, collect, noise, transcribe
from voxwire.model.mel import Floats
from voxwire.protocol.errors import (
    CapacityError,
    InvalidRequestError,
    NotReadyError,
    OverloadedError,
    SessionClosedError,
    ShutdownError,
)
from voxwire.server.engine import loop
from voxwire.server.engine.admission import Kind, Limits
from voxwire.server.engine.engine import Engine
from voxwire.server.engine.messages import Flushed
from voxwire.server.engine.row import MAX_UNREAD_TOKENS
from voxwire.server.engine.session import MAX_QUEUED_SAMPLES, Token

LIMITS = Limits(max_sessions=12, max_uploads=8)
CLIENTS = st.tuples(
    st.sampled_from(list(Kind)),
    st.integers(0, 20_000),  # samples
    st.sampled_from([80, 480, 2400]),  # ms of delay
    st.lists(st.integers(0, 9000).map(lambda n: n + 1), min_size=1, max_size=4),  # pieces
    st.none() | st.integers(0, 3),  # pieces after which it leaves
)


def run(
    client: Callable[[Engine], Coroutine[Any, Any, None]],
    model: FakeModel | None = None,
    limits: Limits = LIMITS,
) -> FakeModel:
    """Run a coroutine beside an engine."""
    model = model or FakeModel()

    async def main() -> None:
        async with Engine(model.load, limits) as engine, asyncio.timeout(TIMEOUT_S):
            await client(engine)

    asyncio.run(main())
    return model


def has_room(engine: Engine) -> bool:
    return engine.n_free > 0


@settings(deadline=None, max_examples=12, derandomize=True)
@given(st.lists(CLIENTS, min_size=1, max_size=8))
def test_any_mix_of_sessions_gives_each_its_own_tokens(
    clients: list[tuple[Kind, int, int, list[int], int | None]],
) -> None:
    async def client(
        engine: Engine, kind: Kind, n: int, delay_ms: int, pieces: list[int], leaves: int | None
    ) -> None:
        samples = noise(n, n)
        async with engine.open(kind, delay_ms) as session:
            if leaves is None:
                ids = await transcribe(session, samples, pieces, stall_s=0.002)
                assert ids == fake_tokens(samples, delay_ms // 80)
            else:
                for piece in range(leaves):
                    await session.feed(samples[piece * pieces[0] :][: pieces[0]])
                    await asyncio.sleep(0)

    async def everybody(engine: Engine) -> None:
        async with asyncio.TaskGroup() as tasks:
            for each in clients:
                tasks.create_task(client(engine, *each))
        while engine.n_free < LIMITS.max_sessions:
            await asyncio.sleep(0.001)

    model = run(everybody)
    # Calibration is no session's; the last batch was the sessions' own.
    assert model.n_released == 1


def test_the_model_lives_in_one_thread_only() -> None:
    async def two(engine: Engine) -> None:
        await asyncio.gather(*(transcribe(engine.open(), noise(1, 5000)) for _ in range(2)))

    threads = run(two).threads
    assert len(threads) == 1
    assert threading.main_thread() not in threads
    assert not any(thread.is_alive() or thread.daemon for thread in threads)


def test_a_flush_brings_all_tokens_and_the_stream_stays_open() -> None:
    async def speak(engine: Engine) -> None:
        session, n_heard = engine.open(delay_ms=480), 0
        for part, n_samples in enumerate((20_000, 0, 1280)):
            await session.feed(noise(part, n_samples))
            session.flush()
            events: list[Token | Flushed] = []
            while not events or not isinstance(events[-1], Flushed):
                events.append(await anext(session))
            flushed = events[-1]
            assert isinstance(flushed, Flushed)
            tokens = [event for event in events if isinstance(event, Token)]
            assert tokens[-1].index + 1 == flushed.n_tokens
            n_heard += n_samples + flushed.padding_samples
            assert n_heard % 1280 == 40  # whole positions, and what their last window reaches into
        session.end()
        assert len(await collect_rest(session)) >= 17

    async def collect_rest(session: Any) -> list[Token]:
        return [event async for event in session if isinstance(event, Token)]

    run(speak)


def test_a_flush_is_told_right_after_its_last_token_however_much_audio_waits_behind_it() -> None:
    async def speak(engine: Engine) -> None:
        session = engine.open(delay_ms=480)
        await session.feed(noise(0, 12_800))
        session.flush()
        await session.feed(noise(1, 128_000))  # enough for blocks that reach past the flush
        session.end()
        seen = [event async for event in session]
        at = next(i for i, event in enumerate(seen) if isinstance(event, Flushed))
        flushed = seen[at]
        assert isinstance(flushed, Flushed)
        n_positions = (12_800 + flushed.padding_samples) // 1280
        assert flushed.n_tokens == at == n_positions - 6  # the prompt's own end

    run(speak)


def test_a_session_waits_while_its_queue_is_full() -> None:
    held = threading.Event()

    def wait(slots: Sequence[int], mel: Floats) -> None:
        held.wait(TIMEOUT_S)

    async def speak(engine: Engine) -> None:
        model.before_pass = wait
        session = engine.open(Kind.UPLOAD)
        feeding = asyncio.create_task(session.feed(noise(1, 4 * MAX_QUEUED_SAMPLES)))
        await asyncio.sleep(0.1)
        assert not feeding.done()
        held.set()
        reading = asyncio.create_task(collect(session))
        await feeding
        session.end()
        assert await reading == fake_tokens(noise(1, 4 * MAX_QUEUED_SAMPLES), 6)

    model = FakeModel()
    run(speak, model)


def test_a_reader_that_falls_behind_is_waited_for_and_loses_nothing() -> None:
    n_samples = 1280 * (MAX_UNREAD_TOKENS + 500)

    async def speak(engine: Engine) -> None:
        session = engine.open(Kind.UPLOAD, 80)
        feeding = asyncio.create_task(session.feed(noise(1, n_samples)))
        while sum(n * len(slots) for slots, n in model.passes) < MAX_UNREAD_TOKENS:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert not feeding.done()
        other = noise(2, 30_000)
        assert await transcribe(engine.open(), other) == fake_tokens(other, 6)
        reading = asyncio.create_task(collect(session))
        await feeding
        session.end()
        assert len(await reading) == n_samples // 1280 + 11

    model = FakeModel()
    run(speak, model)


def test_slots_are_doubled_up_to_the_limit_and_used_again() -> None:
    async def speak(engine: Engine) -> None:
        sessions = [engine.open() for _ in range(LIMITS.max_sessions)]
        with pytest.raises(CapacityError) as refusal:
            engine.open()
        assert refusal.value.retry_after_s
        for session in sessions:
            await session.feed(noise(0, 30_000))
        for session in sessions:
            assert (await anext(session)).__class__ is Token
        for session in sessions[:6]:
            session.close()
        while engine.n_free < 6:
            await asyncio.sleep(0.001)
        engine.open()
        for session in sessions[6:]:
            session.end()
            rest = [event async for event in session]
            assert len(rest) - 1 == len(fake_tokens(noise(0, 30_000), 6)) - 1
            assert isinstance(rest[-1], Flushed)
        assert model.batches[-1].n_slots == LIMITS.max_sessions

    model = FakeModel()
    run(speak, model)


def test_memory_for_two_slots_carries_two_sessions() -> None:
    async def speak(engine: Engine) -> None:
        assert engine.n_free == 2
        sessions = [engine.open(), engine.open()]
        with pytest.raises(CapacityError):
            engine.open()
        for session in sessions:
            assert await transcribe(session, noise(1, 5000)) == fake_tokens(noise(1, 5000), 6)

    model = run(speak, FakeModel(max_slots=2))
    assert max(batch.n_slots for batch in model.batches) == 2


def test_a_late_engine_lets_nobody_in_until_those_who_waited_have_gone() -> None:
    def slow(slots: Sequence[int], mel: Floats) -> None:
        time.sleep(0.1 * mel.shape[1] / 8)

    async def speak(engine: Engine) -> None:
        sessions = [engine.open() for _ in range(3)]
        model.before_pass = slow
        for session in sessions:
            await session.feed(noise(0, 100_000))
        while has_room(engine):
            await asyncio.sleep(0.01)
        with pytest.raises(OverloadedError) as refusal:
            engine.open()
        assert refusal.value.retry_after_s
        for session in sessions:
            session.close()
        while not has_room(engine):
            await asyncio.sleep(0.01)
        engine.open().close()

    model = FakeModel()
    run(speak, model)


def test_sessions_that_send_nothing_are_in_no_pass() -> None:
    async def speak(engine: Engine) -> None:
        for _ in range(8):
            engine.open()
        model.passes.clear()
        await transcribe(engine.open(), noise(1, 30_000), [1280])
        assert {slots for slots, _ in model.passes} == {(8,)}

    model = FakeModel()
    run(speak, model)


def test_sessions_that_are_ready_together_step_together() -> None:
    gate = threading.Event()

    def hold(slots: Sequence[int], mel: Floats) -> None:
        gate.wait(TIMEOUT_S)

    async def speak(engine: Engine) -> None:
        model.before_pass = hold
        first = engine.open()
        await first.feed(noise(0, 100))
        while not model.passes:
            await asyncio.sleep(0.001)
        others = [engine.open() for _ in range(6)]
        for session in others:
            await session.feed(noise(0, 100))
        gate.set()
        while len(model.passes) < 2:
            await asyncio.sleep(0.001)
        assert model.passes[1] == ((1, 2, 3, 4, 5, 6), 1)

    model = FakeModel()

    async def begin(engine: Engine) -> None:
        model.passes.clear()
        await speak(engine)

    run(begin, model)


def test_log_probabilities_come_to_those_who_ask() -> None:
    async def speak(engine: Engine) -> None:
        asking, other = engine.open(log_probs=True), engine.open()
        for session in (asking, other):
            await session.feed(noise(0, 20_000))
            session.end()
        events = [event async for event in asking if isinstance(event, Token)]
        assert [event.log_prob for event in events] == pytest.approx([-e.id / 1000 for e in events])
        assert {event.log_prob async for event in other if isinstance(event, Token)} == {None}

    run(speak)


def test_wrong_requests_are_refused_and_change_nothing() -> None:
    async def speak(engine: Engine) -> None:
        with pytest.raises(InvalidRequestError):
            engine.open(delay_ms=100)
        session = engine.open()
        wrongs: list[Any] = [np.zeros(9), np.zeros((1, 9), np.float32)]
        for wrong in [*wrongs, np.full(9, np.nan, np.float32)]:
            with pytest.raises(InvalidRequestError):
                await session.feed(wrong)
        samples = noise(3, 20_000)
        assert await transcribe(session, samples) == fake_tokens(samples, 6)
        for call in (session.flush, session.end):
            with pytest.raises(SessionClosedError):
                call()
        with pytest.raises(SessionClosedError):
            await session.feed(samples)

    run(speak)


def test_closing_wakes_whoever_waits() -> None:
    held = threading.Event()

    def wait(slots: Sequence[int], mel: Floats) -> None:
        held.wait(TIMEOUT_S)

    async def speak(engine: Engine) -> None:
        model.before_pass = wait
        session = engine.open()
        reading = asyncio.create_task(collect(session))
        feeding = asyncio.create_task(session.feed(noise(0, 3 * MAX_QUEUED_SAMPLES)))
        await asyncio.sleep(0.01)
        session.close()
        session.close()
        await reading
        with pytest.raises(SessionClosedError):
            await feeding
        held.set()

    model = FakeModel()
    run(speak, model)


def test_stopping_ends_every_session_with_an_error() -> None:
    async def main() -> None:
        engine = Engine(FakeModel().load, LIMITS)
        with pytest.raises(NotReadyError):
            engine.open()
        await engine.start()
        session = engine.open()
        reading = asyncio.create_task(collect(session))
        await session.feed(noise(0, 5000))
        await engine.stop()
        with pytest.raises(ShutdownError):
            await reading
        with pytest.raises(ShutdownError):
            await session.feed(noise(0, 5000))
        with pytest.raises(NotReadyError):
            engine.open()

    asyncio.run(main())


def test_an_engine_that_nobody_uses_gives_its_memory_back_once_and_serves_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop, "REST_S", 0.2)

    async def speak(engine: Engine) -> None:
        silent = engine.open()
        others = [engine.open() for _ in range(8)]
        for session in others:
            session.close()
        await asyncio.sleep(1.0)
        assert model.n_freed == 0  # somebody is here, though he says nothing
        assert model.batches[-1].n_slots > 8
        silent.close()
        await asyncio.sleep(1.6)
        assert model.n_freed == 1
        assert model.batches[-1].n_slots == 8
        assert await transcribe(engine.open(), noise(1, 9000)) == fake_tokens(noise(1, 9000), 6)

    model = FakeModel()
    run(speak, model)


def test_an_idle_engine_keeps_its_heart_beating_and_sleeps() -> None:
    async def main() -> None:
        async with Engine(FakeModel().load, LIMITS) as engine:
            beat_s, used_s = engine._worker.beat_s, time.process_time()
            await asyncio.sleep(1.2)
            assert engine._worker.beat_s > beat_s
            assert time.process_time() - used_s < 0.3

    asyncio.run(main())
