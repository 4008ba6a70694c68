"""The short form of the chaos suite; `make chaos` runs the long one in a process of its own."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import numpy as np

from tests.chaos.healthy import Speech, speech
from tests.chaos.runner import Chaos
from tests.chaos.target import Target, target_here
from tests.random_checkpoint import PARAMS, write_mistral
from voxwire.server.live import open_model

N_SESSIONS = 200
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.SystemRandom().randrange(1 << 32)


def speeches(model: str, rng: np.random.Generator) -> list[Speech]:
    """Return noises that a random model writes much of."""
    opened = open_model(model)
    lengths = (16_000, 5_001, 33_333)
    return [speech(opened, rng.integers(-16000, 16000, n).astype("<i2").tobytes()) for n in lengths]


async def run(target: Target, said: list[Speech]) -> Chaos:
    """Attack, and see that nothing is left."""
    chaos = Chaos(target, said, random.Random(SEED))
    await chaos.speak()
    before = await target.ask("figures")
    await chaos.attack(chaos.drawn(1, is_short=True), N_SESSIONS)
    await chaos.suffer()
    await chaos.settle(before)
    return chaos


def test_a_server_withstands_chaos_and_its_healthy_sessions_do_not_notice(
    tmp_path: Path,
) -> None:
    model = write_mistral(tmp_path, PARAMS["tiny"], seed=3)
    said = speeches(str(model), np.random.default_rng(SEED))
    with target_here(str(model)) as target:
        chaos = asyncio.run(run(target, said))
    assert not chaos.report.faults, (f"CHAOS_SEED={SEED}", chaos.report.faults)
    assert chaos.lost_s == 0
    assert chaos.report.tried.total() == chaos.report.survived.total() > N_SESSIONS
