"""The `voxwire` command: its options, its commands, and how errors look."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Annotated, ParamSpec

import typer

from ... import __version__
from ...clients.python.listen import listen_command
from ...model.errors import ModelError
from ..settings import SettingsError
from .convert import convert_command
from .demo import demo_command
from .doctor import doctor_command
from .full_size import full_size_command
from .progress import complain, errors
from .serve import serve_command
from .speed import warn_if_slow
from .transcribe import transcribe_command

P = ParamSpec("P")

EXIT_BAD_INPUT = 2

HELP = """Streaming speech to text on MLX.

[bold]Examples[/bold]

  voxwire serve                            a page to speak into, and APIs
  voxwire listen                           speak into that server, read here
  voxwire demo                             a recording, as if spoken now
  voxwire transcribe talk.mp3              any container; prints text
  voxwire transcribe a.wav b.webm -f srt   subtitles; also json and vtt
  voxwire transcribe a.wav --delay 960     hear further ahead, err less
  voxwire transcribe a.wav -m ORG/NAME     a hub id, a folder, an alias
  voxwire doctor                           is this machine set up well

Without [bold]--model[/bold] a small embedded model listens. It knows digits and a few
command words, and nothing else.
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"voxwire {__version__}")
        raise typer.Exit()


@app.callback()
def root(
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", envvar="VOXWIRE_DEBUG", help="Log in detail; errors with traceback."
        ),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Set what holds for every command."""
    logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("voxwire").setLevel(logging.DEBUG if debug else logging.WARNING)


def _with_errors_as_lines(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the errors a person can mend into one red line and exit status 2."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (ModelError, SettingsError) as error:
            if logging.getLogger("voxwire").isEnabledFor(logging.DEBUG):
                raise
            complain(errors(), str(error))
            raise typer.Exit(EXIT_BAD_INPUT) from error

    return run


def _with_speed_warning(command: Callable[P, None]) -> Callable[P, None]:
    """Warn of a slow BLAS before a command that computes."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        warn_if_slow()
        command(*args, **kwargs)

    return run


def _add(name: str, command: Callable[..., None], *, computes: bool) -> None:
    checked = _with_speed_warning(command) if computes else command
    app.command(name)(_with_errors_as_lines(checked))


_add("transcribe", transcribe_command, computes=True)
_add("demo", demo_command, computes=True)
_add("convert", convert_command, computes=False)
_add("full-size", full_size_command, computes=True)
_add("doctor", doctor_command, computes=False)
_add("serve", serve_command, computes=True)
_add("listen", listen_command, computes=False)


def main() -> None:
    """Run the command line."""
    app(prog_name="voxwire")
