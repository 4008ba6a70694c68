"""`voxwire replay`: a recorded session through the engine again, and where it differs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from ...model.checkpoint.hub import resolve_model
from ...model.tekken import Tekken
from ...protocol.errors import VoxwireError
from ..engine.admission import Limits
from ..engine.backend import load_backend
from ..engine.engine import Engine
from ..replaying import (
    Compared,
    Recorded,
    RecordingError,
    Written,
    compare,
    is_same_text,
    read_recording,
    replay,
    transcribe_whole,
)
from .progress import complain, downloads, errors, printable

EXIT_DIFFERENT, EXIT_BAD_RECORDING = 1, 2

Recording = Annotated[
    Path, typer.Argument(metavar="RECORDING", help="NAME.jsonl or NAME.wav.", show_default=False)
]
ModelSpec = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="A folder, a hub id ORG/NAME, or an alias.",
        show_default="the one that was recorded",
    ),
]


def replay_command(recording: Recording, model: ModelSpec = None) -> None:
    """Run a recorded session through the engine again, and show where its transcript differs.

    `voxwire serve --record-audio-dir DIR` records. The audio is fed at full
    speed, with the requests of then at the samples where they came. Beside
    it, the same audio is transcribed as a whole file: only where a commit,
    a clear or voice activity detection cut the stream may that differ.

    Exit status: 0 where all is the same, 1 where something differs, 2 for a
    file that is no recording. Where a session changed its settings between
    two words, where they took hold depended on the moment: expect a
    difference there.

    [bold]Examples[/bold]

      voxwire replay recordings/sess_0a1b.jsonl
      voxwire replay recordings/sess_0a1b.wav -m voxtral-4bit   another model
    """
    try:
        recorded = read_recording(recording)
        again, whole = _run(recorded, model or recorded.head["model"])
    except (RecordingError, VoxwireError) as error:
        complain(errors(), str(error))
        raise typer.Exit(EXIT_BAD_RECORDING) from error
    console, segments = Console(), compare(recorded, again)
    console.print(segment_table(segments))
    is_whole_equal = is_same_text(again, whole)
    n_different = sum(not each.is_equal for each in segments)
    for line in summary(recorded, len(segments), n_different, whole, is_equal=is_whole_equal):
        console.print(Text(line), soft_wrap=True)
    if n_different or not (is_whole_equal or recorded.is_cut):
        raise typer.Exit(EXIT_DIFFERENT)


def segment_table(segments: list[Compared]) -> Table:
    """Return the segments, then and now."""
    table = Table("", Column("segment", justify="right"), "recorded", "again")
    for each in segments:
        mark = Text("same", "green") if each.is_equal else Text("differs", "red")
        texts = ["-" if text is None else printable(text) for text in (each.recorded, each.again)]
        table.add_row(mark, str(each.segment), *map(Text, texts))
    return table


def summary(
    recorded: Recorded, n_segments: int, n_different: int, whole: str, *, is_equal: bool
) -> list[str]:
    """Say in a few lines what the comparison came to."""
    lines = [f"{n_segments - n_different} of {n_segments} segments are the same."]
    if is_equal:
        return [*lines, "As a whole file: the same text."]
    lines.append(f"As a whole file: {printable(whole)}")
    if recorded.is_cut:
        lines.append("The session was cut by commits or turns, which a whole file is not.")
    return lines


def _run(recorded: Recorded, spec: str) -> tuple[list[Written], str]:
    with downloads(errors()) as bars:
        directory = resolve_model(spec, bars.show)

    async def both() -> tuple[list[Written], str]:
        async with Engine(lambda: load_backend(directory), Limits(1, 1)) as engine:
            tekken = Tekken.load(engine.tokenizer_file)
            again = await replay(recorded, engine, tekken)
            return again, await transcribe_whole(recorded, engine, tekken)

    return asyncio.run(both())
