"""What a result is worth nothing without: machine, commit, checkpoint, versions, date, BLAS."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.bench.child import ROOT
from voxwire.model import blas
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.model.machine import usable_cores, usable_memory_bytes

_PACKAGES = ("mlx", "mlx-cpu", "mlx-metal", "mlx-cuda-12", "mlx-cuda-13", "numpy")


def provenance() -> dict[str, Any]:
    """Describe where and of what the results are. Any thread; imports no MLX."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": cpu_model(),
            "n_cores": usable_cores(),
            "memory_gb": round(usable_memory_bytes() / 1e9, 1),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        },
        "commit": commit(),
        "checkpoint": {"name": "embedded", "sha256": _sha256(EMBEDDED)[:16]},
        "versions": {"python": platform.python_version(), **_versions()},
        "blas": _blas(),
    }


def cpu_model() -> str:
    """Name the processor."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def commit() -> str:
    """Return the commit, with a + where files differ from it; empty outside a checkout."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return head + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(*arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], cwd=ROOT, text=True).strip()


def _sha256(directory: Path) -> str:
    return hashlib.sha256((directory / "consolidated.safetensors").read_bytes()).hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _blas() -> str:
    """Name the library that MLX's products run on, its own version included where it tells."""
    library = blas.load().library
    return str(Path(library).resolve()) if library else blas.load().reason
