"""The life of the process: from a loaded engine to the last farewell, and the status it exits with.

The signals are ours, not the web server's, which would cut every WebSocket at once: the first one
drains, the second ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any, Literal

import uvicorn

from .app import create_app
from .descriptors import BACKLOG, raise_limit
from .http import Http, WebSockets
from .listening import about_to_listen
from .service import Service
from .session.state import State
from .settings import ServeSettings
from .wyoming import wyoming_server

log = logging.getLogger(__name__)

EXIT_ENGINE_FAILED = 70  # EX_SOFTWARE: a supervisor starts another process
FAREWELL_S = 2.0  # for clients to be told why, when time is up
_CLOSE_S = 3.0  # for sockets to close after that
_STOP_S = 10.0  # for the step in progress
_POLL_S = 0.05
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass
class Ending:
    """Why the process is to end, as it becomes known. Event loop only."""

    wanted: asyncio.Event = field(default_factory=asyncio.Event)  # by a signal, or a failure
    at_once: asyncio.Event = field(default_factory=asyncio.Event)  # by a second signal
    failure: Exception | None = None

    def on_signal(self) -> None:
        """Take a signal: the first wants an end, the second wants it now."""
        (self.at_once if self.wanted.is_set() else self.wanted).set()

    def on_failure(self, failure: Exception) -> None:
        """Take the engine's death: there is nothing left to drain."""
        self.failure = failure
        self.wanted.set()
        self.at_once.set()

    @contextlib.contextmanager
    def listening_to_signals(self) -> Generator[None]:
        """Have SIGTERM and SIGINT end the process in order."""
        loop = asyncio.get_running_loop()
        for each in _SIGNALS:
            loop.add_signal_handler(each, self.on_signal)
        try:
            yield
        finally:
            for each in _SIGNALS:
                loop.remove_signal_handler(each)


class _Web(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to us."""
        yield


@dataclass(frozen=True, slots=True)
class Sockets:
    """Bound and not yet listening, for each port; none for Wyoming where it is not wanted."""

    web: list[socket.socket]
    wyoming: list[socket.socket]


async def serve(
    service: Service, sockets: Sockets, ending: Ending, on_ready: Callable[[], None]
) -> None:
    """Serve until an end is wanted and over: drained, or cut when time is up.

    on_ready: called when clients can connect.
    """
    raise_limit()
    about_to_listen([*sockets.web, *sockets.wyoming])
    web = _Web(_web_config(service))
    serving = asyncio.create_task(web.serve(sockets.web))
    await _started(web, serving)
    async with wyoming_server(service, sockets.wyoming):
        on_ready()
        await _first(serving, ending.wanted.wait())
        if ending.failure is None:
            await _drain(service, ending)
        await _tell_reasons(service)
        web.should_exit = True
        await serving


async def stop_engine(service: Service) -> None:
    """End the engine's thread; where a step hangs for ever, end the process with it."""
    try:
        async with asyncio.timeout(_STOP_S):
            await service.engine.stop()
    except TimeoutError:
        log.error("engine=hung action=exit")
        logging.shutdown()
        os._exit(EXIT_ENGINE_FAILED)


async def _started(web: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    while not web.started and not serving.done():
        await asyncio.sleep(_POLL_S / 5)
    if serving.done():
        serving.result()


async def _drain(service: Service, ending: Ending) -> None:
    """Let the open sessions finish, for as long as the settings say or until a second signal."""
    drain_s = service.settings.drain_s
    log.info("drain=begun sessions=%d drain_s=%g", len(service.sessions), drain_s)
    draining = asyncio.create_task(service.drain(drain_s))
    with contextlib.suppress(TimeoutError):
        # A session whose engine hangs may not even begin to finish.
        async with asyncio.timeout(drain_s + FAREWELL_S):
            await _first(draining, ending.at_once.wait())
    draining.cancel()
    log.info("drain=over sessions=%d", len(service.sessions))


async def _tell_reasons(service: Service) -> None:
    """End the sessions that are left; their clients are told why, if they listen."""
    if not service.sessions:
        return
    stopping = asyncio.create_task(stop_engine(service))
    for session in list(service.sessions.values()):
        if session.state is State.CREATED:  # of which the engine does not know
            session.fail(service.engine.last_error())
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(FAREWELL_S):
            while service.sessions:
                await asyncio.sleep(_POLL_S)
    await stopping


async def _first(task: asyncio.Task[None], event: Coroutine[Any, Any, Literal[True]]) -> None:
    """Wait for a task, whose error is raised, or an event; the task goes on."""
    waiting = asyncio.create_task(event)
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    if task.done():
        task.result()


def _web_config(service: Service) -> uvicorn.Config:
    settings: ServeSettings = service.settings
    return uvicorn.Config(
        create_app(service),
        http=Http,
        ws=WebSockets,
        log_config=None,
        access_log=False,  # ours writes no addresses
        lifespan="off",
        backlog=BACKLOG,
        server_header=False,
        ws_max_size=settings.max_message_bytes,
        ws_per_message_deflate=False,  # audio does not shrink, and costs time
        timeout_graceful_shutdown=int(_CLOSE_S),
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )
