"""A session may last for ever: same tokens, same memory, same work."""

from __future__ import annotations

from collections import Counter

import mlx.core as mx
import numpy as np
import pytest

from tests.bench.operations import counted
from tests.model.models import make_model, make_recording, mel_of, run_alone
from voxwire.model.stream import Probe, SlotBatch

ANCHOR_POSITIONS = 256
DAY_POSITIONS = 24 * 3600 * 25 // 2


@pytest.mark.parametrize("anchor_positions", [48, 100])
def test_anchoring_changes_no_token(anchor_positions: int) -> None:
    samples = make_recording(21, 16_000 * 5)  # 350 encoder frames: many anchors
    expected = run_alone(make_model(), samples, 6)
    mine = run_alone(make_model(), samples, 6, anchor_positions=anchor_positions)
    expected.assert_same(mine.tokens)
    expected.assert_close(mine.logits)


def test_anchoring_does_not_depend_on_how_the_audio_is_cut() -> None:
    mel = mel_of(make_model(), make_recording(22, 16_000 * 3), 6)
    n = len(mel) // 8
    logits = []
    for sizes in ([1] * n, [7] * (n // 7) + [1] * (n % 7)):
        batch, rows, at = SlotBatch(make_model(), 1, anchor_positions=50), [], 0
        batch.reset(0, 6)
        for size in sizes:
            probe = Probe()
            batch.advance([0], mel[None, 8 * at : 8 * (at + size)], probe)
            rows.append(probe.logits[0])
            at += size
        logits.append(np.concatenate(rows))
    peak = np.abs(logits[0]).max(axis=1)
    assert (np.abs(logits[0] - logits[1]).max(axis=1) / peak).max() < 1e-4


def age(batch: SlotBatch, days: int) -> None:
    """Make slot 0 older by whole days of positions, as if the same audio had come that much later.

    Whole turns of the ring and whole anchors leave the contents of the rings as they are.
    """
    for cache, rate in ((batch.encoder_cache, 4), (batch.decoder_cache, 1)):
        period = np.lcm(cache.places, cache._anchor_positions)
        positions = days * DAY_POSITIONS * rate // period * period
        assert positions
        cache.counts[0] += positions
        cache._anchors[0] += positions


def test_a_session_of_years_steps_like_a_young_one() -> None:
    mel = mel_of(make_model(), make_recording(23, 16_000 * 4), 6)[None]
    logits = []
    for days in (0, 4000):  # more positions than an int32 counts
        batch, probe = SlotBatch(make_model(), 1), Probe()
        batch.reset(0, 6)
        batch.advance([0], mel[:, :320])
        if days:
            age(batch, days)
        batch.advance([0], mel[:, 320:], probe)
        logits.append(probe.logits)
    assert np.array_equal(logits[0], logits[1])


def cost_of_a_step(batch: SlotBatch) -> tuple[int, int]:
    """Return the bytes that are held between steps and the most that one needs besides.

    Over a turn of the ring, because writing across its end takes more than writing in one run.
    """
    mel, needed = np.zeros((1, 8, 128), np.float32), []
    batch.step([0], mel)
    mx.synchronize()
    held = mx.get_active_memory()
    for _ in range(batch.encoder_cache.places):
        mx.reset_peak_memory()
        batch.step([0], mel)
        needed.append(mx.get_peak_memory() - held)
    return batch.nbytes, max(needed)


def work_of_some_steps(batch: SlotBatch) -> Counter[str]:
    """Return the operations of as many steps as take the encoder's anchors once around."""
    mel = np.zeros((1, 8, 128), np.float32)
    with counted() as operations:
        for _ in range(ANCHOR_POSITIONS // 4):
            batch.step([0], mel)
    return operations


def test_an_hour_costs_what_a_minute_does() -> None:
    batch = SlotBatch(make_model(), 1, anchor_positions=ANCHOR_POSITIONS)
    batch.reset(0, 6)
    rng = np.random.default_rng(0)

    def listen(seconds: float) -> None:
        for _ in range(int(seconds * 12.5) // 25):
            batch.advance([0], rng.standard_normal((1, 200, 128)).astype(np.float32) * 0.3)

    listen(16)
    held, needed = cost_of_a_step(batch)
    work = work_of_some_steps(batch)
    listen(6)
    age(batch, 1)
    listen(6)
    later_held, later_needed = cost_of_a_step(batch)
    assert later_held == held
    assert later_needed <= needed * 1.5  # buffers may be freed in another order
    later_work = work_of_some_steps(batch)
    assert later_work["Matmul"] == work["Matmul"] > 0
    assert later_work.total() == pytest.approx(work.total(), rel=0.01)  # an anchor more or less
    assert len(batch.encoder_cache._rope._cos) == len(batch.decoder_cache._rope._cos) == 1024
