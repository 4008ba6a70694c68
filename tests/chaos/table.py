"""What is printed at the end of the long form: a table, the figures, a line of JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.bench.provenance import provenance
from tests.chaos.runner import Chaos


def tell(done: Mapping[str, Chaos], seed: int) -> int:
    """Print all; return 1 where anything was not withstood. done: by the model's name."""
    tried: Counter[str] = sum((each.report.tried for each in done.values()), Counter())
    survived: Counter[str] = sum((each.report.survived for each in done.values()), Counter())
    skipped = {kind: why for each in done.values() for kind, why in each.report.skipped.items()}
    width = max(map(len, [*tried, *skipped]))
    print(f"{'event':{width}}  tried  survived")
    for kind in sorted(tried):
        print(f"{kind:{width}} {tried[kind]:6} {survived[kind]:9}")
    for kind, why in skipped.items():
        print(f"{kind:{width}} not tried: {why}")
    counts = {"events_tried": tried.total(), "faults_survived": survived.total()}
    figures = counts | _figures(done)
    for name, value in figures.items():
        print(f"{name:{width}} {value:>16}")
    faults = [fault for each in done.values() for fault in each.report.faults]
    for fault in faults[:50]:
        print(f"FAULT {fault}")
    memory = {name: _rounded(each.report.memory_mb) for name, each in done.items()}
    where = {"suite": "chaos", **provenance(), "seed": seed}
    print(json.dumps({**where, **figures, "memory_mb": memory, "faults": len(faults)}))
    return 1 if faults else 0


def _figures(done: Mapping[str, Chaos]) -> dict[str, Any]:
    runs = done.values()
    return {
        "healthy_sessions_exact": sum(each.n_exact for each in runs),
        "healthy_audio_s": round(sum(each.audio_s for each in runs), 1),
        "audio_lost_s": round(sum(each.lost_s for each in runs), 1),
        "leaked": sum(each.report.n_leaked for each in runs),
        "memory_growth": round(max(each.report.memory_growth for each in runs), 4),
    }


def _rounded(figures: list[float]) -> list[float]:
    return [round(figure, 1) for figure in figures]
