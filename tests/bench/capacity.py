"""How many paced live sessions one process sustains with every delta in time."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from tests.bench.child import in_child
from tests.bench.due import LIMIT_S
from tests.bench.search import confirmed, largest

_LIMIT = 512  # sessions that the engine is configured for


def measure(short: bool) -> dict[str, Any]:
    """Find the number by doubling and halving in short trials, and confirm it in long ones."""
    search_s, confirm_s = (4.0, 8.0) if short else (6.0, 60.0)
    first, resolution = (16, 32) if short else (64, 16)
    trials: list[dict[str, Any]] = []

    def holds(n_sessions: int, seconds: float) -> bool:
        trial = in_child("capacity_trial", n_sessions=n_sessions, seconds=seconds)
        held = is_sustained(trial)
        trials.append({**trial, "held": held})
        return held

    found = largest(lambda n: holds(n, search_s), first, resolution, _LIMIT)
    n_sustained = confirmed(lambda n: holds(n, confirm_s), found, resolution)
    return {"n_sustained": n_sustained, "confirmed_for_s": confirm_s, "trials": trials}


def is_sustained(trial: dict[str, Any]) -> bool:
    """Say whether nobody was refused or failed, and 99 of 100 deltas came in time."""
    if "refused" in trial or trial["errors"]:
        return False
    return bool(trial["late"]["all"]["p99_ms"] <= 1000 * LIMIT_S)


def tables(result: dict[str, Any]) -> list[Table]:
    """Show every trial."""
    table = Table(title="capacity: paced live sessions; how late deltas were after they were due")
    for heading in (
        "sessions",
        "for s",
        "median ms",
        "p99 ms",
        "max ms",
        "p99: 20 ms messages",
        "p99: 100 ms",
        "missing",
        "cores used",
        "CPU s each",
        "event loop",
        "MB each",
        "others' cores",
        "held",
    ):
        table.add_column(heading, justify="right")
    for trial in result["trials"]:
        table.add_row(f"{trial['n_sessions']}", *_cells(trial), "yes" if trial["held"] else "no")
    return [table]


def _cells(trial: dict[str, Any]) -> list[str]:
    if "refused" in trial:
        return ["-", f"refused: {trial['refused']}", *["-"] * 10]
    late = trial["late"]
    return [
        f"{trial['seconds']:.0f}",
        *(f"{late['all'][name]:.0f}" for name in ("median_ms", "p99_ms", "max_ms")),
        *(f"{late[group]['p99_ms']:.0f}" for group in late if group != "all"),
        f"{late['all']['n_missing']}",
        f"{trial['cores_used']:.2f}",
        f"{trial['cpu_s_per_session']:.3f}",
        f"{trial['event_loop_share']:.0%}",
        f"{trial['memory_per_session_bytes'] / 1e6:.2f}",
        f"{trial['cores_busy_elsewhere']}",
    ]
