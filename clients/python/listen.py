"""`voxwire listen`: speak in a terminal, and read along; a server does the work."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text
from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from ...protocol.errors import VoxwireError
from ...protocol.messages import MessageError, parse_fields
from ...protocol.native.messages import Error, Final, Partial, Warned
from ...protocol.native.parameters import EndpointKind, Parameters
from .addresses import address_of
from .client import DEFAULT_URL, stream
from .inbox import Heard
from .notices import Continued, Gap, Notice, Reconnected, Reconnecting
from .sources import SourceError, file_pieces, microphone_pieces

MAX_SHOWN_CHARS = 2000
EXIT_INTERRUPTED = 130  # as shells have it for SIGINT

File = Annotated[Path | None, typer.Argument(help="A recording.", show_default="the microphone")]
Url = Annotated[str, typer.Option("--url", "-u", envvar="VOXWIRE_URL", help="The server.")]
DelayMs = Annotated[
    int | None,
    typer.Option("--delay", "-d", help="In ms: 80 to 1200 by 80, or 2400.", show_default="its own"),
]
Ends = Annotated[
    EndpointKind, typer.Option("--endpoint", "-e", help="What ends a segment, and its line.")
]
SilenceMs = Annotated[
    int | None, typer.Option("--silence", help="In ms, how long.", show_default="its own")
]
Fast = Annotated[bool, typer.Option("--fast", help="Send a file as fast as the server hears.")]


def listen_command(
    file: File = None,
    url: Url = DEFAULT_URL,
    delay: DelayMs = None,
    endpoint: Ends = EndpointKind.PADS,
    silence: SilenceMs = None,
    fast: Fast = False,
) -> None:
    """Transcribe the microphone, or a file as if spoken now, on a server that is running.

    Finals go to standard output, a line each. On a terminal the text that
    is still open grows below them. Ctrl-C ends it with the last words; twice, at once.
    A connection that breaks is taken up again, and standard error tells.
    A server's key is read from VOXWIRE_KEY.

    [bold]Examples[/bold]

      voxwire listen                      the microphone
      voxwire listen talk.mp3             a file, as if spoken now
      voxwire listen talk.mp3 --fast      a file, at once
      voxwire listen -u wss://speech.lan  another machine
    """
    parameters = {"delay_ms": delay, "endpoint": endpoint, "silence_ms": silence}
    try:
        parse_uri(address_of(url, parse_fields(Parameters, parameters)))
    except MessageError as error:
        raise typer.BadParameter(error.message) from None
    except (InvalidURI, ValueError):
        expected = f"expected http, https, ws or wss and a host, as {DEFAULT_URL}"
        raise typer.BadParameter(f"{expected}; got {url}", param_hint="--url") from None
    try:
        asyncio.run(_listen(file, url, parameters, is_paced=not fast))
    except (VoxwireError, SourceError, OSError, ValueError) as error:
        Console(stderr=True).print(Text(_told(error, url), style="bold red"))
        raise typer.Exit(1) from error
    except asyncio.CancelledError:
        raise typer.Exit(EXIT_INTERRUPTED) from None


async def _listen(
    file: Path | None, url: str, parameters: Mapping[str, Any], *, is_paced: bool
) -> None:
    stop = asyncio.Event()
    task = asyncio.current_task()
    assert task is not None

    def interrupt() -> None:  # at first in order, and then, where a server is waited for, at once
        (task.cancel if stop.is_set() else stop.set)()

    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupt)
    audio = microphone_pieces(stop=stop)
    if file is not None:
        audio = file_pieces(file, is_paced=is_paced, stop=stop)
    key = os.environ.get("VOXWIRE_KEY")
    await show(stream(audio, url, key=key, **parameters), Console(), Console(stderr=True))


async def show(messages: AsyncIterator[Heard], out: Console, errors: Console) -> None:
    """Print finals as they come and, on a terminal, the open segment as it grows."""
    if not out.is_terminal:
        async for message in messages:
            _print(message, out, errors)
        return
    with Live(Text(), console=out, transient=True, refresh_per_second=12) as live:
        async for message in messages:
            if isinstance(message, Partial):
                live.update(Text(_printable(message.text[-MAX_SHOWN_CHARS:]), style="cyan"))
            elif isinstance(message, Final):
                live.update(Text())
            _print(message, live.console, errors)


def _print(message: Heard, out: Console, errors: Console) -> None:
    match message:
        case Final() if message.text:
            at = Text(f"{message.start_s:7.1f} s  ", style="dim") if out.is_terminal else Text()
            text = _printable(message.text) if out.is_terminal else message.text
            out.print(at + Text(text), soft_wrap=True)
        case Warned() | Error():
            errors.print(Text(message.message, style="yellow"))
        case Reconnecting() | Reconnected() | Continued() | Gap():
            errors.print(Text(_state(message), style="yellow"), soft_wrap=True)
        case _:
            return


def _state(notice: Notice) -> str:
    """Say how the connection is doing."""
    match notice:
        case Reconnecting(_, wait_s, reason):
            return f"{reason}; trying again in {wait_s:.1f} s"
        case Reconnected():
            return "connected again; nothing is lost"
        case Continued(at_s):
            return f"another session goes on from {at_s:.1f} s"
        case Gap(start_s, end_s, _, text):
            last = f"; the last of it was: {_printable(text)}" if text else ""
            return f"from {start_s:.1f} s to {end_s:.1f} s something may be missing{last}"


def _printable(text: str) -> str:
    """Return `text` without what would steer the terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _told(error: Exception, url: str) -> str:
    if isinstance(error, socket.gaierror):
        return f"{url}: {error.strerror}"
    if isinstance(error, VoxwireError):
        again = f" (again in {error.retry_after_s:g} s)" if error.retry_after_s else ""
        return error.message + again
    return str(error)
