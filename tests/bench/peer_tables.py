"""Tables of the comparison with other implementations."""

from __future__ import annotations

from typing import Any

from rich.table import Table

WAYS = ("1", "16", "64", "file")


def tables(result: dict[str, Any]) -> list[Table]:
    """Show speeds, then how the transcripts compare."""
    return [_speeds(result), _transcripts(result)]


def _speeds(result: dict[str, Any]) -> Table:
    title = (
        f"peers: audio seconds per second in all, medians of {result['n_rounds']} rounds "
        f"(streams in 80 ms chunks as fast as taken: one of {result['stream_s']:.0f} s, "
        f"16 and 64 of {result['group_s']:.0f} s; file of {result['file_s']:.0f} s)"
    )
    table = Table(title=title)
    table.add_column("")
    for heading in (
        "1 stream",
        "16 streams",
        "64 streams",
        "one file",
        "peak MB",
        "others' cores",
        "errors",
    ):
        table.add_column(heading, justify="right")
    for row in result["rows"]:
        errors = "; ".join(f"{what}: {why}" for what, why in row["errors"].items())
        table.add_row(
            row["name"],
            *(_rate(row.get(way)) for way in WAYS),
            f"{row.get('peak_bytes', 0) / 1e6:.0f}",
            ", ".join(f"{cores}" for cores in row.get("cores_busy_elsewhere", [])),
            errors,
        )
    ratios = result["ratios"]
    times = (f"{ratios[way]['times']:.1f} x" if way in ratios else "-" for way in WAYS)
    table.add_section()
    table.add_row("ours over the best peer", *times, "", "", "")
    times = (f"{ratios[way]['times_by_cpu']:.1f} x" if way in ratios else "-" for way in WAYS)
    table.add_row("the same by processor time", *times, "", "", "")
    return table


def _rate(found: dict[str, Any] | None) -> str:
    if not found:
        return "-"
    return f"{found['audio_s_per_s']:.1f} ({found['from']:.1f}..{found['to']:.1f})"


def _transcripts(result: dict[str, Any]) -> Table:
    table = Table(title="peers: tokens beside ours of the same samples")
    for heading in ("", "file", "why", "one stream", "why", "word errors, file"):
        table.add_column(heading)
    for row in result["rows"]:
        cells = [
            row.get(way, {}).get(what, "") for way in ("file", "1") for what in ("tokens", "why")
        ]
        errors = f"{row['word_errors']:.1%}" if "word_errors" in row else ""
        table.add_row(row["name"], *cells, errors)
    return table
