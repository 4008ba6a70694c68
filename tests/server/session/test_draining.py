"""What comes while the server goes down is not taken, and not said to have come."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from tests.server.session.sessions import backing
from voxwire.protocol.errors import IllegalMoveError, SlowReaderError
from voxwire.protocol.session import (
    Audio,
    Clear,
    CloseReason,
    Commit,
    Configure,
    Draining,
    Ended,
    Final,
    Finish,
    Received,
    Reply,
    SessionSettings,
)
from voxwire.server.session.outbox import MAX_EVENTS
from voxwire.server.session.session import Session
from voxwire.server.session.state import State

PCM = np.random.default_rng(5).integers(-16000, 16000, 20_000).astype("<i2").tobytes()


def test_a_client_learns_what_another_server_has_to_hear(checkpoint: Path) -> None:
    async def run() -> list[object]:
        async with backing(checkpoint) as shared:
            session = Session("sess_1", shared, shared.engine.reserve(), SessionSettings())
            running = asyncio.create_task(session.run())
            await session.handle(Audio(PCM))
            await session.drain(30.0)
            for late in (Audio(PCM), Commit(), Clear(), Finish()):
                await session.handle(late)
            with pytest.raises(IllegalMoveError):  # it could know: its answer is owed
                await session.handle(Configure(SessionSettings()))
            await running
            assert await session.received() == Received(len(PCM), 0)
            told: list[object] = []
            while not told or not isinstance(told[-1], Ended):
                told.append(await session.outbox.get())
            return told

    told = asyncio.run(run())
    assert sum(isinstance(event, Draining) for event in told) == 1
    assert [event for event in told if isinstance(event, Received)][-1] == Received(len(PCM), 0)
    assert isinstance(told[-3], Final)
    assert told[-1] == Ended(CloseReason.SHUTDOWN, len(PCM) / 32_000)


def test_a_client_that_is_too_slow_to_be_told_is_failed_and_the_drain_goes_on(
    checkpoint: Path,
) -> None:
    async def run() -> Session:
        async with backing(checkpoint) as shared:
            session = Session("sess_1", shared, shared.engine.reserve(), SessionSettings())
            running = asyncio.create_task(session.run())
            for _ in range(MAX_EVENTS - 2):  # and the warning: one less than is too many
                await session.handle(Reply("pong"))
            assert session.state is State.CREATED
            await session.drain(30.0)
            await running
            return session

    assert asyncio.run(run()).end_code == SlowReaderError.code
