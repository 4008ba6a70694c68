"""Whole recordings through the engine, as fast as it takes them."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.model.mel import Floats
from voxwire.server.engine.admission import Kind
from voxwire.server.engine.backend import Backend, Batch, load_backend
from voxwire.server.engine.engine import Engine
from voxwire.server.engine.session import EngineSession, Token

Ids = list[int]


class Wrapped:
    """A batch whose methods of some names are replaced."""

    def __init__(self, batch: Batch, **methods: Callable[..., Any]) -> None:
        self._batch = batch
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        """Return what the batch has under any other name."""
        return getattr(self._batch, name)


def load(wrap: Callable[[Batch], Wrapped] | None = None) -> Backend:
    """Load the embedded checkpoint, its batches wrapped. Engine thread only."""
    backend = load_backend(EMBEDDED)
    if wrap is None:
        return backend
    return dataclasses.replace(
        backend, make_batch=lambda n_slots: cast(Batch, wrap(backend.make_batch(n_slots)))
    )


def unguessing(batch: Batch) -> Wrapped:
    """Have every position decoded by itself."""
    return Wrapped(batch, advance_guessing=batch.advance)


async def timed(engine: Engine, recordings: Sequence[Floats]) -> tuple[float, list[Ids]]:
    """Upload several recordings at once; return the seconds until all are done, and the tokens."""
    started_s = time.monotonic()
    ids = await asyncio.gather(*(_upload(engine, samples) for samples in recordings))
    return time.monotonic() - started_s, ids


async def _upload(engine: Engine, samples: Floats) -> Ids:
    async with engine.open(Kind.UPLOAD) as session, asyncio.TaskGroup() as tasks:
        tasks.create_task(_feed(session, samples))
        return [event.id async for event in session if isinstance(event, Token)]


async def _feed(session: EngineSession, samples: Floats) -> None:
    await session.feed(samples)
    session.end()
