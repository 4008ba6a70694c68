"""`voxwire serve`: the server, from its settings to its exit status."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text
from uvicorn.loops.auto import auto_loop_factory

from ... import __version__
from ...model.checkpoint.hub import resolve_model
from ...model.tekken import Tekken
from ..doors.keys import read_keys
from ..engine.admission import Limits
from ..engine.backend import load_backend
from ..engine.engine import Engine
from ..flights import check_folders
from ..listening import bind, check_tls
from ..logs import set_up_logging
from ..metrics import Metrics
from ..service import Service
from ..serving import EXIT_ENGINE_FAILED, Ending, Sockets, serve, stop_engine
from ..settings import ServeSettings
from .flags import takes_settings
from .progress import downloads, errors


@takes_settings
def serve_command(settings: ServeSettings) -> None:
    """Serve speech to text to the clients people already have, and a page to speak into.

    Every setting is a flag here, a variable (VOXWIRE_MAX_SESSIONS=8), and
    a line in a TOML file (max_sessions = 8). A flag counts before a
    variable, a variable before the file. Keys have no flag, because lists
    of processes show flags to everybody: set VOXWIRE_API_KEYS, or name a
    file with --api-keys-file.

    [bold]Examples[/bold]

      voxwire serve                         http://127.0.0.1:8000
      voxwire serve --model voxtral-4bit    another model, by alias
      voxwire serve --wyoming-port 10300    for Home Assistant, too
      voxwire serve --config voxwire.toml   settings from a file
      voxwire serve --host 0.0.0.0 --api-keys-file keys.txt
                                            for other machines, by key
      voxwire serve --tls-cert cert.pem --tls-key key.pem
                                            https and wss
      voxwire serve --allow-origins https://app.example
                                            for pages of another site

    The first Ctrl-C or SIGTERM lets open sessions finish, the second ends
    at once. Exit status: 0 after either, 2 for settings that cannot be, 70
    when the engine failed.
    """
    # Whatever can be wrong is found before gigabytes are loaded.
    n_keys = len(read_keys(settings).digests)
    check_tls(settings)
    check_folders(settings)
    wyoming = settings.wyoming_port
    sockets = Sockets(
        bind(settings.host, settings.port),
        [] if wyoming is None else bind(settings.host, wyoming, "--wyoming-port"),
    )
    is_debug = logging.getLogger("voxwire").isEnabledFor(logging.DEBUG)  # by `voxwire --debug`
    set_up_logging("debug" if is_debug else settings.log_level)
    console = errors()
    with downloads(console) as bars:
        directory = resolve_model(settings.model, bars.show)
    run = Run(settings, directory, sockets, n_keys, console)
    with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
        status = runner.run(run.to_the_end())
    if status:
        raise typer.Exit(status)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the server, from loading to its end."""

    settings: ServeSettings
    directory: Path
    sockets: Sockets
    n_keys: int
    console: Console

    async def to_the_end(self) -> int:
        """Load, serve until somebody wants an end, and return the exit status."""
        metrics, ending = Metrics(), Ending()
        engine = Engine(
            lambda: load_backend(self.directory),
            Limits(self.settings.max_sessions, self.settings.max_uploads),
            on_failure=ending.on_failure,
            on_step=metrics.stepped,
        )
        async with AsyncExitStack() as stack:
            with self.console.status(Text(f"loading and measuring {self.settings.model}")):
                await stack.enter_async_context(engine)
            tekken = Tekken.load(engine.tokenizer_file)
            name = Path(self.settings.model).name
            service = Service(engine, tekken, name, self.settings, metrics)
            stack.push_async_callback(stop_engine, service)
            stack.enter_context(ending.listening_to_signals())
            await serve(service, self.sockets, ending, lambda: self._announce(service))
        return 0 if ending.failure is None else EXIT_ENGINE_FAILED

    def _announce(self, service: Service) -> None:
        for line in announcement(service, self.sockets, self.n_keys):
            self.console.print(Text(line), soft_wrap=True)


def announcement(service: Service, sockets: Sockets, n_keys: int) -> list[str]:
    """Return what is told when clients can connect: where, who may, how many."""
    settings = service.settings
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    there, secure = f"{host}:{_port(sockets.web)}", "s" if settings.tls_cert else ""
    wyoming = [f"  wyoming   tcp://{host}:{_port(sockets.wyoming)}"] if sockets.wyoming else []
    folder = settings.record_audio_dir
    recording = [f"  RECORDING audio and text of every session, to {folder}"] if folder else []
    engine = service.engine
    capacity = capacity_state(settings, engine.n_free, engine.real_time_factor)
    return [
        f"voxwire {__version__} serves {service.model_name} at http{secure}://{there}",
        f"  live      ws{secure}://{there}/v1/realtime as OpenAI's, /v1/listen as Deepgram's,",
        "            /v1/audio/transcriptions/realtime as Mistral's, /v1/stream as our own",
        f"  files     http{secure}://{there}/v1/audio/transcriptions",
        *wyoming,
        *recording,
        f"  keys      {key_state(settings, n_keys)}",
        f"  capacity  {capacity}; delay {service.default_delay_ms} ms",
        f"  end       Ctrl-C: open sessions have {settings.drain_s:g} s to finish; twice: at once",
    ]


def _port(sockets: list[socket.socket]) -> int:
    port: int = sockets[0].getsockname()[1]
    return port


def capacity_state(settings: ServeSettings, n_free: int, real_time_factor: float) -> str:
    """Return in words how many may speak at once, or that not even one can."""
    if real_time_factor > 1:
        return (
            f"THIS MACHINE IS {real_time_factor:.3g} TIMES TOO SLOW for live speech with this "
            "model: its text lags; use a smaller or 4-bit model (--model)"
        )
    why = "as set" if n_free == settings.max_sessions else "as measured on this machine"
    return f"up to {n_free} live session{'' if n_free == 1 else 's'}, {why}"


def key_state(settings: ServeSettings, n_keys: int) -> str:
    """Return in words who may come in."""
    if n_keys:
        return f"{n_keys} of them open every door" if n_keys > 1 else "one opens every door"
    if settings.is_loopback:
        return "none is needed; only this machine can connect"
    return "NONE IS NEEDED: everybody who reaches this address may use it (--insecure)"
