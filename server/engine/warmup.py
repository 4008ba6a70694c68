"""Measure what passes cost before the first session comes. Engine thread only."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import numpy as np

from ...model.mel import Floats
from .backend import Backend
from .costs import StepCosts
from .plan import MAX_BLOCK, POSITION_S

_N_RUNS = 3
_MAX_BYTES = 1 << 30  # of caches: beyond, costs are foretold until sessions show them
_MAX_BLOCK_ROWS = 8
_SCORED_POSITIONS = 4  # few: they are decoded one by one, and a longer block costs in proportion


def calibrate(
    backend: Backend, costs: StepCosts, max_rows: int, clock: Callable[[], float]
) -> None:
    """Time passes of 1, 2, 4 ... rows, as far as they keep pace and memory allows."""
    n_rows = 1
    while True:
        batch = backend.make_batch(n_rows)
        for slot in range(n_rows):
            batch.reset(slot, backend.config.default_delay_tokens)
        seconds = _time(backend, batch.advance, n_rows, 1, clock)
        costs.observe(n_rows, 1, seconds)
        if n_rows <= _MAX_BLOCK_ROWS:
            block_s = _time(backend, batch.advance_guessing, n_rows, MAX_BLOCK, clock)
            costs.observe(n_rows, MAX_BLOCK, block_s)
            scored_s = _time(backend, batch.advance_scored, n_rows, _SCORED_POSITIONS, clock)
            costs.observe(n_rows, _SCORED_POSITIONS, scored_s, is_scored=True)
        if n_rows >= max_rows or seconds > POSITION_S or 2 * batch.nbytes > _MAX_BYTES:
            return
        n_rows = min(2 * n_rows, max_rows)


def _time(
    backend: Backend,
    advance: Callable[[Sequence[int], Floats], object],
    n_rows: int,
    n_positions: int,
    clock: Callable[[], float],
) -> float:
    """Return the median seconds of a pass over silence, the first left out."""
    config = backend.config
    shape = (n_rows, n_positions * config.frames_per_token, config.audio.n_mels)
    mel = np.full(shape, -0.625, np.float32)
    seconds = []
    for _ in range(1 + _N_RUNS):
        started_s = clock()
        advance(range(n_rows), mel)
        seconds.append(clock() - started_s)
    return statistics.median(seconds[1:])
