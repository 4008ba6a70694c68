"""Run a session of the real engine without a connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import numpy as np

from voxwire.model.tekken import Tekken
from voxwire.protocol.session import (
    Audio,
    Ended,
    Event,
    Final,
    Received,
    Reply,
    Request,
    SessionSettings,
)
from voxwire.server.engine.admission import Limits
from voxwire.server.engine.backend import load_backend
from voxwire.server.engine.engine import Engine
from voxwire.server.metrics import Metrics
from voxwire.server.session.backing import Backing, SessionLimits
from voxwire.server.session.session import Session

TIMEOUT_S = 60.0
N_SAMPLES = 50_000
PCM = np.random.default_rng(5).integers(-16000, 16000, N_SAMPLES).astype("<i2").tobytes()


@asynccontextmanager
async def backing(checkpoint: Path, limits: SessionLimits | None = None) -> AsyncIterator[Backing]:
    """Yield what sessions work with: a started engine of the checkpoint."""
    async with Engine(lambda: load_backend(checkpoint), Limits(16, 4)) as engine:
        tekken = Tekken.load(engine.tokenizer_file)
        yield Backing(engine, tekken, limits or SessionLimits(), 480, Metrics())


# What is done between two requests, with the events that were told by then.
Act: TypeAlias = Callable[[Session, list[Event]], Awaitable[None]]


async def told(
    backing: Backing, settings: SessionSettings, requests: Iterable[Request | Act]
) -> list[Event]:
    """Make all requests of one session; return its events, up to Ended."""
    session = Session("sess_1", backing, backing.engine.reserve(), settings)
    events: list[Event] = []

    async def ask() -> None:
        for request in requests:
            if isinstance(request, Request):
                await session.handle(request)
            else:
                await request(session, events)

    async def listen() -> None:
        while not events or not isinstance(events[-1], Ended):
            event = await session.outbox.get()
            assert not isinstance(event, Reply)
            if not isinstance(event, Received):  # told now and then: see test_receipts
                events.append(event)

    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(session.run())
        tasks.create_task(listen())
        tasks.create_task(ask())
    return events


def transcribe(
    checkpoint: Path,
    requests: Sequence[Request | Act],
    chosen: SessionSettings | None = None,
    limits: SessionLimits | None = None,
) -> list[Event]:
    """Run one session on an engine of its own."""

    async def run() -> list[Event]:
        async with backing(checkpoint, limits) as shared:
            return await told(shared, chosen or SessionSettings(), requests)

    return asyncio.run(run())


def in_pieces(data: bytes, cuts: list[int]) -> list[Request]:
    """Return audio as messages, cut at these bytes, or at what is left of them beyond its end."""
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [Audio(data[low:high]) for low, high in pairwise(bounds)]


def finals(events: Sequence[Event]) -> list[Final]:
    """Return the finals among events."""
    return [event for event in events if isinstance(event, Final)]
