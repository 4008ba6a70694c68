"""Slots dealt out to lanes: slot batches that advance at the same time, each on a stream.

A small model leaves most of a step to operations that use one core, so half the rows on each of
two cores take little more than half the time. Only NumPy arrays and integers cross its border.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from . import blas
from .machine import usable_cores
from .mel import Floats
from .probe import Probe
from .rope import Ints
from .stream import SlotBatch
from .voxtral import Voxtral
from .work import Tokens, Work, together

# The first lane is filled so far before the next is begun: as few rows as these are faster
# together. Further slots are dealt out to all lanes alike, in blocks, so that neighbours stay so.
_FIRST_SLOTS = 16
_BLOCK_SLOTS = 8
_MAX_LANES = 2  # the thread that hands out operations cannot keep more streams busy


@dataclass(frozen=True, slots=True)
class _Share:
    """What one lane does of a pass: rows of the pass, and the lane's own slots."""

    lane: int
    rows: Ints
    slots: list[int]


class Lanes:
    """A slot batch made of several; what its methods do is told there. MLX thread only."""

    def __init__(
        self, model: Voxtral, n_slots: int, streams: Sequence[mx.Stream], *, max_guess: int = 1
    ) -> None:
        """Allocate `n_slots` on as many lanes as there are streams, made in this thread."""
        self._streams = streams
        self._lanes = [
            SlotBatch(model, n, max_guess=max_guess) for n in _lane_slots(n_slots, len(streams))
        ]

    @property
    def nbytes(self) -> int:
        """Memory of the caches."""
        return sum(lane.nbytes for lane in self._lanes)

    def widen(self, n_slots: int) -> None:
        """Add empty slots, up to `n_slots` in all."""
        for lane, n in zip(self._lanes, _lane_slots(n_slots, len(self._lanes)), strict=True):
            lane.widen(n)

    def reset(self, slot: int, delay_tokens: int) -> None:
        """Make a slot a new session. Raises DelayError."""
        lanes, slots = _placed([slot], len(self._lanes))
        self._lanes[lanes[0]].reset(int(slots[0]), delay_tokens)

    def settle(self) -> None:
        """Wait until the caches hold what was written. Raises what MLX raises where they cannot."""
        for lane in self._lanes:
            lane.settle()

    def advance(self, slots: Sequence[int], mel: Floats) -> Tokens:
        """Advance some slots by n positions each."""
        shares = list(self._shares(slots))
        return self._run(shares, [self._advancing(share, mel) for share in shares])

    def advance_guessing(self, slots: Sequence[int], mel: Floats) -> Tokens:
        """Advance as `advance` does, with fewer passes where the model has little to write."""
        shares = list(self._shares(slots))
        works = [self._lanes[share.lane].guessing(share.slots, mel[share.rows]) for share in shares]
        return self._run(shares, works)

    def advance_scored(self, slots: Sequence[int], mel: Floats) -> tuple[Tokens, Floats]:
        """Advance as `advance` does; return the tokens' log-probabilities [B, n] float32 too."""
        shares, probes = list(self._shares(slots)), [Probe() for _ in self._lanes]
        works = [self._advancing(share, mel, probes[share.lane]) for share in shares]
        ids = self._run(shares, works)
        scores = np.empty(ids.shape, np.float32)
        for share in shares:
            scores[share.rows] = probes[share.lane].log_probs()
        return ids, scores

    def _advancing(self, share: _Share, mel: Floats, probe: Probe | None = None) -> Work:
        return self._lanes[share.lane].advancing(share.slots, mel[share.rows], probe)

    def _shares(self, slots: Sequence[int]) -> Iterator[_Share]:
        """Deal out the rows of a pass."""
        lanes, own = _placed(slots, len(self._lanes))
        for lane in np.unique(lanes):
            rows = np.flatnonzero(lanes == lane)
            yield _Share(int(lane), rows, own[rows].tolist())

    def _run(self, shares: Sequence[_Share], works: Sequence[Work]) -> Tokens:
        # Lanes side by side share the cores already; a product shared out besides would wait.
        with blas.one_thread() if len(works) > 1 else nullcontext():
            results = together(works, [self._streams[share.lane] for share in shares])
        order = np.argsort(np.concatenate([share.rows for share in shares]))
        ids: Tokens = np.concatenate(results)[order]
        return ids


def lane_streams(model: Voxtral) -> list[mx.Stream]:
    """Return the streams that batches of `model` should have lanes on, one if it gains nothing.

    They belong to this thread.
    """
    device = mx.default_device()
    n_lanes = min(usable_cores(), _MAX_LANES) if model.is_small_on_cpu else 1
    more = [mx.new_stream(device) for _ in range(n_lanes - 1)]
    return [mx.default_stream(device), *more]


def _placed(slots: Sequence[int], n_lanes: int) -> tuple[Ints, Ints]:
    """Return the lanes of some slots, and their slots there."""
    first = np.asarray(slots, np.int64)
    further = first - n_lanes * _FIRST_SLOTS
    blocks, within = np.divmod(further, _BLOCK_SLOTS)
    lanes = np.where(further < 0, first // _FIRST_SLOTS, blocks % n_lanes)
    own = _FIRST_SLOTS + blocks // n_lanes * _BLOCK_SLOTS + within
    return lanes, np.where(further < 0, first % _FIRST_SLOTS, own)


def _lane_slots(n_slots: int, n_lanes: int) -> list[int]:
    """Return how many slots each lane has of `n_slots`."""
    lanes, _ = _placed(range(n_slots), n_lanes)
    return [int(n) for n in np.bincount(lanes, minlength=n_lanes)]
