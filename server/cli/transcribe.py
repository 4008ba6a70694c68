"""`voxwire transcribe`: files in, text, JSON or subtitles out."""

from __future__ import annotations

import sys
import time
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ...model.delay import delay_tokens_from_ms
from ...model.errors import AudioError
from ...model.offline import BLOCK_TOKENS
from ...protocol.formats import OutputFormat, render
from ...protocol.transcript import Transcript
from ..collector import Collector
from ..frames import SAMPLE_RATE_HZ
from ..live import LiveTranscriber, OpenModel
from ..media import Media, MediaError
from .progress import audio_bar, complain, errors, load_with_progress, printable

STDIN = "-"
BLOCK_SAMPLES = BLOCK_TOKENS * 1280  # whole encoder passes

Files = Annotated[
    list[str], typer.Argument(help="Recordings, or - for standard input.", show_default=False)
]
Form = Annotated[OutputFormat, typer.Option("--format", "-f", help="What to write.")]
ModelSpec = Annotated[
    str, typer.Option("--model", "-m", help="A folder, a hub id ORG/NAME, or an alias.")
]
DelayMs = Annotated[
    int | None,
    typer.Option(
        "--delay",
        "-d",
        help="How far to listen ahead before writing, in ms: 80 to 1200 by 80, or 2400.",
        show_default="the model's own",
    ),
]
OutputDir = Annotated[
    Path | None,
    typer.Option("--output-dir", "-o", help="Write NAME.txt, .json, .srt or .vtt there."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")]


def transcribe_command(
    files: Files,
    form: Form = OutputFormat.TEXT,
    model: ModelSpec = "embedded",
    delay: DelayMs = None,
    output_dir: OutputDir = None,
    quiet: Quiet = False,
) -> None:
    """Transcribe recordings: any audio or video that FFmpeg reads, of any length.

    The text goes to standard output as it is found, all else to standard
    error. A file that cannot be read is reported; the others are
    transcribed, and the exit status is 1.

    [bold]Examples[/bold]

      voxwire transcribe talk.mp3                    text, as it is found
      voxwire transcribe talk.mp4 -f srt > talk.srt  subtitles of a video
      voxwire transcribe *.wav -f json -o out        out/NAME.json for each
      voxwire transcribe a.wav --delay 960           hear further ahead, err less
      voxwire transcribe a.wav -m voxtral-4bit       another model, by alias,
      voxwire transcribe a.wav -m ORG/NAME           by hub id, or by folder
      curl -s URL | voxwire transcribe -             from a pipe
    """
    if len(files) > 1 and output_dir is None and form is not OutputFormat.TEXT:
        raise typer.BadParameter(f"several files as {form.value} need --output-dir")
    if delay is not None:
        delay_tokens_from_ms(delay)  # refuse a wrong delay before loading gigabytes
    outputs = _outputs(files, form, output_dir)
    console = errors()
    opened = load_with_progress(model, console)
    job = Job(opened, delay or opened.default_delay_ms, form, quiet, console)
    n_failed = sum(not job.run(file, outputs.get(file), headed=len(files) > 1) for file in files)
    if n_failed:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Job:
    """What is the same for every file of one command."""

    opened: OpenModel
    delay_ms: int
    form: OutputFormat
    quiet: bool
    console: Console

    def run(self, file: str, output: Path | None, *, headed: bool) -> bool:
        """Transcribe one file to `output` or to standard output; say whether that went well."""
        try:
            with _open(file) as media:
                self._transcribe(media, output, headed)
        except (MediaError, AudioError) as error:
            complain(self.console, str(error))
            return False
        except BrokenPipeError:  # nobody reads on: no reason to go on
            raise
        except OSError as error:
            complain(self.console, f"{output or 'standard output'}: {error.strerror}")
            if output is None:
                raise typer.Exit(1) from None
            return False
        return True

    def _transcribe(self, media: Media, output: Path | None, headed: bool) -> None:
        to_stdout = output is None
        streamed = to_stdout and self.form is OutputFormat.TEXT
        if streamed and headed:
            typer.echo(f"==> {printable(media.name)} <==")
        started = time.monotonic()
        try:
            transcript = self._listen(media, streamed)
        finally:
            if streamed:  # what is said of a file that breaks off begins a line
                typer.echo()
        if output is not None:
            output.write_text(render(transcript, self.form), encoding="utf-8")
        elif not streamed:
            typer.echo(render(transcript, self.form), nl=False)
        self._report(media, transcript.duration_s, time.monotonic() - started, output)

    def _listen(self, media: Media, streamed: bool) -> Transcript:
        live = LiveTranscriber(self.opened, delay_tokens_from_ms(self.delay_ms))
        collector = Collector()
        n_samples = 0
        # Text that runs over the terminal shows progress itself, and a bar would cut it.
        runs_over_terminal = streamed and sys.stdout.isatty()
        shown = self.console.is_terminal and not self.quiet and not runs_over_terminal
        show = _print_now if streamed else _keep
        with audio_bar(media.name, media.duration_s, self.console, shown=shown) as progress:
            for block in media.blocks(BLOCK_SAMPLES):
                show(collector.add(live.feed(block)))
                n_samples += len(block)
                progress(n_samples / SAMPLE_RATE_HZ)
            show(collector.add(live.finish()))
        return collector.transcript(n_samples, self.opened.name, self.delay_ms)

    def _report(
        self, media: Media, duration_s: float, elapsed_s: float, output: Path | None
    ) -> None:
        if media.n_damaged:
            count = f"{media.n_damaged} damaged packets left out"
            complain(self.console, f"{media.name}: {count}", "yellow")
        if self.quiet or not self.console.is_terminal:
            return
        speed = duration_s / max(elapsed_s, 1e-9)
        target = f", written to {output}" if output else ""
        line = f"{media.name}: {duration_s:.1f} s of audio in {elapsed_s:.1f} s"
        complain(self.console, f"{line}, {speed:.1f} times real time{target}", "dim")


def _open(file: str) -> Media:
    if "://" in file:
        got = f"an address: curl -s {file} | voxwire transcribe -"
        raise MediaError(file, "a file", got)
    return Media(sys.stdin.buffer, "standard input") if file == STDIN else Media(Path(file))


def _outputs(files: list[str], form: OutputFormat, output_dir: Path | None) -> dict[str, Path]:
    """Return the file to write for each input; two inputs never share one."""
    if output_dir is None:
        return {}
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"--output-dir {output_dir}: {error.strerror}") from None
    names = {file: Path("stdin" if file == STDIN else file).name for file in files}
    stems = Counter(_folded(Path(name).stem) for name in names.values())
    outputs = {
        file: output_dir / (Path(name).stem if stems[_folded(Path(name).stem)] == 1 else name)
        for file, name in names.items()
    }
    outputs = {file: path.with_name(path.name + form.suffix) for file, path in outputs.items()}
    if len({_folded(path.name) for path in outputs.values()}) < len(files):
        raise typer.BadParameter("two files of one name would overwrite each other's transcript")
    return outputs


def _folded(name: str) -> str:
    """Return what is equal for two names that a file system may take for one.

    On every system, so that a command does the same on each: macOS ignores case and composition.
    """
    return unicodedata.normalize("NFC", name).casefold()


def _print_now(text: str) -> None:
    if text:
        typer.echo(printable(text) if sys.stdout.isatty() else text, nl=False)
        sys.stdout.flush()


def _keep(text: str) -> None:
    """Show nothing: the document is written when it is whole."""
