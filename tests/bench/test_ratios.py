"""Ours is held against the best peer of the same round."""

from __future__ import annotations

from typing import Any

from tests.bench.peer_runs import times_best


def run(**rates: float) -> dict[str, Any]:
    taken = {way.strip("_"): {"audio_s_per_s": rate} for way, rate in rates.items()}
    return {"groups": taken, "file": taken.get("file")}


def test_each_round_has_its_own_best_peer() -> None:
    runs = {
        "voxwire": [run(_16=60), run(_16=60)],
        "a": [run(_16=6), run(_16=5)],
        "b": [run(_16=4), run(_16=10)],
    }
    assert times_best(runs, "16", "audio_s_per_s") == [(10, "a"), (6, "b")]


def test_64_streams_are_held_against_the_peers_16() -> None:
    runs = {"voxwire": [run(_64=120)], "a": [run(_16=10)]}
    assert times_best(runs, "64", "audio_s_per_s") == [(12, "a")]


def test_a_peer_that_failed_is_no_measure() -> None:
    runs = {"voxwire": [run(file=20)], "a": [run()], "b": [run(file=5)]}
    assert times_best(runs, "file", "audio_s_per_s") == [(4, "b")]
    assert times_best({"voxwire": [run(file=20)], "a": [run()]}, "file", "audio_s_per_s") == []
