"""Run every driver in turn, again and again, so that a busy moment meets all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.child import ROOT
from voxwire.model import blas

_TIMEOUT_S = 900


@dataclass(frozen=True, slots=True)
class Driver:
    """A program that takes the recording. python: of its environment."""

    name: str
    module: str
    python: Path
    checkpoint: Path
    groups: Mapping[int, float]  # seconds of audio for each of so many streams at once
    needs_blas: bool = False


def own_driver(checkpoint: Path, groups: Mapping[int, float]) -> Driver:
    """Return ours, which loads the BLAS itself."""
    return Driver("voxwire", "drive_voxwire", Path(sys.executable), checkpoint, groups)


def drive(driver: Driver, wav: Path, folder: Path) -> dict[str, Any]:
    """Run a driver once; return what it wrote, errors included."""
    job, result = folder / "job.json", folder / "result.json"
    groups = {str(n): seconds for n, seconds in driver.groups.items()}
    job.write_text(
        json.dumps({"checkpoint": str(driver.checkpoint), "wav": str(wav), "groups": groups})
    )
    result.unlink(missing_ok=True)
    command = [str(driver.python), "-m", f"tests.bench.peers.{driver.module}"]
    try:
        run = subprocess.run(
            [*command, str(job), str(result)],
            cwd=ROOT,
            env=_environment(driver),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return _failed(f"not done after {_TIMEOUT_S} s")
    if not result.is_file():
        said = run.stderr.strip().splitlines()
        return _failed(said[-1] if said else f"ended with status {run.returncode}")
    written: dict[str, Any] = json.loads(result.read_text())
    return written


def _environment(driver: Driver) -> dict[str, str]:
    """Give a peer on MLX the BLAS that we load ourselves."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    library = blas.load().library
    if driver.needs_blas and library:
        environment["LD_PRELOAD"] = library
    return environment


def _failed(why: str) -> dict[str, Any]:
    return {"groups": {}, "errors": {"run": why}}


def rates(runs: Sequence[Mapping[str, Any]], way: str) -> list[float | None]:
    """Return the audio seconds per second of each run: of a number of streams, or of "file"."""
    found = (run.get("file") if way == "file" else run["groups"].get(way) for run in runs)
    return [each["audio_s_per_s"] if each else None for each in found]
