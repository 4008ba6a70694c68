"""`voxwire full-size`: the real model's size on this machine, with random weights."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer
from rich.console import Console
from rich.progress import TaskProgressColumn
from rich.table import Table

from ...model import machine
from ...model.checkpoint.convert import Target, convert
from ...model.checkpoint.random import FULL_SIZE, write_random
from ...model.config import ModelConfig
from ...model.errors import ConversionError, ModelError
from ...model.measure import Cost, measure, peak_memory_bytes
from .progress import Bars, errors

P = ParamSpec("P")
T = TypeVar("T")

BITS, GROUP_SIZE = 4, 64
# 8.9 GB of bfloat16 and 2.5 GB of 4-bit weights lie on disk together; the larger is in memory
# once, beside what one step needs.
NEEDED_DISK_BYTES = 12 * 10**9
NEEDED_MEMORY_BYTES = 13 * 10**9
# Far over what one tensor and the interpreter add to a model, far under a second copy of it.
MAX_COPIES, SLACK_BYTES = 1.5, 5 * 10**8

Directory = Annotated[
    Path | None,
    typer.Option("--dir", help="Where to put 12 GB for a while.", show_default="the user's cache"),
]
Keep = Annotated[bool, typer.Option("--keep", help="Do not remove the checkpoints at the end.")]


class TooSmallError(ModelError):
    """A machine without the disk or the memory for the full size."""


@dataclass(frozen=True, slots=True)
class Work:
    """What making one checkpoint cost, in a process of its own."""

    name: str
    elapsed_s: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured."""

    work: list[Work]
    costs: list[Cost]

    @property
    def is_bounded(self) -> bool:
        """Whether no load held anything like a second copy of its weights."""
        return all(
            cost.load_peak_bytes < MAX_COPIES * cost.n_weight_bytes + SLACK_BYTES
            for cost in self.costs
        )


def full_size_command(directory: Directory = None, keep: Keep = False) -> None:
    """Write, convert, load and step random weights of the real 4B shape.

    Nothing is downloaded and nothing is transcribed. Each part runs in a
    process of its own, so that its peak of memory is its own. Prints a table,
    and one line of JSON at the end; exit status 1 where loading took memory
    for more than one copy of the weights.
    """
    console = errors()
    with _folder(directory, keep) as folder:
        report = run(FULL_SIZE, folder, console)
    Console().print(_table(report))
    typer.echo(json.dumps(as_document(report)))
    if not report.is_bounded:
        raise typer.Exit(1)


def run(config: ModelConfig, folder: Path, console: Console) -> Report:
    """Make both checkpoints in `folder` and measure them."""
    plain, packed = folder / "bf16", folder / f"{BITS}bit"
    work, costs = [], []
    for name, make, directory in (
        ("write bf16", _write, plain),
        (f"convert to {BITS} bits and verify", _convert, packed),
    ):
        console.print(f"{name} in {directory}")
        work.append(in_fresh_process(make, name, config, directory))
        console.print("load, build and step it")
        costs.append(in_fresh_process(measure, directory))
    return Report(work, costs)


def _write(name: str, config: ModelConfig, directory: Path) -> Work:
    started = time.monotonic()
    with Bars(errors(), TaskProgressColumn()) as bars:
        write_random(directory, config, progress=bars.show)
    return Work(name, time.monotonic() - started, peak_memory_bytes())


def _convert(name: str, config: ModelConfig, directory: Path) -> Work:
    started = time.monotonic()
    target = Target.named("mlx", BITS, GROUP_SIZE, None)
    with Bars(errors(), TaskProgressColumn()) as bars:
        convert(directory.with_name("bf16"), directory, target, progress=bars.show)
    return Work(name, time.monotonic() - started, peak_memory_bytes())


def in_fresh_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of a module in a new process. Raises TooSmallError where it was killed."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(function, *args, **kwargs).result()
        except BrokenProcessPool as error:
            raise TooSmallError(
                "expected enough memory to finish, got a process killed half-way"
            ) from error


@contextmanager
def _folder(directory: Path | None, keep: bool) -> Iterator[Path]:
    """Yield a new folder with room enough; remove it at the end unless it is to be kept."""
    # Not the system's temporary folder, which often lies in memory.
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "voxwire"
    parent = directory or cache
    _require("memory", machine.usable_memory_bytes(), NEEDED_MEMORY_BYTES)
    try:
        parent.mkdir(parents=True, exist_ok=True)
        _require("free disk", shutil.disk_usage(parent).free, NEEDED_DISK_BYTES)
        folder = Path(tempfile.mkdtemp(prefix="full-size-", dir=parent))
    except OSError as error:
        raise ConversionError(
            parent, None, "a folder to write into", error.strerror or str(error)
        ) from None
    try:
        yield folder
    finally:
        if keep:
            typer.echo(f"kept: {folder}", err=True)
        else:
            shutil.rmtree(folder)


def _require(what: str, n_bytes: int, n_needed_bytes: int) -> None:
    if n_bytes < n_needed_bytes:
        wanted = f"expected {n_needed_bytes / 1e9:.0f} GB of {what}"
        raise TooSmallError(f"{wanted}, got {n_bytes / 1e9:.1f} GB")


def as_document(report: Report) -> dict[str, Any]:
    """Return the report as plain values for JSON."""
    return {"machine": asdict(machine.describe()), "is_bounded": report.is_bounded} | asdict(report)


def _table(report: Report) -> Table:
    table = Table(title="full size, random weights", caption=_verdict(report))
    table.add_column("")
    rows: dict[str, Callable[[Cost], str]] = {
        "file, GB": lambda cost: f"{cost.n_file_bytes / 1e9:.2f}",
        "weights in memory, GB": lambda cost: f"{cost.n_weight_bytes / 1e9:.2f}",
        "peak while loading, GB": lambda cost: f"{cost.load_peak_bytes / 1e9:.2f}",
        "peak in all, GB": lambda cost: f"{cost.peak_bytes / 1e9:.2f}",
        "load, s (processor)": lambda cost: f"{cost.load_s:.1f} ({cost.load_cpu_s:.1f})",
        "build, s": lambda cost: f"{cost.build_s:.1f}",
        "one position, s (processor)": lambda cost: f"{cost.step_s:.2f} ({cost.step_cpu_s:.2f})",
    }
    for cost in report.costs:
        packed = f", {cost.n_quantised} matrices of {BITS} bits" if cost.n_quantised else ""
        table.add_column(f"{cost.layout}, {cost.dtype}{packed}", justify="right")
    for name, show in rows.items():
        table.add_row(name, *(show(cost) for cost in report.costs))
    table.add_section()
    table.add_row("made in, s", *(f"{work.elapsed_s:.0f}" for work in report.work))
    table.add_row("peak while making, GB", *(f"{w.peak_bytes / 1e9:.2f}" for w in report.work))
    return table


def _verdict(report: Report) -> str:
    return "one copy of the weights in memory" if report.is_bounded else "MORE THAN ONE COPY"
