"""When `make` sets an environment up anew, and when it keeps it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.sources import ROOT

# Stands for uv: makes an environment of a link to this Python, and says what it was asked to add.
UV = f"""#!/bin/sh
for last; do :; done
if [ "$1" = venv ]; then
    mkdir -p "$last/bin"
    ln -s "{sys.executable}" "$last/bin/python"
    echo made
else
    case "$last" in .\\[*) echo "$last" ;; esac
fi
"""


class Clone:
    """A clone whose environments hold nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "a clone"
        tools = folder / "tools"
        for each in (self.folder, tools):
            each.mkdir()
        shutil.copytree(ROOT / ".dev", self.folder / ".dev")
        (self.folder / ".dev/openblas").write_text("")
        for name in ("Makefile", "pyproject.toml"):
            shutil.copy(ROOT / name, self.folder)
        (tools / "uv").write_text(UV)
        (tools / "uv").chmod(0o755)
        self.path = f"{tools}{os.pathsep}{os.environ['PATH']}"

    def make(self, *arguments: str, target: str = ".venv/.ready") -> list[str]:
        """Return what was made, and with which extras."""
        command = ["make", "--no-print-directory", *arguments, target]
        environment = {**os.environ, "PATH": self.path, "MAKEFLAGS": "", "MAKEOVERRIDES": ""}
        environment.pop("BACKEND", None)
        run = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=True
        )
        return [line for line in run.stdout.splitlines() if "up to date" not in line]


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    made = Clone(tmp_path)
    assert made.make() == ["made", ".[cpu,dev]"]
    assert made.make() == []
    return made


def test_another_back_end_is_set_up_anew_and_stays(clone: Clone) -> None:
    assert clone.make("BACKEND=cuda13") == ["made", ".[cuda13,dev]"]
    assert clone.make() == []
    (clone.folder / "pyproject.toml").touch()
    assert clone.make() == [".[cuda13,dev]"]
    assert clone.make("BACKEND=cpu") == ["made", ".[cpu,dev]"]


def test_a_clone_that_was_moved_is_set_up_anew(clone: Clone) -> None:
    clone.folder = clone.folder.rename(clone.folder.with_name("elsewhere"))
    assert clone.make() == ["made", ".[cpu,dev]"]
    assert clone.make() == []


def test_a_python_that_is_gone_is_replaced(clone: Clone) -> None:
    python = clone.folder / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/no/such/python")
    assert clone.make(target=".venv/.bench") == ["made", ".[cpu,dev,bench]"]
    assert clone.make() == clone.make(target=".venv/.bench") == []


def test_an_environment_that_somebody_made_is_not_thrown_away(tmp_path: Path) -> None:
    fresh = Clone(tmp_path)
    own = fresh.folder / ".venv/bin"
    own.mkdir(parents=True)
    (own / "python").symlink_to(sys.executable)
    (own / "own").touch()
    assert fresh.make() == [".[cpu,dev]"]
    assert (own / "own").exists()
