"""What the benchmarks have to show: each bar with what was measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar and the figure held against it; None where it was not measured."""

    name: str
    wanted: str
    got: float | None
    is_met: bool | None
    detail: str = ""


def bars(results: Results) -> list[Bar]:
    """Judge whatever of the benchmarks was run."""
    return [
        _at_least("64 streams, times the best peer's throughput", 12, *_ratio(results, "64")),
        _at_least("16 streams, times the best peer's throughput", 6, *_ratio(results, "16")),
        _at_least("one upload, times the fastest peer's", 2, *_ratio(results, "file")),
        _at_least("one live stream, times the fastest peer's", 1, *_ratio(results, "1")),
        _at_least("live sessions sustained", 96, *_sustained(results)),
        _at_most("cost of a row at 64 rows, times the floor", 3, *_over_floor(results)),
        _at_most("change of step time over the hours, %", 5, *_change(results, "step")),
        _at_most("growth of memory over the hours, %", 2, *_change(results, "memory")),
    ]


def _at_least(name: str, wanted: float, got: float | None, detail: str = "") -> Bar:
    return Bar(name, f">= {wanted}", got, None if got is None else got >= wanted, detail)


def _at_most(name: str, wanted: float, got: float | None, detail: str = "") -> Bar:
    return Bar(name, f"<= {wanted}", got, None if got is None else got <= wanted, detail)


def _ratio(results: Results, way: str) -> tuple[float | None, str]:
    found = results.get("peers", {}).get("ratios", {}).get(way)
    if found is None:
        return None, ""
    detail = f"{found['from']}..{found['to']} over {found['best_peer']}"
    return found["times"], f"{detail}; {found['times_by_cpu']} by processor time"


def _sustained(results: Results) -> tuple[float | None, str]:
    found = results.get("capacity")
    if found is None:
        return None, ""
    return found["n_sustained"], f"for {found['confirmed_for_s']:.0f} s"


def _over_floor(results: Results) -> tuple[float | None, str]:
    rows = [row for row in results.get("step", {}).get("rows", []) if row["n_rows"] == 64]
    if not rows:
        return None, ""
    row = rows[0]
    with_mel = (row["step_ms"] + row["mel_ms"]) / row["floor_ms"]
    over_weights = row["step_ms"] / row["weights_floor_ms"]
    detail = f"{with_mel:.2f} with the mel; {over_weights:.2f} over the weights' products alone"
    return round(row["step_ms"] / row["floor_ms"], 2), detail


def _change(results: Results, what: str) -> tuple[float | None, str]:
    found = results.get("long")
    if found is None:
        return None, ""
    change = 100 * found[f"{what}_change"]
    got = abs(change) if what == "step" else change
    return round(got, 2), f"{change:+.2f} % in {found['audio_s'] / 3600:.1f} h of audio"
