"""What the watch for a stuck decoder costs sessions that are well: rounds with it and without."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

from rich.table import Table

from tests.bench.recording import record, rolled
from tests.server.live_server import Generous
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.model.mel import Floats
from voxwire.model.tekken import Tekken
from voxwire.protocol.session import Audio, Ended, Finish, SessionSettings
from voxwire.server.engine.admission import Limits
from voxwire.server.engine.backend import load_backend
from voxwire.server.engine.engine import Engine
from voxwire.server.metrics import Metrics
from voxwire.server.session.backing import Backing, SessionLimits
from voxwire.server.session.session import Session

_N_SESSIONS = 64
_PATIENCE_S = 16.0  # the server's own
_CHUNK_BYTES = 2560  # 80 ms


def measure(short: bool) -> dict[str, Any]:
    """Let all sessions hear a recording, each from another place of it on, again and again."""
    n_rounds, seconds = (2, 2.0) if short else (8, 4.0)
    return asyncio.run(_measure(n_rounds, seconds))


async def _measure(n_rounds: int, seconds: float) -> dict[str, Any]:
    samples = record(seconds).samples
    said = [_pcm(rolled(samples, n, _N_SESSIONS)) for n in range(_N_SESSIONS)]
    rounds: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    limits = Limits(_N_SESSIONS)
    engine = Engine(lambda: load_backend(EMBEDDED), limits)
    engine._admission = Generous(limits, time.monotonic)  # nobody waits for this in real time
    async with engine:
        tekken = Tekken.load(engine.tokenizer_file)
        await _round(engine, tekken, said, 0.0)  # whatever is slow only once
        for n in range(n_rounds):
            for name in sorted(rounds, reverse=n % 2 == 0):
                patience_s = _PATIENCE_S if name == "with" else 0.0
                rounds[name].append(await _round(engine, tekken, said, patience_s))
    n_steps = _N_SESSIONS * seconds * 12.5  # of one session each
    return {
        "n_sessions": _N_SESSIONS,
        "seconds": seconds,
        "rounds": rounds,
        "us_a_token": {
            clock: _compared(rounds, clock, 1e6 / n_steps) for clock in ("all_s", "loop_s")
        },
    }


def _compared(
    rounds: dict[str, list[dict[str, float]]], clock: str, scale: float
) -> dict[str, float]:
    """Return the medians, and the median, least and most of what the watch added in a pair."""
    without, with_ = ([each[clock] * scale for each in rounds[n]] for n in ("without", "with"))
    added = [b - a for a, b in zip(without, with_, strict=True)]
    return {
        "without": statistics.median(without),
        "with": statistics.median(with_),
        "added": statistics.median(added),
        "least": min(added),
        "most": max(added),
    }


def _pcm(samples: Floats) -> bytes:
    return (samples * 32768).astype("<i2").tobytes()


async def _round(
    engine: Engine, tekken: Tekken, said: list[bytes], patience_s: float
) -> dict[str, float]:
    """Return the processor seconds of all threads, and of the event loop's."""
    limits = SessionLimits(stuck_after_s=patience_s)
    backing = Backing(engine, tekken, limits, 480, Metrics())
    all_s, loop_s = time.process_time(), time.thread_time()
    async with asyncio.TaskGroup() as tasks:
        for n, pcm in enumerate(said):
            tasks.create_task(_speak(backing, f"sess_{n}", pcm))
    return {"all_s": time.process_time() - all_s, "loop_s": time.thread_time() - loop_s}


async def _speak(backing: Backing, name: str, pcm: bytes) -> None:
    session = Session(name, backing, backing.engine.reserve(), SessionSettings())
    running = asyncio.create_task(session.run())
    listening = asyncio.create_task(_listen(session))
    for at in range(0, len(pcm), _CHUNK_BYTES):
        await session.handle(Audio(pcm[at : at + _CHUNK_BYTES]))
    await session.handle(Finish())
    await asyncio.gather(running, listening)


async def _listen(session: Session) -> None:
    while not isinstance(await session.outbox.get(), Ended):
        pass


def tables(result: dict[str, Any]) -> list[Table]:
    """Show the processor time of a token, and what the watch added to it."""
    title = f"stuck watch: {result['n_sessions']} sessions that are well, µs of processor a token"
    table = Table(title=title)
    for heading in ("", "without", "with", "added", "in the pairs from", "to"):
        table.add_column(heading, justify="right")
    for name, clock in (("all threads", "all_s"), ("event loop", "loop_s")):
        figures = result["us_a_token"][clock]
        cells = (figures[each] for each in ("without", "with", "added", "least", "most"))
        table.add_row(name, *(f"{cell:.1f}" for cell in cells))
    return [table]
