"""A real server on a real port of the loopback, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn

from voxwire.model.checkpoint.hub import resolve_model
from voxwire.model.tekken import Tekken
from voxwire.server.app import create_app
from voxwire.server.descriptors import BACKLOG
from voxwire.server.engine.admission import Admission, Limits, Load
from voxwire.server.engine.backend import Backend, load_backend
from voxwire.server.engine.engine import Engine
from voxwire.server.http import Http, WebSockets
from voxwire.server.service import Service
from voxwire.server.settings import ServeSettings
from voxwire.server.wyoming import wyoming_server

START_S = 60.0


@dataclass
class LiveServer:
    """A server that listens. http, ws: its addresses, without a slash at the end."""

    port: int = 0
    wyoming_port: int = 0
    service: Service = field(init=False)
    loop: asyncio.AbstractEventLoop = field(init=False)

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def call(self, coroutine: Any) -> Any:
        """Run a coroutine in the server's loop, from the test's thread; return what it does."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(START_S)


class Generous(Admission):
    """Admits by number and memory alone: the machine that runs the tests may be a slow one."""

    @property
    def load(self) -> Load:
        return self._load

    @load.setter
    def load(self, load: Load) -> None:
        self._load = Load(load.n_slots, load.n_slots, is_behind=False)


@contextmanager
def live_server(model: str = "embedded", load: Any = None, **settings: Any) -> Iterator[LiveServer]:
    """Start a server with the named model (an alias or a folder), and stop it at the end.

    load: loads a backend of the test's own instead. settings: as `voxwire serve` takes them.
    Sessions are admitted up to the configured number, however slow the machine is just now.
    """
    server = LiveServer()
    stop, ready = threading.Event(), threading.Event()
    failure: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(_serve(server, model, load, ServeSettings(**settings), ready, stop))
        except BaseException as error:
            failure.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="live-server")
    thread.start()
    try:
        assert ready.wait(START_S), "the server did not start"
        if failure:
            raise failure[0]
        yield server
    finally:
        stop.set()
        thread.join(START_S)
        assert not thread.is_alive(), "the server did not stop"


async def _serve(
    server: LiveServer,
    model: str,
    load: Any,
    settings: ServeSettings,
    ready: threading.Event,
    stop: threading.Event,
) -> None:
    directory = resolve_model(model, None)
    limits = Limits(settings.max_sessions, settings.max_uploads)

    def load_model() -> Backend:
        return load_backend(directory) if load is None else load()

    engine = Engine(load_model, limits)
    engine._admission = Generous(limits, time.monotonic)
    async with engine:
        tekken = Tekken.load(engine.tokenizer_file)
        server.service = Service(engine, tekken, Path(model).name, settings)
        server.loop = asyncio.get_running_loop()
        with _listen() as listening, _listen() as wyoming:
            server.port = listening.getsockname()[1]
            server.wyoming_port = wyoming.getsockname()[1]
            config = uvicorn.Config(
                create_app(server.service),
                http=Http,
                ws=WebSockets,
                log_level="warning",
                ws_per_message_deflate=False,
                ws_max_size=settings.max_message_bytes,
                lifespan="off",
                backlog=BACKLOG,
            )
            web = uvicorn.Server(config)
            task = asyncio.create_task(web.serve(sockets=[listening]))
            while not web.started and not task.done():
                await asyncio.sleep(0.01)
            async with wyoming_server(server.service, [wyoming]):
                ready.set()
                await asyncio.to_thread(stop.wait)
            web.should_exit = True
            await task


def _listen() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))
