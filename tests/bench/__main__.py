"""The command of `make bench`."""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import voxwire.model  # noqa: F401  # before MLX, so that it finds the BLAS
from tests.bench import capacity, long, peer_tables, step, uploads, watch
from tests.bench.bars import bars
from tests.bench.child import ROOT, ChildError, in_child
from tests.bench.plot import draw
from tests.bench.provenance import provenance
from tests.bench.report import bars_table, json_line

CACHE = ROOT / ".cache/bench"
_WIDTH = 150  # of tables where there is no terminal


class Name(StrEnum):
    """A benchmark."""

    step = "step"
    capacity = "capacity"
    uploads = "uploads"
    long = "long"
    watch = "watch"
    peers = "peers"


_MODULES: dict[Name, tuple[str, Callable[[dict[str, Any]], list[Table]]]] = {
    Name.step: ("step", step.tables),
    Name.capacity: ("capacity", capacity.tables),
    Name.uploads: ("uploads", uploads.tables),
    Name.long: ("long", long.tables),
    Name.watch: ("watch", watch.tables),
    Name.peers: ("peer_runs", peer_tables.tables),
}


def main(
    names: Annotated[
        list[Name] | None, typer.Argument(help="Which benchmarks; all of them if none is named.")
    ] = None,
    short: Annotated[
        bool, typer.Option("--short", help="Look whether it runs, in a minute each; no figures.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for result.json and plot.png.")] = CACHE,
) -> None:
    """Measure voxwire on this machine, with the embedded checkpoint.

    * step: what a step costs, by rows, against its matrix products alone; 1 min

    * capacity: how many live sessions one process keeps in time; 5 min

    * uploads: whole files, one and eight at once, with and without speculation; 1 min

    * long: six hours of audio through one session; 5 min

    * watch: what the watch for a stuck decoder costs sessions that are well; 2 min

    * peers: voxmlx, WhisperLiveKit, mlx-audio and transformers beside it; 10 min, and the first
    time some more to fetch them into .cache/bench (2 GB)

    For figures worth keeping, let the machine do nothing else. Tables go to standard output; its
    last line is all of it as JSON.
    """
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=_WIDTH)
    results: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for name in names or list(Name):
        module, tables = _MODULES[name]
        try:
            results[name.value] = in_child(module, short=short)
        except ChildError as error:
            errors[name.value] = str(error)
            console.print(f"[red]{name.value}: {error}[/]")
            continue
        busy = results[name.value]["cores_busy_elsewhere"]
        console.print(*tables(results[name.value]), f"others kept {busy} cores busy", sep="\n")
    judged = bars(results)
    draw(results, out / "plot.png")
    console.print(bars_table(judged), f"plot: {out / 'plot.png'}", sep="\n")
    line = json_line({**provenance(), "short": short}, results, errors, judged)
    (out / "result.json").write_text(json.dumps(json.loads(line), indent=1) + "\n")
    print(line)
    raise typer.Exit(bool(errors))


if __name__ == "__main__":
    app = typer.Typer(rich_markup_mode="markdown", add_completion=False)
    app.command()(main)
    app()
