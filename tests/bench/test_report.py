"""A run ends in one line that any JSON reader takes."""

from __future__ import annotations

import json
import math

from tests.bench.bars import bars
from tests.bench.provenance import provenance
from tests.bench.report import json_line, plain


def test_the_line_tells_where_it_comes_from_and_holds_everything() -> None:
    results = {"capacity": {"n_sustained": 100, "confirmed_for_s": 60.0, "trials": [math.inf]}}
    line = json_line(provenance(), results, {"step": "failed"}, bars(results))
    assert "\n" not in line
    document = json.loads(line, parse_constant=lambda name: 1 / 0)
    for key in ("date", "machine", "commit", "checkpoint", "versions", "blas"):
        assert document[key]
    assert set(document["machine"]) == {"cpu", "n_cores", "memory_gb", "system"}
    assert document["results"]["capacity"] == {**results["capacity"], "trials": [None]}
    assert document["errors"] == {"step": "failed"}
    (sessions,) = (bar for bar in document["bars"] if "sessions" in bar["name"])
    assert (sessions["got"], sessions["is_met"]) == (100, True)


def test_numbers_keep_five_digits() -> None:
    assert plain({1: (1 / 3, 123456789)}) == {"1": [0.33333, 123456789]}
