"""One picture of a run: what was measured of it, a panel each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

_OURS, _PEER, _FLOOR = "#1f5fa8", "#b0b0b0", "#d0772a"


def draw(results: Mapping[str, Any], path: Path) -> None:
    """Write a PNG of the benchmarks among `results`."""
    panels = [
        (panel, results[name])
        for name, panels in _PANELS.items()
        if name in results
        for panel in panels
    ]
    if not panels:
        return
    n_columns = min(4, len(panels))
    n_rows = -(-len(panels) // n_columns)
    figure = Figure(figsize=(3.8 * n_columns, 3.2 * n_rows), layout="constrained")
    for at, (panel, result) in enumerate(panels):
        panel(figure.add_subplot(n_rows, n_columns, at + 1), result)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=72)


def _row_cost(axes: Axes, result: Mapping[str, Any]) -> None:
    rows = [row["n_rows"] for row in result["rows"]]
    for name, colour, label in (("step_ms", _OURS, "step"), ("floor_ms", _FLOOR, "products alone")):
        per_row = [row[name] / row["n_rows"] for row in result["rows"]]
        axes.plot(rows, per_row, "o-", color=colour, label=label)
    axes.set(xscale="log", yscale="log", xlabel="rows", ylabel="ms a row", title="cost of a step")
    axes.set_xticks(rows, [str(n) for n in rows], minor=False)
    axes.set_xticks([], minor=True)
    _plain_numbers(axes)
    axes.legend()


def _lateness(axes: Axes, result: Mapping[str, Any]) -> None:
    trials = sorted(
        (trial for trial in result["trials"] if "refused" not in trial),
        key=lambda trial: trial["n_sessions"],
    )
    sessions = [trial["n_sessions"] for trial in trials]
    for name, marker in (("p99_ms", "o"), ("median_ms", ".")):
        late = [trial["late"]["all"][name] for trial in trials]
        axes.plot(sessions, late, marker, color=_OURS, label=name.removesuffix("_ms"))
    axes.axhline(200, color=_FLOOR, linewidth=1)
    axes.set(
        yscale="log", xlabel="live sessions", ylabel="ms late", title="deltas after their due time"
    )
    _plain_numbers(axes)
    axes.legend()


def _plain_numbers(axes: Axes) -> None:
    """Have a logarithmic axis say 100, 200, 500 and not powers of ten."""
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_locator(NullLocator())


def _uploads(axes: Axes, result: Mapping[str, Any]) -> None:
    for rate in result["rates"]:
        files = "1 file" if rate["n_at_once"] == 1 else f"{rate['n_at_once']} files"
        place = f"{files}\n{'guessing' if rate['guesses'] else 'plain'}"
        axes.bar(place, rate["audio_s_per_s"], color=_OURS if rate["guesses"] else _PEER)
    axes.set(ylabel="audio s/s", title="uploads")


def _hours(axes: Axes, result: Mapping[str, Any]) -> None:
    minutes = len(result["block_ms"])
    hours = [result["audio_s"] / 3600 * (at + 1) / minutes for at in range(minutes)]
    for name, colour, label in (
        ("block_ms", _OURS, "time of a block"),
        ("memory_bytes", _FLOOR, "memory"),
    ):
        first = result[name][0]
        axes.plot(hours, [100 * value / first for value in result[name]], color=colour, label=label)
    axes.set(ylim=(0, 150), xlabel="hours of audio", ylabel="% of the first minute", title="long")
    axes.legend()


def _peers(way: str, title: str) -> Callable[[Axes, Mapping[str, Any]], None]:
    def panel(axes: Axes, result: Mapping[str, Any]) -> None:
        bars = [(row["name"].replace(" ", "\n"), row[way]) for row in result["rows"] if way in row]
        if way == "16":
            bars = [(f"{name}, 64", rate) for name, rate in _own(result, "64")] + bars
        for name, rate in reversed(bars):
            colour = _OURS if name.startswith("voxwire") else _PEER
            axes.barh(name, rate["audio_s_per_s"], color=colour)
        axes.set(xlabel="audio s/s", title=title)

    return panel


def _own(result: Mapping[str, Any], way: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the rate of whoever took a way that only ours take."""
    return [(row["name"], row[way]) for row in result["rows"] if way in row]


_PANELS: dict[str, list[Callable[[Axes, Mapping[str, Any]], None]]] = {
    "step": [_row_cost],
    "capacity": [_lateness],
    "uploads": [_uploads],
    "long": [_hours],
    "peers": [
        _peers("16", "16 streams at once, in all"),
        _peers("1", "one stream"),
        _peers("file", "one file"),
    ],
}
