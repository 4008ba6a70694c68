"""`voxwire demo`: a recording transcribed while it is spoken, and how late each word came."""

from __future__ import annotations

import bisect
import functools
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.panel import Panel
from rich.table import Column, Table
from rich.text import Text

from ...model.checkpoint.hub import EMBEDDED
from ...model.delay import MS_PER_TOKEN, delay_tokens_from_ms
from ...model.errors import AudioError
from ...model.text import Delta, Word
from ..frames import SAMPLE_RATE_HZ
from ..live import LiveTranscriber
from ..media import Media, MediaError
from ..pacing import Clock, WallClock, as_spoken
from .progress import complain, errors, load_with_progress, printable
from .transcribe import DelayMs, ModelSpec

RECORDING = EMBEDDED / "demo" / "digits.flac"
PIECE_SAMPLES = 320  # 20 ms, as a telephone or a browser sends it
MAX_SHOWN_CHARS = 600
MAX_LINE_CHARS = 64

Recording = Annotated[
    Path | None,
    typer.Argument(help="A recording.", show_default="a human voice that comes with voxwire"),
]
Fast = Annotated[bool, typer.Option("--fast", help="Do not wait for the speaker.")]


def demo_command(
    file: Recording = None,
    model: ModelSpec = "embedded",
    delay: DelayMs = None,
    fast: Fast = False,
) -> None:
    """Transcribe a recording as if it were spoken now, then show words, times and latency.

    It is fed in pieces of 20 ms by the wall clock. Nothing is known in
    advance: what you see is when the model wrote it.

    [bold]Examples[/bold]

      voxwire demo               the recording that comes with voxwire
      voxwire demo --delay 160   write sooner, err more
      voxwire demo talk.mp3      your own
      voxwire demo --fast        as fast as this machine can
    """
    if delay is not None:
        delay_tokens_from_ms(delay)  # refuse a wrong delay before loading gigabytes
    opened = load_with_progress(model, errors())
    delay_ms = delay or opened.default_delay_ms
    live = LiveTranscriber(opened, delay_tokens_from_ms(delay_ms))
    console, run = Console(), Run()
    try:
        with Media(file or RECORDING) as media, growing_text(console, media, run) as show:
            listen(media, live, WallClock(), run, fast=fast, show=show)
    except (MediaError, AudioError) as error:
        complain(errors(), str(error))
        raise typer.Exit(1) from error
    console.print(word_table(run, paced=not fast))
    console.print(summary(run, delay_ms, paced=not fast), highlight=False)


@dataclass(slots=True)
class Run:
    """What was heard and when it was written, in seconds since the first sample was spoken.

    written: which tokens brought text, and when. n_live_tokens: those that came while audio did;
    what follows the end is not held up by the speaker. computing_s: time spent in the model.
    """

    n_samples: int = 0
    n_tokens: int = 0
    n_live_tokens: int = 0
    computing_s: float = 0.0
    text: str = ""
    words: list[Word] = field(default_factory=list)
    written: list[tuple[int, float]] = field(default_factory=list)

    @property
    def audio_s(self) -> float:
        """Length of the recording so far."""
        return self.n_samples / SAMPLE_RATE_HZ

    def add(self, deltas: list[Delta], now_s: float) -> None:
        """Note what the deltas brought, all at `now_s`."""
        for delta in deltas:
            if delta.text:
                self.written.append((self.n_tokens, now_s))
            self.n_tokens += 1
            self.text += delta.text
            self.words += delta.words

    def word_written_s(self, word: Word) -> float:
        """Return when a word began to appear.

        A character split over tokens appears with its last one, which may come after the first.
        """
        return self.written[bisect.bisect_left(self.written, (word.first_token, 0.0))][1]

    def latencies_s(self) -> list[float]:
        """Return how long after its end each word began to appear, if the audio still ran then."""
        live = [word for word in self.words if word.first_token < self.n_live_tokens]
        return [self.word_written_s(word) - word.end_s for word in live]


def listen(
    media: Media,
    live: LiveTranscriber,
    clock: Clock,
    run: Run,
    *,
    fast: bool = False,
    show: Callable[[], None] = lambda: None,
) -> None:
    """Feed a recording to the model as it is spoken, noting all in `run`.

    fast: without waiting. show: called when there is new text.
    """
    blocks = media.blocks(PIECE_SAMPLES)
    started_s = clock.now_s()

    def advance(step: Callable[[], list[Delta]]) -> None:
        before_s = clock.now_s()
        deltas = step()
        now_s = clock.now_s()
        run.computing_s += now_s - before_s
        run.add(deltas, now_s - started_s)
        if any(delta.text for delta in deltas):
            show()

    for piece in blocks if fast else as_spoken(blocks, clock):
        run.n_samples += len(piece)
        advance(functools.partial(live.feed, piece))
    run.n_live_tokens = run.n_tokens
    advance(live.finish)


@contextmanager
def growing_text(console: Console, media: Media, run: Run) -> Iterator[Callable[[], None]]:
    """Show `run` as it grows: a panel on a terminal, else a line for each piece of text.

    Yields what to call when there is new text.
    """

    def panel() -> Panel:
        total = f" of {media.duration_s:.1f}" if media.duration_s else ""
        text = Text(printable(run.text[-MAX_SHOWN_CHARS:]))
        return Panel(
            text, title=Path(media.name).name, subtitle=f"{run.audio_s:.1f}{total} s spoken"
        )

    def line() -> None:
        text = printable(run.text[-MAX_LINE_CHARS:])
        console.print(Text(f"{run.written[-1][1]:7.2f} s  {text}"))

    if console.is_terminal:
        with Live(get_renderable=panel, console=console, refresh_per_second=10) as screen:
            yield screen.refresh
    else:
        yield line


def word_table(run: Run, *, paced: bool) -> Table:
    """Return the words with their times and, where the clock was kept, how late each came."""
    table = Table("word", *(Column(name, justify="right") for name in ("from about", "to")))
    for name in ("written at", "late by") if paced else ():
        table.add_column(name, justify="right")
    for word in run.words:
        cells = [printable(word.text), f"{word.start_s:.2f} s", f"{word.end_s:.2f} s"]
        if paced:
            written_s = run.word_written_s(word)
            is_live = word.first_token < run.n_live_tokens
            late = f"{written_s - word.end_s:.2f} s" if is_live else "after the end"
            cells += [f"{written_s:.2f} s", late]
        table.add_row(*map(Text, cells))
    return table


def summary(run: Run, delay_ms: int, *, paced: bool) -> str:
    """Return the measurements in words."""
    latencies_s = run.latencies_s()
    factor = f": real-time factor {run.computing_s / run.audio_s:.3f}" if run.audio_s else ""
    lines = [f"{run.audio_s:.1f} s of audio took {run.computing_s:.2f} s of computing{factor}."]
    if paced and latencies_s:
        lines.append(
            f"From the end of a word to its text: median {statistics.median(latencies_s):.2f} s, "
            f"at most {max(latencies_s):.2f} s over {len(latencies_s)} words. The model listens "
            f"{delay_ms} ms ahead and works in positions of {MS_PER_TOKEN} ms; the rest is "
            "computing."
        )
    lines.append(
        "Word ends are where the model puts them, in steps of 80 ms; beginnings are estimates."
    )
    return "\n".join(lines)
