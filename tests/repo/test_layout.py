"""The shape of the repository: what stands at its top, how long a file may be, what it promises."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.repo.sources import ROOMS, ROOT, python_files
from voxwire.model.checkpoint.hub import ALIASES

MAX_LINES = 300
EMBEDDED = "model/embedded/"
TOP_LEVEL = {
    *ROOMS,
    "tests",
    "Dockerfile.dev",
    "LICENSE",
    "Makefile",
    "README.md",
    "__init__.py",
    "__main__.py",
    "py.typed",
    "pyproject.toml",
}


def tracked_files() -> list[str]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        pytest.skip("not a git checkout")
    return listing.stdout.splitlines()


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_nothing_strange_stands_at_the_top() -> None:
    tops = {name.split("/")[0] for name in tracked_files()}
    assert {top for top in tops if not top.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("path", python_files(*ROOMS), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_source_file_is_short_enough_to_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_every_room_and_the_embedded_checkpoint_go_into_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT) for path in python_files(*ROOMS)}
    folders |= {Path(name).parent for name in tracked_files() if name.startswith(EMBEDDED)}
    assert set(settings["packages"]) == {".".join(["voxwire", *f.parts]) for f in folders} | {
        "voxwire"
    }
    assert all(
        settings["package-data"][package] == ["*"]
        for package in settings["packages"]
        if package.startswith("voxwire.model.embedded")
    )


def test_make_help_lists_every_target() -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = set(re.findall(r"^  make ([a-z-]+)", shown.stdout, re.MULTILINE))
    assert listed == make_targets()


def test_the_readme_opens_with_the_two_commands() -> None:
    first_screen = (ROOT / "README.md").read_text().splitlines()[:30]
    assert any(line.startswith("make serve") for line in first_screen)
    assert any(line.startswith("make test") for line in first_screen)


def test_the_readme_names_every_alias_with_its_repository() -> None:
    text = (ROOT / "README.md").read_text()
    assert all(f"`{alias}` | {repository} |" in text for alias, repository in ALIASES.items())


def test_the_readme_names_only_targets_that_exist() -> None:
    named = set(re.findall(r"(?m)(?:^|`)make ([a-z-]+)", (ROOT / "README.md").read_text()))
    assert named <= make_targets()


def test_make_mic_adds_the_microphone_and_no_other_back_end() -> None:
    # Under `make test`, it would tell its directory, too.
    command = ["make", "--dry-run", "--no-print-directory", "mic"]
    planned = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert planned.stdout.splitlines()[-1] == "sh .dev/setup .venv mic"


def test_voxwire_in_the_readme_is_found_where_the_set_up_puts_it() -> None:
    before = (ROOT / "README.md").read_text().split("`voxwire ")[0]
    assert ". .venv/bin/activate" in before


TOOLS = sorted(path for path in (ROOT / ".dev").iterdir() if path.suffix != ".lock")


@pytest.mark.parametrize("script", TOOLS, ids=lambda path: path.name)
def test_a_tool_is_posix_shell(script: Path) -> None:
    text = script.read_text()
    assert text.startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", str(script)]).returncode == 0
