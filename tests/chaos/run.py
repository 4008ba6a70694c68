"""The long form: thousands of hostile events against `voxwire serve`, and one table of what became.

usage: python -m tests.chaos.run [--rounds N] [--sessions N] [--seed N] [--model NAME]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from tests.chaos.healthy import Speech, speech
from tests.chaos.runner import MEMORY_GROWTH, Chaos
from tests.chaos.target import target_process
from tests.random_checkpoint import PARAMS, write_mistral
from tests.server.voices import FOLDER, read
from voxwire.model.machine import describe
from voxwire.server.live import open_model

WATCHED = [sys.executable, "-m", "tests.chaos.watched"]
RANDOM = "random"  # a tiny model that writes much, and means nothing


def main() -> int:
    """Run, print, and return 1 where anything was not withstood."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="of all attacks, on each model")
    parser.add_argument("--sessions", type=int, default=10_000, help="one after another, in all")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--model", action="append", help=f"{RANDOM}, embedded, or a folder")
    asked = parser.parse_args()
    models = asked.model or [RANDOM, "embedded"]
    print(f"seed {asked.seed}", flush=True)
    done: list[Chaos] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in models:
            model = (
                str(write_mistral(Path(folder), PARAMS["tiny"], seed=3)) if name == RANDOM else name
            )
            said = _speeches(name, model)
            n_sessions = asked.sessions // len(models)
            run = _run(model, said, random.Random(asked.seed), asked.rounds, n_sessions)
            done.append(asyncio.run(run))
    return _tell(done, asked.seed)


def _speeches(name: str, model: str) -> list[Speech]:
    """Return what healthy clients say: voices, or noise to a model that knows no words."""
    opened = open_model(model)
    if name == RANDOM:
        rng = np.random.default_rng(0)
        noises = [rng.integers(-16000, 16000, n) for n in (16_000, 5_001, 33_333, 100_000)]
        return [speech(opened, noise.astype("<i2").tobytes()) for noise in noises]
    voices = [read(file) for file in sorted(FOLDER.glob("commands-*.opus"))]
    return [speech(opened, (voice * 32767).astype("<i2").tobytes()) for voice in voices]


async def _run(
    model: str, said: list[Speech], rng: random.Random, n_rounds: int, n_sessions: int
) -> Chaos:
    async with target_process(model, WATCHED) as target:
        chaos = Chaos(target, said, rng)
        await chaos.speak()
        before = await target.ask("figures")
        # What grows only once, such as buffers and pools, has grown after this.
        await chaos.attack(max(1, n_rounds // 2))
        await chaos.follow(n_sessions // 2)
        await chaos.suffer()
        await chaos.settle(before)
        bytes_before = (await target.ask("memory"))["resident_bytes"]
        await chaos.attack(n_rounds - n_rounds // 2)
        await chaos.follow(n_sessions - n_sessions // 2)
        await chaos.settle(before)
        bytes_after = (await target.ask("memory"))["resident_bytes"]
        growth = bytes_after / bytes_before
        chaos.report.figures["memory_growth"] = growth
        if growth > MEMORY_GROWTH:
            chaos.report.faults.append(f"memory grew from {bytes_before:.0f} by {growth:.3f}")
    return chaos


def _tell(done: Sequence[Chaos], seed: int) -> int:
    tried: Counter[str] = sum((each.report.tried for each in done), Counter())
    survived: Counter[str] = sum((each.report.survived for each in done), Counter())
    skipped = {kind: why for each in done for kind, why in each.report.skipped.items()}
    faults = [fault for each in done for fault in each.report.faults]
    width = max(map(len, [*tried, *skipped]))
    print(f"{'event':{width}}  tried  survived")
    for kind in sorted(tried):
        print(f"{kind:{width}} {tried[kind]:6} {survived[kind]:9}")
    for kind, why in skipped.items():
        print(f"{kind:{width}} not tried: {why}")
    leaked = sum(
        n for each in done for name, n in each.report.figures.items() if name.endswith("_leaked")
    )
    figures = {
        "events_tried": tried.total(),
        "faults_survived": survived.total(),
        "healthy_sessions_exact": sum(each.n_exact for each in done),
        "healthy_audio_s": round(sum(each.audio_s for each in done), 1),
        "audio_lost_s": round(sum(each.lost_s for each in done), 1),
        "leaked": leaked,
        "memory_growth": round(max(each.report.figures["memory_growth"] for each in done), 4),
    }
    for name, value in figures.items():
        print(f"{name:{width}} {value:>16}")
    for fault in faults[:50]:
        print(f"FAULT {fault}")
    print(
        json.dumps({"suite": "chaos", **_where(), "seed": seed, **figures, "faults": len(faults)})
    )
    return 1 if faults else 0


def _where() -> dict[str, str]:
    here = describe()
    machine = f"{here.device}, {here.n_cores} cores, {here.memory_bytes >> 30} GiB"
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"machine": machine, "commit": commit.stdout.strip() or "unknown", "date": now}


if __name__ == "__main__":
    sys.exit(main())
