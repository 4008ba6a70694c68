"""Bars and complaints go to the console they are given, and only where somebody looks."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from voxwire.model.checkpoint.download import Progress
from voxwire.server.cli import progress
from voxwire.server.live import OpenModel


def terminal() -> tuple[Console, io.StringIO]:
    out = io.StringIO()
    return Console(file=out, force_terminal=True, width=100), out


def test_a_download_shows_each_file_and_its_size(
    opened: OpenModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(spec: str, show: Progress) -> OpenModel:
        show("params.json", 1_400, 1_400)
        show("model.safetensors", 1_000_000, 2_000_000)
        return opened

    monkeypatch.setattr(progress, "open_model", download)
    console, out = terminal()
    assert progress.load_with_progress("some/model", console) is opened
    assert "params.json" in out.getvalue()
    assert "1.0/2.0 MB" in out.getvalue()


def test_a_model_at_hand_shows_nothing(checkpoint: Path) -> None:
    console, out = terminal()
    progress.load_with_progress(str(checkpoint), console)
    assert out.getvalue() == ""


def test_a_bar_counts_seconds_of_audio() -> None:
    console, out = terminal()
    with progress.audio_bar("talk.mp3", 60.0, console, shown=True) as advance:
        advance(42.0)
    assert "talk.mp3" in out.getvalue()
    assert "42 s of audio" in out.getvalue()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("talk [live].mp3", "talk [live].mp3"),
        ("a[/b].mp3", "a[/b].mp3"),
        ("\udcff\x1b[2J.mp3", "\ufffd\ufffd[2J.mp3"),
    ],
)
def test_a_bar_shows_a_name_as_it_is_and_nothing_that_steers(name: str, shown: str) -> None:
    console, out = terminal()
    with progress.audio_bar(name, 60.0, console, shown=True):
        pass
    assert shown in out.getvalue()
    out.getvalue().encode()


def test_no_bar_is_drawn_where_nobody_looks() -> None:
    console, out = terminal()
    with progress.audio_bar("talk.mp3", 60.0, console, shown=False) as advance:
        advance(42.0)
    assert out.getvalue() == ""


def test_a_complaint_is_one_line_however_long() -> None:
    console, out = terminal()
    progress.complain(console, "x" * 300 + " [bold]not markup[/bold]")
    assert out.getvalue().count("\n") == 1
    assert "[bold]not markup[/bold]" in out.getvalue()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("héllo\n日本", "héllo\n日本"),
        ("\x1b[2J\a\r", "\ufffd[2J\ufffd\ufffd"),
        ("\u202e", "\ufffd"),
    ],
)
def test_text_that_would_steer_the_terminal_is_replaced(text: str, shown: str) -> None:
    assert progress.printable(text) == shown
