"""What every command shows beside its result: complaints, bars, and text safe for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from ..live import OpenModel, open_model


def errors() -> Console:
    """Return the console for what is not the result: standard error as it is now."""
    return Console(stderr=True)


def complain(console: Console, message: str, style: str = "red") -> None:
    """Print one line that names the program, unwrapped so that it can be copied."""
    console.print(Text(f"voxwire: {message}", style), soft_wrap=True)


def printable(text: str) -> str:
    """Return `text` without what would steer the terminal: a model may write any byte."""
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


def load_with_progress(spec: str, console: Console) -> OpenModel:
    """Load the model that `spec` names, showing what has to be downloaded. Raises ModelError."""
    columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    bars = Progress(TextColumn("{task.description}"), BarColumn(), *columns, console=console)
    tasks: dict[str, TaskID] = {}

    def show(name: str, n_done_bytes: int, n_all_bytes: int) -> None:
        if not tasks:
            bars.start()
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=n_all_bytes)
        bars.update(tasks[name], completed=n_done_bytes)

    try:
        return open_model(spec, show)
    finally:
        if tasks:  # stopping bars that never started prints an empty line
            bars.stop()


@contextmanager
def audio_bar(
    name: str, total_s: float | None, console: Console, *, shown: bool
) -> Iterator[Callable[[float], None]]:
    """Show a bar for one recording; yields what to call with the seconds of audio done."""
    if not shown:
        yield lambda done_s: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} s of audio"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task(name, total=total_s)
        yield lambda done_s: bars.update(task, completed=done_s)
