"""Who may import whom: model < protocol, server; protocol alone; clients only over protocol."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.repo.sources import ROOMS, ROOT, absolute_imports, python_files

ROOM_MAY_IMPORT = {
    "model": set(),
    "protocol": set(),
    "server": {"model", "protocol"},
    "clients": {"protocol"},
}
# The command line is where people find what they may run, clients too.
MORE_ROOMS = {"server/cli/main.py": {"clients"}}
LIBRARIES = {
    "model": {"mlx", "numpy", "safetensors"},
    "protocol": {"pydantic"},
}
# Fetching from the hub and the training recipe are apart from the model's own path.
MORE_LIBRARIES = {
    "model/checkpoint/hub.py": {"huggingface_hub"},
    "model/checkpoint/download.py": {"truststore"},
    "model/training": {
        "av",
        "ctranslate2",
        "jiwer",
        "matplotlib",
        "onnxruntime",
        "pocketsphinx",
        "rich",
        "soundfile",
        "soxr",
        "torch",
    },
}

ALL_FILES = [path for room in ROOMS for path in python_files(room)]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


@pytest.mark.parametrize("path", ALL_FILES, ids=relative)
def test_a_room_imports_only_the_rooms_it_may(path: Path) -> None:
    own = room_of(path)
    reached = {name.split(".")[1] for name in absolute_imports(path) if name.startswith("voxwire.")}
    allowed = {own} | ROOM_MAY_IMPORT[own] | MORE_ROOMS.get(relative(path), set())
    assert reached & set(ROOMS) <= allowed


@pytest.mark.parametrize("path", [p for p in ALL_FILES if room_of(p) in LIBRARIES], ids=relative)
def test_model_and_protocol_import_only_their_libraries(path: Path) -> None:
    allowed = set(LIBRARIES[room_of(path)])
    for prefix, libraries in MORE_LIBRARIES.items():
        if relative(path).startswith(prefix):
            allowed |= libraries
    tops = {name.split(".")[0] for name in absolute_imports(path)}
    assert tops - sys.stdlib_module_names - {"voxwire"} <= allowed


@pytest.mark.parametrize("path", [p for p in ALL_FILES if room_of(p) != "model"], ids=relative)
def test_mlx_is_imported_in_the_model_room_only(path: Path) -> None:
    assert "mlx" not in {name.split(".")[0] for name in absolute_imports(path)}


def test_the_package_itself_imports_no_room() -> None:
    assert list(absolute_imports(ROOT / "__init__.py")) == ["__future__.annotations"]


LOADERS = {"load_backend", "load_checkpoint", "open_model", "resolve_model"}
# Who may choose what to load: the command line, and what it is made of.
MAY_LOAD = ("server/cli/", "server/live.py", "server/engine/backend.py")


@pytest.mark.parametrize("path", python_files("server", "protocol", "clients"), ids=relative)
def test_no_client_reaches_what_loads_a_model(path: Path) -> None:
    """A checkpoint is chosen where the server is started: no route can load another."""
    if relative(path).startswith(MAY_LOAD):
        return
    named = {name.rpartition(".")[2] for name in absolute_imports(path)}
    assert not named & LOADERS
