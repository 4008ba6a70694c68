"""What the model runs on: device, back-end, cores and memory."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

_CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine as MLX sees it."""

    device: str
    is_gpu: bool
    backend: str
    n_cores: int
    memory_bytes: int


def describe() -> Machine:
    """Look at the machine. Imports MLX; raises ImportError where it has no back-end here."""
    import mlx.core as mx

    is_gpu = mx.default_device().type == mx.DeviceType.gpu
    return Machine(
        device=str(mx.device_info().get("device_name", mx.default_device())),
        is_gpu=is_gpu,
        backend=_backend(is_gpu),
        n_cores=usable_cores(),
        memory_bytes=usable_memory_bytes(),
    )


def _backend(is_gpu: bool) -> str:
    """Name the distribution that brings the back-end of MLX, with its version."""
    names = ("mlx-metal", "mlx-cuda-13", "mlx-cuda-12") if is_gpu else ("mlx-cpu", "mlx-metal")
    for name in names:
        try:
            return f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            continue
    return "built with MLX"


def usable_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def wake_quietly() -> None:
    """Have this thread, when it wakes, wait for a core and not take one from another thread.

    For the thread that hands out MLX's operations: it wakes some hundred times in a pass, whenever
    a lane has done a few, and would push a lane off its core each time. Threads that it starts
    later wake likewise: call this when the streams are made. Linux only; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        # 0 is this thread. A sandbox may forbid it: then passes take longer, by a tenth.
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def usable_memory_bytes() -> int:
    """Return the memory that this process may use: the machine's, or its container's share."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [limit for path in _CGROUP_LIMITS if (limit := _cgroup_limit(path))]
    return min([installed, *limits])


def _cgroup_limit(path: Path) -> int | None:
    """Read a container's memory limit; None where the file is absent or says `max`."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if re.fullmatch(r"\d+", text) else None
