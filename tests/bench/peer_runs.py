"""The same recordings through other implementations and through ours, side by side."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jiwer

from tests.bench.child import ROOT
from tests.bench.peers.checkpoints import convert
from tests.bench.peers.compare import Ids, Reference, difference, reason
from tests.bench.peers.envs import PEERS, Peer, ensure
from tests.bench.peers.reference import refer
from tests.bench.peers.rounds import Driver, drive, own_driver, rates
from tests.bench.progress import shown
from tests.bench.recording import RATE_HZ, Recording, record, write_wav
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.model.tekken import Tekken
from voxwire.model.text import TextAssembler

CACHE = ROOT / ".cache/bench"
WAYS = ("1", "16", "64", "file")
RATES = ("audio_s_per_s", "audio_s_per_cpu_s")
_FILE_S = 60.0
OURS = "voxwire"


def measure(short: bool) -> dict[str, Any]:
    """Prepare the peers, run everybody in turn, compare the tokens. MLX thread only."""
    stream_s, group_s, n_rounds = (10.0, 4.0, 1) if short else (30.0, 12.0, 3)
    CACHE.mkdir(parents=True, exist_ok=True)
    recording = record(_FILE_S, seed=1)
    wav = CACHE / "speech.wav"
    write_wav(wav, recording.samples)
    groups = {1: stream_s, 16: group_s}
    drivers, errors = _drivers(groups)
    drivers.insert(0, own_driver(EMBEDDED, {**groups, 64: group_s}))
    runs: dict[str, list[dict[str, Any]]] = {driver.name: [] for driver in drivers}
    for _ in range(n_rounds):
        for driver in shown(drivers, "peers"):
            runs[driver.name].append(drive(driver, wav, CACHE))
    rows = [_row(name, runs[name]) for name in runs]
    rows += [{"name": name, "errors": {"install": error}} for name, error in errors.items()]
    _compare(rows, runs, recording, stream_s)
    return {
        "n_rounds": n_rounds,
        "stream_s": stream_s,
        "group_s": group_s,
        "file_s": _FILE_S,
        "rows": rows,
        "ratios": _ratios(runs),
    }


def _drivers(groups: Mapping[int, float]) -> tuple[list[Driver], dict[str, str]]:
    """Make environments and checkpoints; return the peers that can run, and why others cannot."""
    drivers, errors = [], {}
    checkpoints: dict[str, Path] = {}
    for peer in shown(PEERS, "environments of the peers"):
        try:
            python = ensure(peer, CACHE / "peers" / peer.name.replace(" ", "-"))
        except subprocess.CalledProcessError as error:
            errors[peer.name] = (error.stderr or str(error)).strip().splitlines()[-1]
            continue
        if peer.layout not in checkpoints:
            folder = CACHE / "checkpoints" / peer.layout
            checkpoints[peer.layout] = convert(peer.layout, folder)
        drivers.append(
            Driver(peer.name, peer.module, python, checkpoints[peer.layout], groups, peer.is_mlx)
        )
    return drivers, errors


def _row(name: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "errors": {}}
    for run in runs:
        row["errors"] |= run["errors"]
    for way in WAYS:
        found = {rate: _known(rates(runs, way, rate)) for rate in RATES}
        if all(found.values()):
            by_wall = found["audio_s_per_s"]
            row[way] = {rate: round(statistics.median(each), 2) for rate, each in found.items()}
            row[way] |= {"from": round(min(by_wall), 2), "to": round(max(by_wall), 2)}
            row[way]["rounds"] = [round(rate, 2) for rate in by_wall]
    row["cores_busy_elsewhere"] = [run.get("cores_busy_elsewhere") for run in runs]
    row["peak_bytes"] = max((run.get("peak_bytes", 0) for run in runs), default=0)
    return row


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _ratios(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Return how many times the best peer's rate ours is, for each way that was taken."""
    ratios = {}
    for way in WAYS:
        by_wall, by_cpu = (times_best(runs, way, rate) for rate in RATES)
        if by_wall:
            each = [times for times, _ in by_wall]
            ratios[way] = {
                "times": round(statistics.median(each), 2),
                "from": round(min(each), 2),
                "to": round(max(each), 2),
                "best_peer": statistics.mode(peer for _, peer in by_wall),
                "times_by_cpu": round(statistics.median(times for times, _ in by_cpu), 2),
            }
    return ratios


def times_best(
    runs: Mapping[str, Sequence[Mapping[str, Any]]], way: str, rate: str
) -> list[tuple[float, str]]:
    """Return, for each round, how many times the best peer's rate ours is, and which that was.

    Ours on 64 streams is held against the peers' on 16: none gains from more.
    """
    theirs = {
        name: rates(found, "16" if way == "64" else way, rate)
        for name, found in runs.items()
        if name != OURS
    }
    times = []
    for at, ours in enumerate(rates(runs[OURS], way, rate)):
        able = [(value, name) for name, found in theirs.items() if (value := found[at]) is not None]
        if ours is not None and able:
            best, name = max(able)
            times.append((ours / best, name))
    return times


def _compare(
    rows: Sequence[dict[str, Any]],
    runs: Mapping[str, Sequence[Mapping[str, Any]]],
    recording: Recording,
    stream_s: float,
) -> None:
    """Add to each row how its tokens compare with ours, and its word errors."""
    peers: dict[str, Peer] = {peer.name: peer for peer in PEERS}
    stream = recording.samples[: int(stream_s * RATE_HZ) // 1280 * 1280]
    ways = {"file": recording.samples, "1": stream}
    references = {
        (way, windows): refer(samples, windows)
        for way, samples in ways.items()
        for windows in {None, *(peer.windows for peer in PEERS)}
    }
    tekken = Tekken.load(EMBEDDED / "tekken.json")
    for row in rows:
        for way in ways:
            tokens = _tokens(runs.get(row["name"], []), way)
            if tokens is None:
                continue
            ours, peer = references[way, None], peers.get(row["name"])
            row[way]["tokens"] = str(difference(ours.tokens, tokens))
            row[way]["why"] = _why(peer, way, tokens, ours, references)
            if way == "file":
                heard = _text(tekken, tokens)
                row["word_errors"] = round(jiwer.wer(" ".join(recording.words), heard), 4)


def _why(
    peer: Peer | None,
    way: str,
    tokens: Ids,
    ours: Reference,
    references: Mapping[tuple[str, tuple[int, int] | None], Reference],
) -> str:
    if peer is None:
        return reason(tokens, ours, None, "")
    windowed = references[way, peer.windows] if peer.windows else None
    return reason(tokens, ours, windowed, peer.known)


def _tokens(runs: Sequence[Mapping[str, Any]], way: str) -> list[int] | None:
    for run in runs:
        found = run.get("file") if way == "file" else run["groups"].get(way)
        if found:
            tokens: list[int] = found["tokens"]
            return tokens
    return None


def _text(tekken: Tekken, tokens: Sequence[int]) -> str:
    assembler = TextAssembler(tekken)
    return "".join(assembler.push(token).text for token in tokens) + assembler.finish().text
