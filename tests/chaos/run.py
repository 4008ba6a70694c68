"""The long form: thousands of hostile events against `voxwire serve`, and one table of what became.

usage: python -m tests.chaos.run [--rounds N] [--sessions N] [--seed N] [--model NAME]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.chaos.healthy import Speech, speech
from tests.chaos.runner import Chaos
from tests.chaos.table import tell
from tests.chaos.target import target_process
from tests.random_checkpoint import PARAMS, write_mistral
from tests.server.voices import FOLDER, read
from voxwire.server.live import open_model

WATCHED = [sys.executable, "-m", "tests.chaos.watched"]
RANDOM = "random"  # a tiny model that writes much, and means nothing
LEGS = 12  # on each model: after each nothing may be left, and a line says so
RUSH_ROUNDS, RUSH_AT_ONCE = 3, 40  # more at once than later ever happen to be


def main() -> int:
    """Run, print, and return 1 where anything was not withstood."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="of all attacks, on each model")
    parser.add_argument("--sessions", type=int, default=10_000, help="one after another, in all")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--model", action="append", help=f"{RANDOM}, embedded, or a folder")
    asked = parser.parse_args()
    names = asked.model or [RANDOM, "embedded"]
    print(f"seed {asked.seed}", flush=True)
    done: dict[str, Chaos] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            model = (
                str(write_mistral(Path(folder), PARAMS["tiny"], seed=3)) if name == RANDOM else name
            )
            run = Run(name, asked.rounds, asked.sessions // len(names), random.Random(asked.seed))
            done[name] = asyncio.run(run.against(model))
    return tell(done, asked.seed)


def _speeches(name: str, model: str) -> list[Speech]:
    """Return what healthy clients say: voices, or noise to a model that knows no words."""
    opened = open_model(model)
    if name == RANDOM:
        rng = np.random.default_rng(0)
        noises = [rng.integers(-16000, 16000, n) for n in (16_000, 5_001, 33_333, 100_000)]
        return [speech(opened, noise.astype("<i2").tobytes()) for noise in noises]
    voices = [read(file) for file in sorted(FOLDER.glob("commands-*.opus"))]
    return [speech(opened, (voice * 32767).astype("<i2").tobytes()) for voice in voices]


@dataclass
class Run:
    """All that is done to one model's server, in legs."""

    name: str
    n_rounds: int
    n_sessions: int
    rng: random.Random
    began_s: float = field(default_factory=time.monotonic)

    async def against(self, model: str) -> Chaos:
        """Start a server, attack it, and judge."""
        said = _speeches(self.name, model)
        async with target_process(model, WATCHED) as target:
            chaos = Chaos(target, said, self.rng)
            todo = chaos.drawn(self.n_rounds)
            await chaos.speak()
            before = await target.ask("figures")
            for leg in range(LEGS):
                if leg == 0:
                    await chaos.suffer()  # the engine begins anew after it, with small caches
                    await chaos.attack(chaos.drawn(RUSH_ROUNDS), at_once=RUSH_AT_ONCE)
                await chaos.attack(todo[leg::LEGS], -(-self.n_sessions // LEGS))
                await chaos.settle(before)
                self._tell_leg(chaos, f"{leg + 1}/{LEGS}")
            # Caches and pools, as large as the most that was at once, have grown after half.
            chaos.judge_memory(since=LEGS // 2 - 1)
        return chaos

    def _tell_leg(self, chaos: Chaos, leg: str) -> None:
        report, minutes = chaos.report, (time.monotonic() - self.began_s) / 60
        print(
            f"{self.name} {leg}, {minutes:.1f} min: {report.tried.total()} events, "
            f"{chaos.n_exact} healthy sessions exact, {chaos.lost_s:g} s lost, "
            f"{len(report.faults)} faults, {report.memory_mb[-1]:.1f} MB",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
