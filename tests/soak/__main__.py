"""`make soak`: twelve hours of audio through one session, as fast as this machine goes."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.bench.provenance import provenance
from tests.server.session.sessions import backing
from tests.soak.soak import Report, Soaked, broken_promises, soak
from voxwire.model.checkpoint.hub import resolve_model

DESCRIPTION = """\
One session hears a minute of voices, noise, music and silence again and again. From the second
on, every minute must be written with the same words at the same times, for as long as you like;
memory and time per step must stay what they are. Prints a row an hour, ends in one line of JSON.
"""


def main() -> None:
    """Run the soak; exit 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=DESCRIPTION)
    parser.add_argument("--hours", type=float, default=12.0, help="of audio (default: 12)")
    parser.add_argument("--model", default="embedded", help="as for voxwire serve")
    args = parser.parse_args()
    n_minutes = round(args.hours * 60)
    directory = resolve_model(args.model, None)
    with Progress(console=Console(stderr=True)) as bars:
        task = bars.add_task("hearing", total=n_minutes)
        soaked = asyncio.run(
            _soak(directory, n_minutes, lambda r: bars.update(task, completed=r.minutes))
        )
    Console().print(_table(soaked))
    broken = broken_promises(soaked, n_minutes)
    result = {
        **provenance(),
        "benchmark": "soak",
        "model": args.model,
        "hours": args.hours,
        "words": soaked.n_words,
        "differing_minutes": soaked.differing,
        "broken": broken,
        "reports": [asdict(report) for report in soaked.reports],
    }
    print(json.dumps(result))
    sys.exit(1 if broken else 0)


async def _soak(directory: Path, n_minutes: int, on_report: Callable[[Report], None]) -> Soaked:
    async with backing(directory) as shared:
        return await soak(shared, n_minutes, min(60, max(1, n_minutes // 12)), on_report)


def _table(soaked: Soaked) -> Table:
    table = Table(title=f"{soaked.audio_s / 3600:.1f} h in one session, {soaked.n_words} words")
    for name in ("hours heard", "times real time", "processor ms a step", "memory MB"):
        table.add_column(name, justify="right")
    before = 0
    for report in soaked.reports:
        n_s = (report.minutes - before) * 60
        table.add_row(*_row(report, n_s))
        before = report.minutes
    return table


def _row(report: Report, n_s: int) -> tuple[str, ...]:
    return (
        f"{report.minutes / 60:.1f}",
        f"{n_s / report.wall_s:.0f}",
        f"{1000 * report.processor_s / (n_s * 12.5):.2f}",
        f"{report.memory_bytes / 1e6:.1f}",
    )


if __name__ == "__main__":
    main()
