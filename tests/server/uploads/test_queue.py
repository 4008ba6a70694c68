"""Uploads get places in their order; who cannot wait longer is told when to come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.server.engine.fakes import FakeModel
from voxwire.protocol.errors import CapacityError, NotReadyError
from voxwire.server.engine.admission import Kind, Limits
from voxwire.server.engine.engine import Engine
from voxwire.server.uploads.queue import UploadQueue

LONG_S = 60.0


@asynccontextmanager
async def queue(max_waiting: int, patience_s: float = LONG_S) -> AsyncIterator[UploadQueue]:
    """Yield the queue before an engine that takes one upload."""
    limits = Limits(max_sessions=4, max_uploads=1)
    async with Engine(FakeModel().load, limits) as engine:
        yield UploadQueue(engine, max_waiting, patience_s)


async def settle() -> None:
    """Let all tasks come to where they wait."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_places_are_given_in_the_order_of_coming() -> None:
    async def run() -> list[int]:
        served: list[int] = []

        async def upload(number: int) -> None:
            async with waiting.place():
                served.append(number)
                await settle()

        async with queue(8) as waiting, asyncio.TaskGroup() as tasks:
            for number in range(8):
                tasks.create_task(upload(number))
                await settle()
        return served

    assert asyncio.run(run()) == list(range(8))


def test_one_too_many_is_refused_at_once() -> None:
    async def run() -> CapacityError:
        async with queue(1) as waiting, waiting.place():
            second = asyncio.create_task(waiting.place().__aenter__())
            await settle()
            with pytest.raises(CapacityError) as caught:
                await waiting.place().__aenter__()
            second.cancel()
            await asyncio.wait([second])
        return caught.value

    error = asyncio.run(run())
    assert "1 uploads wait" in error.message
    assert error.retry_after_s


def test_patience_ends_with_the_engines_own_refusal() -> None:
    async def run() -> CapacityError:
        async with queue(1, patience_s=0.01) as waiting, waiting.place():
            with pytest.raises(CapacityError, match="all 1 uploads are taken") as caught:
                await waiting.place().__aenter__()
        return caught.value

    assert asyncio.run(run()).retry_after_s


def test_who_leaves_while_waiting_takes_no_place() -> None:
    async def run() -> int:
        async with queue(2) as waiting:
            async with waiting.place():
                leaving = asyncio.create_task(waiting.place().__aenter__())
                staying = asyncio.create_task(waiting.place().__aenter__())
                await settle()
                leaving.cancel()
                await settle()
            async with asyncio.timeout(LONG_S):
                place = await staying
            place.release()
            return waiting._engine._admission.n_open[Kind.UPLOAD]

    assert asyncio.run(run()) == 0


def test_a_stopped_engine_is_not_waited_for() -> None:
    async def run() -> None:
        async with queue(2) as waiting:
            await waiting._engine.stop()
            with pytest.raises(NotReadyError):
                await waiting.place().__aenter__()

    asyncio.run(run())
