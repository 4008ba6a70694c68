"""Rings of keys and values: the last positions of every slot, for all layers of one stack.

A slot is a row of the batch. Each has its own count of positions, and writes position p to place
p mod R of its ring, so rows may join, stall and leave at will. What a query may see follows from
those counts alone: places that were never written, or hold a position outside the window, are
masked. Counts are Python-sized integers and never wrap; rotary angles are taken from an anchor
that follows each row, so they stay small for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import mlx.core as mx
import numpy as np
import numpy.typing as npt

from .rope import Ints, Rope, Turn

_GROWTH_POSITIONS = 256  # a ring is as long as its longest row needs, in such blocks


@dataclass(frozen=True, slots=True)
class RingShape:
    """Sizes of the rings of one stack of layers.

    window: positions a query sees, itself included. block: how many new positions are attended
    in place; a longer block is attended beside the ring and written afterwards.
    """

    n_layers: int
    n_kv_heads: int
    head_dim: int
    rope_theta: float
    window: int
    block: int

    @property
    def places(self) -> int:
        """Ring length at which `block` new positions leave the oldest query its whole window."""
        return self.window + self.block - 1

    @property
    def n_slot_elements(self) -> int:
        """Numbers kept for one slot whose rings are at full length, keys and values."""
        return 2 * self.n_layers * self.n_kv_heads * self.places * self.head_dim

    @property
    def anchor_positions(self) -> int:
        """Default distance between anchors: a key is turned again at most once in its life."""
        return max(2048, 1 << (2 * self.window - 1).bit_length())


@dataclass(frozen=True, slots=True)
class RingStep:
    """One pass of L new positions over some slots: what all layers share.

    rows: selects the slots on the first axis, by view where they are neighbours. target: where in
    a flat ring their new keys and values go, [B L 2 n_kv_heads, 1]; of a pass longer than the ring,
    its end's. mask: [B, 1, L, keys] bool. pending: new keys and values by layer, of a pass too
    long to be written in place.
    """

    slots: Ints
    n_new: int
    rows: slice | mx.array
    target: mx.array
    turn: Turn
    mask: mx.array
    in_place: bool
    pending: list[mx.array] = field(default_factory=list)


class RingCache:
    """The rings of all slots and layers.

    Per layer one array [S, 2 H, R, head_dim], the heads of keys before those of values, kept flat
    as [S 2 H R, head_dim]: one write and one read of it are fewer operations than of two.
    Every row is always finite: `load` overwrites a whole row, because a masked NaN would still
    spoil the weighted sum. MLX thread only.
    """

    def __init__(
        self, shape: RingShape, n_slots: int, dtype: mx.Dtype, anchor_positions: int | None = None
    ) -> None:
        self.shape = shape
        self.counts: Ints = np.zeros(n_slots, np.int64)  # positions each slot has seen
        self._anchors: Ints = np.zeros(n_slots, np.int64)
        self._anchor_positions = anchor_positions or shape.anchor_positions
        self._rope = Rope(shape.head_dim, shape.rope_theta)
        self.places = min(shape.places, _GROWTH_POSITIONS)  # present ring length R
        size = (n_slots * 2 * shape.n_kv_heads * self.places, shape.head_dim)
        self.rings = [mx.zeros(size, dtype) for _ in range(shape.n_layers)]

    @property
    def nbytes(self) -> int:
        """Memory of all rings."""
        return sum(ring.nbytes for ring in self.rings)

    def begin(self, slots: Ints, n_new: int) -> RingStep:
        """Prepare a pass of `n_new` positions over distinct slots."""
        self._grow(int(self.counts[slots].max()) + n_new)
        self._anchor(slots)
        counts = self.counts[slots, None]  # [B, 1]
        positions = counts + np.arange(n_new)
        in_place = n_new <= self.shape.block
        ages = self._ages(counts, n_new, in_place)
        return RingStep(
            slots=slots,
            n_new=n_new,
            rows=_selector(slots),
            target=self._target(slots, positions[:, -self.places :] % self.places),
            turn=self._rope.at(positions - self._anchors[slots, None]),
            mask=mx.array(_visible(ages, counts + n_new, n_new, self.shape.window)),
            in_place=in_place,
        )

    def extend(
        self, layer: int, step: RingStep, keys: mx.array, values: mx.array
    ) -> tuple[mx.array, mx.array]:
        """Add a layer's new keys and values [B, L, H, head_dim]; return all that may be seen.

        Both results are [B, H, keys, head_dim], in the order of the mask's last axis.
        """
        new = mx.concatenate([keys, values], axis=2)
        if step.in_place:
            self._write(layer, step, new)
            seen = self._ring(layer)[step.rows]
        else:
            step.pending.append(new)
            seen = mx.concatenate([self._ring(layer)[step.rows], new.transpose(0, 2, 1, 3)], axis=2)
        seen_keys, seen_values = mx.split(seen, 2, axis=1)
        return seen_keys, seen_values

    def commit(self, step: RingStep, output: mx.array, n_kept: int | Ints | None = None) -> None:
        """Advance the slots of a pass by its first `n_kept` positions, by default all.

        output: what the pass computed. n_kept: of all rows, or of each [B]. Positions of an
        in-place pass that are not kept leave nothing that is ever seen. A longer pass is written
        here and must be kept whole.
        """
        if step.pending:
            # Rings are written in place only when nothing unevaluated still reads them.
            mx.eval(output, step.pending)
            for layer, new in enumerate(step.pending):
                self._write(layer, step, new)
            mx.eval(self.rings)
        self.counts[step.slots] += step.n_new if n_kept is None else n_kept

    def row(self, slot: int) -> RingRow:
        """Return a copy of one slot's state."""
        at = mx.array([slot])
        rings = [self._ring(layer)[at] for layer in range(self.shape.n_layers)]
        mx.eval(rings)
        return RingRow(int(self.counts[slot]), int(self._anchors[slot]), rings)

    def widen(self, n_slots: int) -> None:
        """Add empty slots, up to `n_slots` in all, leaving those that exist as they are."""
        n_new = n_slots - len(self.counts)
        n_places = n_slots * 2 * self.shape.n_kv_heads * self.places
        for layer, ring in enumerate(self.rings):
            if len(ring) >= n_places:  # by a call before, which had no memory for them all
                continue
            more = mx.zeros((n_places - len(ring), self.shape.head_dim), ring.dtype)
            wider = mx.concatenate([ring, more])
            mx.eval(wider)  # one by one, so that one ring at most is there twice
            self.rings[layer] = wider
        self.counts = np.concatenate([self.counts, np.zeros(n_new, np.int64)])
        self._anchors = np.concatenate([self._anchors, np.zeros(n_new, np.int64)])

    def load(self, slot: int, row: RingRow) -> None:
        """Overwrite one slot with a state taken from a cache of the same shape."""
        self._grow(row.count)
        for layer, source in enumerate(row.rings):
            ring = self._ring(layer)
            ring[slot : slot + 1] = _lengthened(source, self.places)
            self.rings[layer] = ring.reshape(-1, self.shape.head_dim)
        self.counts[slot] = row.count
        self._anchors[slot] = row.anchor

    def _ring(self, layer: int) -> mx.array:
        """Return a layer's ring as [S, 2 H, R, head_dim]."""
        shape = self.shape
        return self.rings[layer].reshape(-1, 2 * shape.n_kv_heads, self.places, shape.head_dim)

    def _target(self, slots: Ints, places: Ints) -> mx.array:
        """Return where in a flat ring the slots' new positions go. places: [B, L]."""
        heads = slots[:, None, None] * 2 * self.shape.n_kv_heads
        heads = heads + np.arange(2 * self.shape.n_kv_heads)  # [B, 1, 2 H]
        rows = heads * self.places + places[:, :, None]
        return mx.array(rows.reshape(-1, 1).astype(np.int32))

    def _write(self, layer: int, step: RingStep, new: mx.array) -> None:
        new = new[:, -self.places :]  # of a block longer than the ring, its end
        new = new.reshape(-1, self.shape.head_dim)
        self.rings[layer] = mx.put_along_axis(self.rings[layer], step.target, new, axis=0)

    def _ages(self, counts: Ints, n_new: int, in_place: bool) -> Ints:
        """Return how far each key lies behind the last new position, [B, keys]."""
        last = (counts - 1 + (n_new if in_place else 0)) % self.places
        ages = last - np.arange(self.places)
        ages += self.places * (ages < 0)
        if in_place:
            return ages
        fresh = np.broadcast_to(np.arange(n_new)[::-1], (len(counts), n_new))
        return np.concatenate([ages + n_new, fresh], axis=1)

    def _grow(self, n_positions: int) -> None:
        """Lengthen all rings for a row of `n_positions`, until they are at full length.

        Place and position are equal as long as no row has wrapped, so nothing moves.
        """
        if self.places == self.shape.places or n_positions <= self.places:
            return
        wanted = max(n_positions, self.places + self.places // 2)
        blocks = -(-wanted // _GROWTH_POSITIONS)
        places = min(self.shape.places, blocks * _GROWTH_POSITIONS)
        grown = [_lengthened(self._ring(layer), places) for layer in range(self.shape.n_layers)]
        self.rings = [ring.reshape(-1, self.shape.head_dim) for ring in grown]
        self.places = places
        mx.eval(self.rings)

    def _anchor(self, slots: Ints) -> None:
        """Move the anchors of rows that have passed the next one, and turn their keys back.

        The anchor is a function of the row's position alone, so any cutting of the same audio
        meets the same angles.
        """
        anchors = self.counts[slots] // self._anchor_positions * self._anchor_positions
        moved = anchors - self._anchors[slots]
        if not moved.any():
            return
        for delta in np.unique(moved[moved != 0]):
            rows = mx.array(slots[moved == delta].astype(np.int32))
            turn = self._rope.by(-int(delta))
            n_heads = self.shape.n_kv_heads
            for layer in range(self.shape.n_layers):
                ring = self._ring(layer)
                ring[rows, :n_heads] = turn(ring[rows, :n_heads])
                self.rings[layer] = ring.reshape(-1, self.shape.head_dim)
        self._anchors[slots] = anchors


@dataclass(frozen=True, slots=True)
class RingRow:
    """The state of one slot: count, anchor, and per layer keys and values [1, 2 H, R, head_dim]."""

    count: int
    anchor: int
    rings: list[mx.array]


def _selector(slots: Ints) -> slice | mx.array:
    """Select neighbouring slots by a view, others by a copy."""
    first = int(slots[0])
    if np.array_equal(slots, np.arange(first, first + len(slots))):
        return slice(first, first + len(slots))
    return mx.array(slots.astype(np.int32))


def _visible(ages: Ints, counts: Ints, n_new: int, window: int) -> npt.NDArray[np.bool_]:
    """Return which keys each new position sees, [B, 1, L, keys].

    ages: [B, keys], behind the last new position. counts: [B, 1], positions up to and with it.
    """
    behind = ages[:, None] - np.arange(n_new)[::-1, None]  # behind the query; < 0 is its future
    written = (ages < counts)[:, None]
    return ((behind >= 0) & (behind < window) & written)[:, None]


def _lengthened(ring: mx.array, places: int) -> mx.array:
    n_slots, n_heads, present, head_dim = ring.shape
    if present == places:
        return ring
    return mx.concatenate(
        [ring, mx.zeros((n_slots, n_heads, places - present, head_dim), ring.dtype)], axis=2
    )
