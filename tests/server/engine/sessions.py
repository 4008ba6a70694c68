"""Clients of the engine: they feed a recording in pieces and collect what comes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from voxwire.model.mel import Floats
from voxwire.server.engine.session import EngineSession, Token

TIMEOUT_S = 60  # of anything that should take milliseconds, on a busy machine


def noise(seed: int, n_samples: int) -> Floats:
    """Return a recording in which no two positions are alike."""
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n_samples).astype(np.float32)


async def collect(session: EngineSession) -> list[int]:
    """Return the ids of all tokens, checking that none is missing."""
    ids: list[int] = []
    async for event in session:
        if isinstance(event, Token):
            assert event.index == len(ids)
            ids.append(event.id)
    return ids


async def transcribe(
    session: EngineSession, samples: Floats, pieces: Sequence[int] = (), stall_s: float = 0
) -> list[int]:
    """Feed a recording in pieces of so many samples, in turn; return its tokens."""

    async def speak() -> None:
        at, turn = 0, 0
        while at < len(samples):
            n = pieces[turn % len(pieces)] if pieces else len(samples)
            await session.feed(samples[at : at + n])
            at, turn = at + n, turn + 1
            await asyncio.sleep(stall_s if turn % 5 == 0 else 0)
        session.end()

    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(speak())
        reader = tasks.create_task(collect(session))
    return reader.result()
