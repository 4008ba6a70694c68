"""One trial of so many live sessions on a fresh engine: how late, and what it cost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from tests.bench.due import lateness
from tests.bench.live_load import Session, run
from tests.bench.memory import resident_bytes
from tests.bench.recording import record
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.model.mel import Floats
from voxwire.protocol.errors import RefusedError
from voxwire.server.engine.admission import Limits
from voxwire.server.engine.backend import load_backend
from voxwire.server.engine.engine import Engine
from voxwire.server.engine.session import EngineSession, Token

_MAX_SESSIONS = 512


class EngineLine:
    """A session of the engine in this process."""

    def __init__(self, session: EngineSession) -> None:
        self._session = session

    async def send(self, samples: Floats) -> None:
        """Feed the session."""
        await self._session.feed(samples)

    async def tokens(self) -> AsyncIterator[int]:
        """Yield the places of its tokens."""
        async for event in self._session:
            if isinstance(event, Token):
                yield event.index

    def close(self) -> None:
        """Drop the session."""
        self._session.close()


def measure(n_sessions: int, seconds: float) -> dict[str, Any]:
    """Run `n_sessions` for `seconds` each."""
    return asyncio.run(_measure(n_sessions, seconds))


async def _measure(n_sessions: int, seconds: float) -> dict[str, Any]:
    samples = record(seconds).samples
    async with Engine(lambda: load_backend(EMBEDDED), Limits(_MAX_SESSIONS)) as engine:
        n_free = engine.n_free
        before_bytes, cpu_s, own_cpu_s = resident_bytes(), time.process_time(), time.thread_time()
        started_s = time.monotonic()
        try:
            sessions = await run(
                lambda: EngineLine(engine.open()),
                n_sessions,
                samples,
                engine.config.default_delay_tokens,
            )
        except RefusedError as error:
            return {"n_sessions": n_sessions, "n_admissible": n_free, "refused": str(error)}
        wall_s = time.monotonic() - started_s
        cpu_s, own_cpu_s = time.process_time() - cpu_s, time.thread_time() - own_cpu_s
        return {
            "n_sessions": n_sessions,
            "n_admissible": n_free,
            "seconds": seconds,
            "late": _by_pace(sessions),
            "errors": sorted({session.error for session in sessions if session.error}),
            "cores_used": round(cpu_s / wall_s, 3),
            "cpu_s_per_session": round(cpu_s / n_sessions, 4),
            "event_loop_share": round(own_cpu_s / cpu_s, 3),
            "memory_per_session_bytes": (resident_bytes() - before_bytes) // n_sessions,
        }


def _by_pace(sessions: list[Session]) -> dict[str, Any]:
    """Return the lateness of all, and of the clients of each kind."""
    groups = {"all": sessions}
    for session in sessions:
        groups.setdefault(f"{session.pace.message_ms} ms", []).append(session)
    return {
        name: asdict(
            lateness(
                [late for session in group for late in session.late_s],
                sum(session.n_due for session in group),
            )
        )
        for name, group in groups.items()
    }
