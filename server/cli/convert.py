"""`voxwire convert`: any checkpoint in, Mistral's layout or a quantised MLX one out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import TaskProgressColumn

from ...model.checkpoint.convert import Conversion, Target, convert
from ...model.checkpoint.hub import resolve_model
from .progress import Bars, errors

Source = Annotated[
    str, typer.Argument(metavar="SRC", help="A folder, a hub id ORG/NAME, or an alias.")
]
Out = Annotated[Path, typer.Argument(metavar="OUT", help="A new folder.", show_default=False)]
Bits = Annotated[
    int | None,
    typer.Option(
        "--bits",
        help="Quantise to 2, 3, 4, 5, 6 or 8 bits a value: matrices whose rows are whole groups.",
        show_default="as in SRC",
    ),
]
GroupSize = Annotated[
    int | None,
    typer.Option(
        "--group-size",
        help="With --bits: values that share a scale and a bias, 32, 64 or 128.",
        show_default="64",
    ),
]
LayoutName = Annotated[
    str | None,
    typer.Option(
        "--layout",
        help="Whose names to use: mistral (plain) or mlx (voxmlx, plain or quantised).",
        show_default="mistral, or mlx with --bits",
    ),
]
DtypeName = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        help="Number format of what is not quantised: float32, float16 or bfloat16.",
        show_default="as in SRC",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace OUT if it is a checkpoint already.")
]


def convert_command(
    source: Source,
    out: Out,
    bits: Bits = None,
    group_size: GroupSize = None,
    layout: LayoutName = None,
    dtype: DtypeName = None,
    overwrite: Overwrite = False,
) -> None:
    """Convert a checkpoint of any layout, and verify what was written.

    SRC may have the layout of Mistral, Hugging Face, voxmlx (mlx-community)
    or mlx-audio, plain or quantised. OUT gets the weights in one file, the
    configuration and tekken.json, and takes its name only when all that was
    written has been read back and compared: plain tensors bit for bit (or as
    --dtype rounds them), quantised ones against the rounding that they may have.

    4 bits make the 4B model 2.5 GB instead of 8.9, at nearly the same word
    error rate; 6 or 8 bits are safer still (3.6 and 4.7 GB). On a CPU
    quantised weights save memory, not time. --dtype is how numbers are stored:
    voxwire computes in bfloat16 on a GPU and in float32 on a CPU.

    [bold]Examples[/bold]

      voxwire convert voxtral ./v4 --bits 4         download, quantise to 4 bits
      voxwire convert ./hf-model ./mistral          Hugging Face to Mistral
      voxwire convert ./v4 ./plain --layout mistral unpack a quantised one
      voxwire convert ./a ./b --dtype bfloat16      half the size of float32
    """
    name = layout or ("mistral" if bits is None else "mlx")
    if group_size is not None and bits is None:
        raise typer.BadParameter("--group-size needs --bits")
    target = Target.named(name, bits, 64 if group_size is None else group_size, dtype)
    started = time.monotonic()
    with Bars(errors(), TaskProgressColumn()) as bars:
        directory = resolve_model(source, bars.show)
        done = convert(directory, out, target, overwrite=overwrite, progress=bars.show)
    typer.echo(summary(done, time.monotonic() - started, dtype))


def summary(done: Conversion, elapsed_s: float, dtype: str | None) -> str:
    """Say in a few lines what was written and how it was verified. dtype: that was asked for."""
    checked = done.comparison
    is_large = done.n_bytes >= 1e9
    size = f"{done.n_bytes / 1e9:.2f} GB" if is_large else f"{done.n_bytes / 1e6:.1f} MB"
    lines = [f"{done.directory}: {done.n_tensors} tensors, {size}, in {elapsed_s:.0f} s"]
    if checked.n_exact:
        lines.append(f"verified: {checked.n_exact} tensors equal to the source bit for bit")
    if checked.n_cast:
        by = dtype or "their number format"
        lines.append(f"verified: {checked.n_cast} tensors equal to the source as {by} rounds it")
    if checked.n_bounded:
        lines.append(
            f"verified: {checked.n_bounded} quantised matrices off by at most"
            f" {checked.worst_steps:.2f} steps of a group"
        )
    if done.n_unfit:
        lines.append(f"left plain: {done.n_unfit} matrices whose rows are not whole groups")
    return "\n".join(lines)
