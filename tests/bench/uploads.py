"""How fast whole recordings go through the engine, alone and eight at once; with speculation."""

from __future__ import annotations

import asyncio
import statistics
from typing import Any

from rich.table import Table

from tests.bench.progress import shown
from tests.bench.recording import record, rolled
from tests.bench.upload_client import load, timed, unguessing
from voxwire.model.delay import STREAMING_PAD_ID
from voxwire.server.engine.engine import Engine

_N_AT_ONCE = (1, 8)


def measure(short: bool) -> dict[str, Any]:
    """Upload again and again, the engines taking turns."""
    return asyncio.run(_measure(*((20.0, 1) if short else (120.0, 5))))


async def _measure(seconds: float, n_repeats: int) -> dict[str, Any]:
    samples = record(seconds).samples
    rates: dict[tuple[bool, int], list[float]] = {}
    seen = []
    for _ in shown(range(n_repeats), "uploads"):
        for guesses in (True, False):
            async with Engine(lambda: load(None if guesses else unguessing)) as engine:  # noqa: B023
                for n in _N_AT_ONCE:
                    took_s, ids = await timed(engine, [rolled(samples, at, n) for at in range(n)])
                    rates.setdefault((guesses, n), []).append(n * seconds / took_s)
                    seen.append(ids[0])
    return {
        "seconds": seconds,
        "share_of_padding": round(seen[0].count(STREAMING_PAD_ID) / len(seen[0]), 3),
        "same_tokens": all(ids == seen[0] for ids in seen),
        "rates": [
            {
                "guesses": guesses,
                "n_at_once": n,
                "audio_s_per_s": round(statistics.median(found), 2),
                "from": round(min(found), 2),
                "to": round(max(found), 2),
            }
            for (guesses, n), found in rates.items()
        ],
    }


def tables(result: dict[str, Any]) -> list[Table]:
    """Show the rates, and whether speculation changed a token."""
    same = "the same tokens" if result["same_tokens"] else "DIFFERENT tokens"
    padding = f"{result['share_of_padding']:.0%} of the tokens are padding"
    table = Table(title=f"uploads of {result['seconds']:.0f} s; {padding}; {same} in every run")
    for heading in ("files at once", "speculation", "audio s/s", "from", "to"):
        table.add_column(heading, justify="right")
    for rate in result["rates"]:
        table.add_row(
            f"{rate['n_at_once']}",
            "yes" if rate["guesses"] else "no",
            *(f"{rate[name]:.1f}" for name in ("audio_s_per_s", "from", "to")),
        )
    return [table]
