"""A process that uses the engine and ends in the way it is told; test_exit.py runs it.

usage: exits.py DIRECTORY WAY
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import numpy as np

from voxwire.server.engine.admission import Limits
from voxwire.server.engine.backend import load_backend
from voxwire.server.engine.engine import Engine


async def speak(engine: Engine) -> None:
    """Have some silence transcribed."""
    session = engine.open()
    await session.feed(np.zeros(8000, np.float32))
    session.end()
    print(len([event async for event in session]), flush=True)


async def fail(engine: Engine) -> None:
    """Make every step fail, until the engine gives up."""
    from voxwire.model.stream import SlotBatch

    del SlotBatch._encode
    while engine.is_alive:
        try:
            await speak(engine)
        except Exception as error:
            print(type(error).__name__, flush=True)


async def main(directory: Path, way: str) -> None:
    """Use the engine, and return in this way or that."""
    over = asyncio.Event()
    engine = Engine(
        lambda: load_backend(directory),
        Limits(max_sessions=2),
        on_failure=lambda failure: over.set(),
    )
    await engine.start()
    await speak(engine)
    if way == "stopped":
        await engine.stop()
    elif way == "stopped-in-a-session":
        await engine.open().feed(np.zeros(160_000, np.float32))
        await engine.stop()
    elif way == "raised":
        raise SystemExit(3)
    elif way == "failed":
        await fail(engine)
        await over.wait()
        raise SystemExit(70)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
