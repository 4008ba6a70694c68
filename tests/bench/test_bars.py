"""Each bar says what was measured, and is met from its figure on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.bars import Bar, bars

RATIO = {"from": 0.0, "to": 99.0, "best_peer": "voxmlx", "times_by_cpu": 9.0}


def results(**changes: float) -> dict[str, Any]:
    figures = {"64": 12, "16": 6, "file": 2, "1": 1, "sessions": 96, "over": 3.0} | changes
    row = {"n_rows": 64, "step_ms": figures["over"], "mel_ms": 1, "floor_ms": 1}
    return {
        "peers": {
            "ratios": {way: {**RATIO, "times": figures[way]} for way in ("64", "16", "file", "1")}
        },
        "capacity": {"n_sustained": figures["sessions"], "confirmed_for_s": 60},
        "step": {"rows": [{**row, "weights_floor_ms": 1}]},
        "long": {
            "step_change": figures.get("step", 0.05),
            "memory_change": figures.get("memory", 0.02),
            "audio_s": 21600,
        },
    }


def missed(judged: list[Bar]) -> list[str]:
    return [bar.name for bar in judged if bar.is_met is False]


def test_every_bar_is_met_at_its_figure() -> None:
    judged = bars(results())
    assert len(judged) == 8
    assert all(bar.is_met for bar in judged)


@pytest.mark.parametrize(
    ("name", "figure", "words"),
    [
        ("64", 11.9, "64 streams"),
        ("16", 5.9, "16 streams"),
        ("file", 1.9, "upload"),
        ("1", 0.9, "one live stream"),
        ("sessions", 95, "sessions"),
        ("over", 3.1, "floor"),
        ("step", 0.051, "step time"),
        ("step", -0.051, "step time"),
        ("memory", 0.021, "memory"),
    ],
)
def test_a_bar_is_missed_below_it(name: str, figure: float, words: str) -> None:
    (bar,) = missed(bars(results(**{name: figure})))
    assert words in bar


def test_memory_may_shrink() -> None:
    assert not missed(bars(results(memory=-0.5)))


def test_what_was_not_run_is_neither_met_nor_missed() -> None:
    assert all(bar.is_met is None and bar.got is None for bar in bars({}))
