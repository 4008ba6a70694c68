"""The server that is attacked: where it listens, and how its insider is asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.chaos.insider import Figures, Insider
from tests.server.live_server import live_server

SETTINGS: dict[str, Any] = {
    "max_sessions": 128,
    "max_uploads": 16,
    "max_upload_s": 600,
    "max_message_bytes": 4 << 20,
    "session_idle_s": 300,  # a busy machine may take a minute for what takes a second
    "resume_grace_s": 0.5,
}


class Ask(Protocol):
    """Asks the insider by the name of its method."""

    def __call__(self, name: str, *arguments: Any) -> Awaitable[Figures]: ...


@dataclass(frozen=True, slots=True)
class Target:
    """A server. is_process: it has a process of its own, whose limits may be drawn tight."""

    port: int
    wyoming_port: int
    ask: Ask
    is_process: bool


@contextmanager
def target_here(model: str) -> Iterator[Target]:
    """Serve in a thread of this process."""
    with live_server(model, **SETTINGS) as server:

        async def begin() -> Insider:
            return Insider(server.service)

        insider: Insider = server.call(begin())

        async def do(name: str, *arguments: Any) -> Figures:
            answer: Figures = getattr(insider, name)(*arguments)
            return answer

        async def ask(name: str, *arguments: Any) -> Figures:
            there = asyncio.run_coroutine_threadsafe(do(name, *arguments), server.loop)
            return await asyncio.wrap_future(there)

        try:
            yield Target(server.port, server.wyoming_port, ask, is_process=False)
        finally:
            server.call(do("leave"))


@asynccontextmanager
async def target_process(model: str, command: list[str]) -> AsyncIterator[Target]:
    """Serve in a process of its own, by `voxwire serve` with an insider."""
    with tempfile.TemporaryDirectory() as folder:
        address = Path(folder) / "insider"
        log = Path(folder) / "log"
        with log.open("wb") as written:
            process = subprocess.Popen(
                [*command, str(address), model], stdout=subprocess.PIPE, stderr=written
            )
        try:
            assert process.stdout is not None
            line = await asyncio.to_thread(process.stdout.readline)
            assert line, f"the server did not start: {log.read_text()[-4000:]}"
            ports = json.loads(line)

            async def ask(name: str, *arguments: Any) -> Figures:
                reader, writer = await asyncio.open_unix_connection(str(address))
                writer.write(json.dumps([name, *arguments]).encode() + b"\n")
                answer = json.loads(await reader.readline())
                writer.close()
                assert "fault" not in answer, answer
                figures: Figures = answer
                return figures

            yield Target(ports["port"], ports["wyoming_port"], ask, is_process=True)
            process.terminate()
            status = await asyncio.to_thread(process.wait, 60)
            assert status == 0, f"the server exited with {status}: {log.read_text()[-4000:]}"
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
