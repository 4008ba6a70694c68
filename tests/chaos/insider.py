"""What only the server's own process can tell, and the faults that only it can have.

Event loop of the server only.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO
from unittest import mock

from voxwire.model.stream import SlotBatch
from voxwire.server.service import Service

Figures = dict[str, float]
POOLS = ("asyncio_", "AnyIO worker")  # bounded, and made when they are needed
PATIENCE_S = 600.0  # with the engine: on a busy machine it is slow, which is no fault of its own


class Insider:
    """Sits in a server that is attacked. own_tasks: of the insider's, which are no leak."""

    def __init__(self, service: Service, own_tasks: int = 0) -> None:
        self._service = service
        self._own_tasks = own_tasks
        self._may_step = threading.Event()
        self._may_step.set()
        self._n_to_fail = 0
        self._undo: dict[str, Callable[[], Any]] = {}
        service.engine._stale_s = PATIENCE_S
        self._encode = encode = SlotBatch._encode

        def step(batch: SlotBatch, *arguments: Any) -> Any:
            self._before_step()
            return encode(batch, *arguments)

        SlotBatch._encode = step  # type: ignore[method-assign, assignment]

    def leave(self) -> None:
        """Put all as it was."""
        self.heal()
        SlotBatch._encode = self._encode  # type: ignore[method-assign]

    def _before_step(self) -> None:
        self._may_step.wait()
        if self._n_to_fail > 0:
            self._n_to_fail -= 1
            raise RuntimeError("a step that goes wrong")

    def figures(self) -> Figures:
        """Count what a server may not keep when its clients have gone."""
        threads = [thread.name for thread in threading.enumerate()]
        return {
            "slots": self._service.engine.n_open,
            "sessions": len(self._service.sessions),
            "tasks": len(asyncio.all_tasks()) - self._own_tasks,
            "descriptors": _n_descriptors(),
            "threads": sum(not name.startswith(POOLS) for name in threads),
            "children": _n_children(),
        }

    def memory(self) -> Figures:
        """Return the resident bytes once all garbage is collected and given back."""
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        return {"resident_bytes": _resident_bytes()}

    def fail_steps(self, n: int) -> Figures:
        """Let the next steps of the model raise."""
        self._n_to_fail = n
        return {}

    def hold_steps(self, stale_s: float) -> Figures:
        """Let the next step of the model hang until `heal`; after so long it counts as hung."""
        self._may_step.clear()
        self._keep("engine", mock.patch.object(self._service.engine, "_stale_s", stale_s))
        return {}

    def fill_disk(self) -> Figures:
        """Let temporary files be on a device that is full: the kernel says so itself."""
        self._keep("disk", mock.patch.object(tempfile, "TemporaryFile", _full_file))
        return {}

    def jump_clock(self, seconds: float) -> Figures:
        """Move the wall clock, as all of the server's Python reads it."""
        really = time.time

        def moved() -> float:
            return really() + seconds

        self._keep("clock", mock.patch.object(time, "time", moved))
        return {}

    def refuse_threads(self) -> Figures:
        """Let no thread start."""
        refuse = mock.Mock(side_effect=RuntimeError("can't start new thread"))
        self._keep("threads", mock.patch.object(threading.Thread, "start", refuse))
        return {}

    def squeeze(self, what: str, room: int) -> Figures:
        """Leave the process so much room beyond what it uses: descriptors, or bytes of memory."""
        kind = {"descriptors": resource.RLIMIT_NOFILE, "bytes": resource.RLIMIT_AS}[what]
        used = _n_descriptors() if what == "descriptors" else _virtual_bytes()
        soft, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (used + room, hard))
        self._undo[what] = lambda: resource.setrlimit(kind, (soft, hard))
        return {}

    def heal(self) -> Figures:
        """End all faults."""
        self._n_to_fail = 0
        self._may_step.set()
        while self._undo:
            self._undo.popitem()[1]()
        return {}

    def _keep(self, name: str, patch: Any) -> None:
        if name not in self._undo:
            patch.start()
            self._undo[name] = patch.stop


def _full_file(**_: Any) -> BinaryIO:
    return open("/dev/full", "w+b", buffering=0)  # what is buffered would fail again at the end


def _n_descriptors() -> int:
    return len(os.listdir("/proc/self/fd" if sys.platform == "linux" else "/dev/fd"))


def _n_children() -> int:
    """Count processes, dead ones that nobody waited for too; 0 where the system does not tell."""
    lists = Path("/proc/self/task").glob("*/children")
    return sum(len(each.read_text().split()) for each in lists)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def _resident_bytes() -> int:
    if Path("/proc/self/status").exists():
        return _status("VmRSS")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _virtual_bytes() -> int:
    return _status("VmSize")
