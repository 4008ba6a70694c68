"""OpenBLAS under MLX's CPU back-end on Linux.

The wheels of MLX for Linux are linked against reference BLAS, which is 30 to 100 times slower.
MLX binds its BLAS symbols when it is imported, and finds those of a library loaded into the
global scope before. On macOS MLX uses Metal and Accelerate, and nothing is done here.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT_VARIABLE = "VOXWIRE_BLAS"

# The plain name is what every distribution's chosen variant answers to; Fedora gives each
# threading variant its own name besides.
_LIBRARY_NAMES = ("libopenblas.so.0", "libopenblasp.so.0", "libopenblaso.so.0")

_INSTALL_COMMANDS = {
    "apt-get": "apt-get install -y libopenblas0-pthread",
    "dnf": "dnf install -y openblas-threads",
    "pacman": "pacman -S --noconfirm openblas",
    "zypper": "zypper --non-interactive install libopenblas_pthreads0",
}

# How long an idle thread of OpenBLAS spins before it sleeps, as a power of two of clock ticks. Its
# own 2^26, some 25 ms, lasts from one position of audio to the next: a single live session took
# half of two cores. 2^23, some 3 ms, lasts through a step and leaves it a tenth (2026-11-26).
_SPIN_VARIABLE, _SPIN_TICKS = "OPENBLAS_THREAD_TIMEOUT", "23"

# Far above the spread of two timings on a busy machine, far below what reference BLAS costs.
_SLOWDOWN_WITHOUT = 3.0
_MIN_RUNS = 5
_MEASURE_S = 0.1


@dataclass(frozen=True, slots=True)
class BlasStatus:
    """What `load` did in this process.

    `library`: path of the BLAS library that was loaded, None where there is none.
    `needed`: whether MLX's CPU back-end is slow without one here.
    `reason`: in words, for a person.
    `fix`: the command that mends it, empty where all is well or none is known.
    """

    library: str | None
    needed: bool
    reason: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class BlasSpeed:
    """Rates of the same float32 product in MLX and in NumPy, whose wheels carry OpenBLAS."""

    mlx_gflops: float
    numpy_gflops: float

    @property
    def slowdown(self) -> float:
        """How many times slower MLX is than NumPy on this machine."""
        return self.numpy_gflops / self.mlx_gflops


@functools.cache
def load() -> BlasStatus:
    """Load OpenBLAS into the global symbol scope, before MLX is imported.

    The first call in a process loads; later ones return what the first one did. ``VOXWIRE_BLAS``
    names another library to load instead, or ``none`` for no library at all. Never raises: a
    missing library is a matter of speed, and the status tells of it.
    """
    return _load(os.environ.get(ENVIRONMENT_VARIABLE, ""))


def _load(override: str) -> BlasStatus:
    if sys.platform != "linux":
        return BlasStatus(None, False, "not needed: MLX brings its own on this system")
    if override == "none":
        switched_off = f"switched off by {ENVIRONMENT_VARIABLE}=none"
        return BlasStatus(None, True, switched_off, f"unset {ENVIRONMENT_VARIABLE}")
    if "mlx.core" in sys.modules:
        return BlasStatus(None, True, "MLX was imported first: import voxwire.model before it")
    os.environ.setdefault(_SPIN_VARIABLE, _SPIN_TICKS)  # read when the library is loaded
    for name in (override,) if override else _LIBRARY_NAMES:
        try:
            ctypes.CDLL(name, ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return BlasStatus(_mapped_path(name), True, "loaded before MLX")
    if override:
        cannot = f"{ENVIRONMENT_VARIABLE}={override} cannot be loaded"
        return BlasStatus(None, True, cannot, f"unset {ENVIRONMENT_VARIABLE}")
    command = install_command()
    return BlasStatus(None, True, "OpenBLAS is not installed", f"sudo {command}" if command else "")


def _mapped_path(name: str) -> str:
    """Return the file that the loader chose for a library name, which may have a longer one."""
    stem = Path(name).name.split(".so")[0]
    lines = Path("/proc/self/maps").read_text().splitlines()
    paths = ["/" + line.partition("/")[2] for line in lines if "/" in line]
    for ending in (".so", ""):
        for path in paths:
            if Path(path).name.startswith(stem + ending):
                return path
    return name


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Keep the loaded BLAS to one thread for each product, where it can be told.

    For threads that bring as many products of their own as there are cores. Counts for the whole
    process; MLX thread only.
    """
    calls = _thread_calls()
    if calls is None:
        yield
        return
    count, set_count = calls
    before = count()
    set_count(1)
    try:
        yield
    finally:
        set_count(before)


@functools.cache
def _thread_calls() -> tuple[Callable[[], int], Callable[[int], object]] | None:
    """Return what reads and what sets the number of threads of OpenBLAS; None for another."""
    library = load().library
    handle = ctypes.CDLL(library) if library else None
    if not hasattr(handle, "openblas_set_num_threads"):
        return None
    assert handle is not None
    return handle.openblas_get_num_threads, handle.openblas_set_num_threads


def install_command() -> str | None:
    """Return the command that installs OpenBLAS here, to be run as root; None where unknown."""
    found = (command for tool, command in _INSTALL_COMMANDS.items() if shutil.which(tool))
    return next(found, None)


def took_effect(status: BlasStatus, speed: BlasSpeed) -> bool:
    """Judge whether MLX's CPU back-end computes with an optimised BLAS.

    The status alone does not tell: a library can be loaded and yet not be the one that MLX calls.
    The speed alone does not either, because another program's load can slow NumPy for a moment.
    """
    if not status.needed:
        return True
    return status.library is not None and speed.slowdown < _SLOWDOWN_WITHOUT


def measure() -> BlasSpeed:
    """Time one small float32 product in MLX, on its default device, and as much work in NumPy.

    On a CPU both take one thread: with more, another program's load slows one of them and not the
    other. Takes about 0.1 s, on reference BLAS up to 0.5 s. Imports MLX; the calling thread becomes
    one of its threads.
    """
    import mlx.core as mx
    import numpy as np

    rows, inner, columns = 128, 384, 1536
    left, right = mx.ones((rows, inner)), mx.ones((inner, columns))
    side = 64  # OpenBLAS shares out no product as small as that
    blocks = np.ones((rows * inner * columns // side**3, side, side), np.float32)
    n_flops = 2 * rows * inner * columns
    with one_thread():
        mlx_s, numpy_s = _best_seconds(lambda: mx.eval(left @ right), lambda: blocks @ blocks)
    return BlasSpeed(mlx_gflops=n_flops / mlx_s / 1e9, numpy_gflops=n_flops / numpy_s / 1e9)


def _best_seconds(*calls: Callable[[], object]) -> list[float]:
    """Return the shortest timing of each call: the one that other programs disturbed least.

    The calls take turns, so that a busy moment hits them alike.
    """
    best_s = [math.inf] * len(calls)
    n_runs, started = 0, time.perf_counter()
    while n_runs < _MIN_RUNS or time.perf_counter() - started < _MEASURE_S:
        for index, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best_s[index] = min(best_s[index], time.perf_counter() - start)
        n_runs += 1
    return best_s
