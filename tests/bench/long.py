"""Hours of audio through one session of the engine: do steps and memory stay what they were?

The audio is one minute of speech over and over, of whole blocks, so that every minute asks for
the same work. The minute's step time is the median over its passes of full blocks.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from tests.bench.memory import resident_bytes
from tests.bench.progress import shown
from tests.bench.recording import POSITION_SAMPLES, RATE_HZ, record
from tests.bench.upload_client import Ids, Wrapped, load
from voxwire.model.mel import Floats
from voxwire.server.engine.admission import Kind
from voxwire.server.engine.backend import Batch
from voxwire.server.engine.engine import Engine
from voxwire.server.engine.plan import MAX_BLOCK
from voxwire.server.engine.session import EngineSession, Token

_BLOCKS = 48  # in a minute
_MINUTE_POSITIONS = _BLOCKS * MAX_BLOCK
_MINUTE_S = _MINUTE_POSITIONS * POSITION_SAMPLES / RATE_HZ  # 61.44
_HOURS = 6.0
_HOURS_SHORT = 0.1


class Minutes:
    """What each minute of the session cost. Holds no more than a minute's passes."""

    def __init__(self) -> None:
        self.block_ms: list[float] = []
        self.memory_bytes: list[int] = []
        self._passes_s: list[float] = []
        self._n_positions = 0

    def timing(self, batch: Batch) -> Wrapped:
        """Have the passes of a batch noted. Its methods belong to the engine's thread."""

        def timed(advance: Callable[..., Any]) -> Callable[..., Any]:
            def timing(slots: Sequence[int], mel: Floats) -> Any:
                started_s = time.perf_counter()
                ids = advance(slots, mel)
                self._note(ids.shape[1], time.perf_counter() - started_s)
                return ids

            return timing

        return Wrapped(
            batch, advance=timed(batch.advance), advance_guessing=timed(batch.advance_guessing)
        )

    def forget(self) -> None:
        """Leave out what was noted so far: the engine's own measuring."""
        self.block_ms.clear()
        self.memory_bytes.clear()
        self._passes_s.clear()
        self._n_positions = 0

    def _note(self, n_positions: int, seconds: float) -> None:
        self._n_positions += n_positions
        if n_positions == MAX_BLOCK:
            self._passes_s.append(seconds)
        if self._n_positions >= _MINUTE_POSITIONS and self._passes_s:
            self.block_ms.append(round(1e3 * statistics.median(self._passes_s), 3))
            self.memory_bytes.append(resident_bytes())
            self._passes_s.clear()
            self._n_positions -= _MINUTE_POSITIONS


def measure(short: bool) -> dict[str, Any]:
    """Run the hours; returns what `tables` shows, and each minute for the plot."""
    n_minutes = round((_HOURS_SHORT if short else _HOURS) * 3600 / _MINUTE_S)
    return asyncio.run(_measure(n_minutes))


async def _measure(n_minutes: int) -> dict[str, Any]:
    minutes = Minutes()
    minute = record(_MINUTE_S).samples  # held to the end: freeing it would look like the engine's
    async with Engine(lambda: load(minutes.timing)) as engine:
        minutes.forget()
        started_s = time.monotonic()
        async with engine.open(Kind.UPLOAD) as session, asyncio.TaskGroup() as tasks:
            tasks.create_task(_feed(session, minute, n_minutes))
            n_changed = await _changed_minutes(session)
        wall_s = time.monotonic() - started_s
    first_ms, last_ms = minutes.block_ms[0], minutes.block_ms[n_minutes - 1]
    first_bytes, last_bytes = minutes.memory_bytes[0], minutes.memory_bytes[n_minutes - 1]
    return {
        "audio_s": round(n_minutes * _MINUTE_S, 1),
        "audio_s_per_s": round(n_minutes * _MINUTE_S / wall_s, 1),
        "first_block_ms": first_ms,
        "last_block_ms": last_ms,
        "step_change": round(last_ms / first_ms - 1, 4),
        "step_trend": round(trend(minutes.block_ms), 4),
        "first_memory_bytes": first_bytes,
        "last_memory_bytes": last_bytes,
        "memory_change": round(last_bytes / first_bytes - 1, 4),
        "minutes_transcribed_otherwise": n_changed,
        "block_ms": minutes.block_ms,
        "memory_bytes": minutes.memory_bytes,
    }


async def _feed(session: EngineSession, minute: Floats, n_minutes: int) -> None:
    for _ in shown(range(n_minutes), "long"):
        await session.feed(minute)
    session.end()


async def _changed_minutes(session: EngineSession) -> int:
    """Read all tokens; return how many minutes after the second are not word for word like it."""
    second: Ids = []
    minute: Ids = []
    n_read = n_changed = 0
    async for event in session:
        if not isinstance(event, Token):
            continue
        minute.append(event.id)
        if len(minute) == _MINUTE_POSITIONS:
            n_read += 1
            second = minute if n_read == 2 else second
            n_changed += n_read > 2 and minute != second
            minute = []
    return n_changed


def trend(values: Sequence[float]) -> float:
    """Return by what share the values rise from first to last, by the median of all slopes.

    Theil and Sen: what disturbs some of the minutes does not bend it.
    """
    if len(values) < 2:
        return 0.0
    levels = np.asarray(values)
    first, second = np.triu_indices(len(levels), 1)
    slope = np.median((levels[second] - levels[first]) / (second - first))
    return float(slope * (len(levels) - 1) / np.median(levels))


def tables(result: dict[str, Any]) -> list[Table]:
    """Show the first minute beside the last."""
    title = (
        f"long: {result['audio_s'] / 3600:.1f} hours of audio in one session, at "
        f"{result['audio_s_per_s']:.0f} s/s; {result['minutes_transcribed_otherwise']} minutes "
        "transcribed otherwise than the second"
    )
    table = Table(title=title)
    for heading in ("", "first minute", "last minute", "change", "trend over all"):
        table.add_column(heading, justify="right")
    table.add_row(
        f"ms for a block of {MAX_BLOCK}",
        f"{result['first_block_ms']:.2f}",
        f"{result['last_block_ms']:.2f}",
        f"{result['step_change']:+.1%}",
        f"{result['step_trend']:+.1%}",
    )
    memory_mb = (
        f"{result[name] / 1e6:.1f}" for name in ("first_memory_bytes", "last_memory_bytes")
    )
    table.add_row(
        "memory of the process, MB",
        *memory_mb,
        f"{result['memory_change']:+.1%}",
        f"{trend(result['memory_bytes']):+.1%}",
    )
    return [table]
