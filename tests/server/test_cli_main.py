"""The command line as a person meets it: its help, and what an error looks like."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from voxwire import __version__
from voxwire.model.errors import HubError
from voxwire.server.cli.main import app

UNKNOWN_MODEL = ["transcribe", "a.wav", "--model", "no such model"]


def test_help_lists_every_command_and_gives_examples() -> None:
    shown = CliRunner().invoke(app, ["--help"]).output
    for name in ("transcribe", "demo", "convert", "full-size", "doctor"):
        assert f"│ {name} " in shown
    assert "voxwire transcribe talk.mp3" in shown


def test_the_module_is_the_command() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "voxwire", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout == f"voxwire {__version__}\n"


def test_an_error_of_the_model_room_is_one_line_and_status_2() -> None:
    result = CliRunner().invoke(app, UNKNOWN_MODEL)
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].startswith("voxwire: expected a directory")
    assert "Traceback" not in result.stderr


def test_debug_shows_where_an_error_came_from() -> None:
    with pytest.raises(HubError):
        CliRunner().invoke(app, ["--debug", *UNKNOWN_MODEL], catch_exceptions=False)
