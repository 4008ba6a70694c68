"""What every command shows beside its result: complaints, bars, and text safe for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
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
    """Return `text` without what would steer the terminal, or cannot be written as UTF-8.

    A model may write any byte, and a file's name may hold any.
    """
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)


class Bars:
    """One bar for each thing that goes on, shown on a terminal only, from the first on."""

    def __init__(self, console: Console, *columns: ProgressColumn) -> None:
        shown = (TextColumn("{task.description}"), BarColumn(), *columns, TimeRemainingColumn())
        self._bars = Progress(*shown, console=console, disable=not console.is_terminal)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._tasks:  # stopping bars that never started prints an empty line
            self._bars.stop()

    def show(self, name: str, n_done: int, n_all: int) -> None:
        """Show that `n_done` of `n_all` units of `name` are done."""
        if not self._tasks:
            self._bars.start()
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(escape(name), total=n_all)
        self._bars.update(self._tasks[name], completed=n_done)


def downloads(console: Console) -> Bars:
    """Return the bars for files that are fetched."""
    return Bars(console, DownloadColumn(), TransferSpeedColumn())


def load_with_progress(spec: str, console: Console) -> OpenModel:
    """Load the model that `spec` names, showing what has to be downloaded. Raises ModelError."""
    with downloads(console) as bars:
        return open_model(spec, bars.show)


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
        task = bars.add_task(escape(printable(name)), total=total_s)
        yield lambda done_s: bars.update(task, completed=done_s)
