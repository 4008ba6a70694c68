"""Bars on standard error for what takes long, on a terminal only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def shown(items: Sequence[T], what: str) -> Iterator[T]:
    """Yield the items, and show how many are done."""
    console = Console(stderr=True)
    yield from track(items, what, console=console, disable=not console.is_terminal)
