"""`voxwire doctor`: is this machine set up well, and how fast is it."""

from __future__ import annotations

import functools
import json
import platform
import re
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib import metadata
from importlib.util import find_spec
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ...model import blas, machine
from ...model.checkpoint.hub import EMBEDDED
from ...model.delay import delay_tokens_from_ms
from ...model.errors import ModelError
from ..frames import SAMPLE_RATE_HZ, Samples
from ..live import LiveTranscriber, OpenModel, open_model
from ..media import Media, MediaError
from .demo import RECORDING
from .speed import slow_blas

REINSTALL = "make clean && make doctor"
GIB = 1 << 30
MIB = 1 << 20
TOKEN_SAMPLES = 1280  # 80 ms

Numbers = dict[str, float]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report.

    `fix`: the command that mends what is wrong; empty where all is well. `numbers`: what was
    measured, with units in the names.
    """

    name: str
    value: str
    fix: str = ""
    numbers: Numbers = field(default_factory=dict)

    @property
    def is_healthy(self) -> bool:
        """Whether there is nothing to mend."""
        return not self.fix


def doctor_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Report device, BLAS, versions, memory and measured speed, and what to mend.

    Exit status 0 where all is well, 1 where something is wrong; then the command that mends it
    stands beside it.
    """
    checks = list(examine())
    if as_json:
        typer.echo(json.dumps(as_document(checks), indent=2))
    else:
        Console().print(_table(checks))
    if not all(check.is_healthy for check in checks):
        raise typer.Exit(1)


def examine() -> Iterator[Check]:
    """Yield the checks in order; what cannot work after a failed one is left out."""
    yield _python()
    packages = _packages()
    yield packages
    if not packages.is_healthy:
        return
    device = _device()
    yield device
    if not device.is_healthy:
        return
    yield _memory()
    yield _blas()
    yield from _embedded_model()


def as_document(checks: list[Check]) -> dict[str, object]:
    """Return the report as plain values for JSON."""
    return {
        "healthy": all(check.is_healthy for check in checks),
        "checks": [asdict(check) | {"healthy": check.is_healthy} for check in checks],
    }


def _table(checks: list[Check]) -> Table:
    table = Table("", "check", Column("found", overflow="fold"), title="voxwire doctor")
    for check in checks:
        mark = Text("ok", "green") if check.is_healthy else Text("wrong", "red")
        found = Text(check.value)
        if check.fix:
            found.append(f"\nmend it with: {check.fix}", "yellow")
        table.add_row(mark, check.name, found)
    return table


def _python() -> Check:
    return Check(
        "Python", f"{platform.python_version()} at {sys.executable}, {platform.platform()}"
    )


def _packages() -> Check:
    """Look for every package that the core depends on."""
    requirements = metadata.requires("voxwire") or []
    core = [requirement for requirement in requirements if "extra ==" not in requirement]
    names = [match[0] for line in core if (match := re.match(r"[\w-]+", line))]
    versions = {name: _version(name) for name in ["voxwire", *names]}
    text = ", ".join(f"{name} {version or 'MISSING'}" for name, version in versions.items())
    return Check("packages", text, "" if all(versions.values()) else REINSTALL)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _install(requirement: str) -> str:
    """Return the command that adds a package to this environment; one that uv made has no pip."""
    pip = [sys.executable, "-m", "pip", "install"]
    uv = ["uv", "pip", "install", "--python", sys.executable]
    return shlex.join([*(pip if find_spec("pip") else uv), requirement])


def _device() -> Check:
    try:
        found = machine.describe()
    except ImportError as error:  # on Linux, MLX without one of its back-ends
        return Check("device", f"MLX cannot start: {error}", _install("mlx[cpu]"))
    kind = "GPU" if found.is_gpu else "CPU"
    return Check("device", f"{kind}, {found.device}, back-end {found.backend}")


def _memory() -> Check:
    found = machine.describe()
    text = f"{found.memory_bytes / GIB:.1f} GiB, {found.n_cores} cores usable"
    return Check(
        "memory", text, numbers={"memory_bytes": found.memory_bytes, "cores": found.n_cores}
    )


def _blas() -> Check:
    """Time one small product, and judge by NumPy's speed whether OpenBLAS took effect."""
    status, speed = blas.load(), blas.measure()
    complaint = None if machine.describe().is_gpu else slow_blas(status, speed)
    library = status.library or status.reason
    rates = f"{speed.mlx_gflops:.0f} GFLOP/s in float32, NumPy {speed.numpy_gflops:.0f}"
    text = f"{library}: {rates}" + ("" if machine.describe().is_gpu else ", in one thread each")
    other_library = f"{blas.ENVIRONMENT_VARIABLE}=/path/to/libopenblas.so.0 voxwire doctor"
    fix = (status.fix or other_library) if complaint else ""
    numbers: Numbers = {"mlx_gflops": speed.mlx_gflops, "numpy_gflops": speed.numpy_gflops}
    return Check("BLAS", complaint or text, fix, numbers)


def _embedded_model() -> Iterator[Check]:
    """Load the embedded checkpoint and transcribe the recording beside it."""
    started = time.perf_counter()
    try:
        opened = open_model("embedded")
        load_s = time.perf_counter() - started
        with Media(RECORDING) as media:
            samples = np.concatenate(list(media.blocks()))
    except (ModelError, MediaError) as error:
        yield Check("embedded model", str(error), "git checkout -- model/embedded")
        return
    size_bytes = sum(path.stat().st_size for path in EMBEDDED.rglob("*") if path.is_file())
    text = f"{EMBEDDED}, {size_bytes / MIB:.1f} MiB, loaded in {load_s:.2f} s"
    yield Check("embedded model", text, numbers={"size_bytes": size_bytes, "load_s": load_s})
    yield _speed(opened, samples)


def _speed(opened: OpenModel, samples: Samples) -> Check:
    """Time a recording as a whole, and in pieces of one position as live audio comes."""
    delay_tokens = delay_tokens_from_ms(opened.default_delay_ms)
    LiveTranscriber(opened, delay_tokens).finish()  # the first step pays for start-up
    whole, live = (LiveTranscriber(opened, delay_tokens) for _ in range(2))
    whole_s = _seconds(lambda: (whole.feed(samples), whole.finish()))
    pieces = np.split(samples, range(TOKEN_SAMPLES, len(samples), TOKEN_SAMPLES))
    piece_ms = 1000 * statistics.median(_seconds(functools.partial(live.feed, p)) for p in pieces)
    times = len(samples) / SAMPLE_RATE_HZ / whole_s
    text = f"{times:.0f} times real time for a file; live, {piece_ms:.1f} ms for every 80 ms"
    return Check("speed", text, numbers={"times_real_time": times, "live_step_ms": piece_ms})


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started
