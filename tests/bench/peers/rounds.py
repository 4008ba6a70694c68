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
from tests.bench.disturbance import Disturbance
from voxwire.model import blas

_TIMEOUT_S = 600


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
    watch = Disturbance()
    said = ""
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
        if run.returncode:
            said = (run.stderr.strip().splitlines() or [f"status {run.returncode}"])[-1]
    except subprocess.TimeoutExpired:
        said = f"not done after {_TIMEOUT_S} s"
    written: dict[str, Any] = {"groups": {}, "errors": {}}
    if result.is_file():
        written = json.loads(result.read_text())
    if said:
        written["errors"]["run"] = said
    return {**written, "cores_busy_elsewhere": watch.cores()}


def _environment(driver: Driver) -> dict[str, str]:
    """Give a peer on MLX the BLAS that we load ourselves."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    # Else torch's threads wait for each other by turning, and on a machine that anything else
    # uses too it takes 15 times as long.
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    library = blas.load().library
    if driver.needs_blas and library:
        environment["LD_PRELOAD"] = library
    return environment


def rates(
    runs: Sequence[Mapping[str, Any]], way: str, rate: str = "audio_s_per_s"
) -> list[float | None]:
    """Return a rate of each run: of a number of streams, or of "file"."""
    found = (run.get("file") if way == "file" else run["groups"].get(way) for run in runs)
    return [each[rate] if each else None for each in found]
