"""`voxwire serve` in a process of its own, as people run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

START_S = 60.0
COMMAND = (sys.executable, "-m", "voxwire", "serve")


@dataclass
class Process:
    """A running server. lines: what it wrote to standard error so far."""

    popen: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    is_ready: threading.Event = field(default_factory=threading.Event)

    @property
    def port(self) -> int:
        (line,) = [line for line in self.lines if " serves " in line]
        return int(line.rpartition(":")[2])

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.popen.send_signal(number)

    def wait(self) -> int:
        """Return the exit status."""
        return self.popen.wait(START_S)

    def read(self) -> None:
        """Collect what the server writes, until it ends."""
        assert self.popen.stderr is not None
        with self.popen.stderr as lines:
            for line in lines:
                self.lines.append(line.rstrip("\n"))
                if line.startswith("  end "):
                    self.is_ready.set()
        self.is_ready.set()


@contextmanager
def serving(
    *arguments: str, command: Sequence[str] = COMMAND, **environment: str
) -> Iterator[Process]:
    """Start a server on a free port, and see that it is gone at the end."""
    popen = subprocess.Popen(
        [*command, "--port", "0", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    process = Process(popen)
    reader = threading.Thread(target=process.read)
    reader.start()
    try:
        assert process.is_ready.wait(START_S), "the server did not start"
        assert popen.poll() is None, process.lines
        yield process
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.wait(START_S)
        reader.join(START_S)
