"""The rings: what a query may see, however rows join, stall, leave and wrap."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxwire.model.cache import RingCache, RingShape, RingStep

HEAD_DIM = 4


def make_cache(window: int = 6, block: int = 4, n_slots: int = 3) -> RingCache:
    shape = RingShape(
        n_layers=2,
        n_kv_heads=1,
        head_dim=HEAD_DIM,
        rope_theta=1e4,
        window=window,
        block=block,
    )
    return RingCache(shape, n_slots, mx.float32)


def write(cache: RingCache, slots: list[int], positions: np.ndarray) -> tuple[RingStep, np.ndarray]:
    """Run a pass whose values are the rows' own `positions` [B, L]; return all values, [B, keys].

    What is not kept by the caller was never written: commit is the caller's.
    """
    step = cache.begin(np.array(slots), positions.shape[1])
    new = mx.broadcast_to(
        mx.array(positions.astype(np.float32))[:, :, None, None], (*positions.shape, 1, HEAD_DIM)
    )
    for layer in range(cache.shape.n_layers):
        _, values = cache.extend(layer, step, new, new)
    return step, np.array(values)[:, 0, :, 0]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    window=st.integers(1, 9),
    block=st.integers(1, 4),
    passes=st.lists(
        st.tuples(st.sets(st.integers(0, 2), min_size=1), st.integers(1, 12), st.integers(0, 12)),
        max_size=12,
    ),
)
def test_each_query_sees_exactly_its_window(
    window: int, block: int, passes: list[tuple[set[int], int, int]]
) -> None:
    cache = make_cache(window, block)
    for chosen, n_new, n_kept in passes:
        slots = sorted(chosen)
        positions = cache.counts[slots, None] + np.arange(n_new)
        step, values = write(cache, slots, positions)
        for row in range(len(slots)):
            for index, position in enumerate(positions[row]):
                seen = sorted(values[row][np.array(step.mask)[row, 0, index]])
                assert seen == list(range(max(0, position - window + 1), position + 1))
        # Positions of a pass attended in place may be dropped: the next pass writes them again.
        kept = min(n_kept, n_new) if n_new <= block else n_new
        cache.commit(step, mx.array(0), kept)


def test_rows_grow_together_until_the_ring_is_full() -> None:
    cache = make_cache(window=1000, block=1)
    places = []
    for _ in range(3):
        step, _ = write(cache, [1], np.arange(200)[None] + cache.counts[1])
        cache.commit(step, mx.array(0))
        places.append(cache.places)
    step, values = write(cache, [1], np.array([[600]]))
    assert sorted(values[0][np.array(step.mask)[0, 0, 0]]) == list(range(601))
    for _ in range(5):
        step, _ = write(cache, [0, 1], np.zeros((2, 200)))
        cache.commit(step, mx.array(0))
        places.append(cache.places)
    assert places == sorted(places)
    assert places[0] == 256
    assert places[-1] == 1000


def test_a_row_moves_between_caches_of_different_length() -> None:
    short, long = make_cache(window=1000), make_cache(window=1000)
    step, _ = write(short, [2], np.arange(100)[None])
    short.commit(step, mx.array(0))
    step, _ = write(long, [0], np.zeros((1, 700)))
    long.commit(step, mx.array(0))
    long.load(1, short.row(2))
    step, values = write(long, [1], np.array([[100]]))
    assert sorted(values[0][np.array(step.mask)[0, 0, 0]]) == list(range(101))
    assert long.counts.tolist() == [700, 100, 0]


def test_loading_a_row_overwrites_all_of_it() -> None:
    cache = make_cache()
    empty = make_cache().row(0)
    cache.rings = [mx.full(ring.shape, mx.nan) for ring in cache.rings]
    cache.load(1, empty)
    for ring in cache.rings:
        finite = mx.isfinite(ring).reshape(len(cache.counts), -1).all(axis=1)
        assert finite.tolist() == [False, True, False]


def test_slots_that_could_not_be_had_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache = make_cache()
    n_slots, kept = len(cache.counts), [len(ring) for ring in cache.rings]

    def refuse(*arrays: mx.array) -> None:
        raise RuntimeError("[malloc] Unable to allocate")

    for _ in range(3):
        with monkeypatch.context() as full:
            full.setattr(mx, "eval", refuse)
            with pytest.raises(RuntimeError, match="Unable"):
                cache.widen(2 * n_slots)
        assert [len(ring) for ring in cache.rings] == kept
        assert len(cache.counts) == n_slots
    cache.widen(2 * n_slots)
    assert [len(ring) for ring in cache.rings] == [2 * n for n in kept]
    assert len(cache.counts) == 2 * n_slots


@pytest.mark.parametrize("slots", [[5], [5, 6], [9, 2]])
@pytest.mark.parametrize("n_new", [1, 4, 12])
def test_a_pass_does_not_copy_the_rings(slots: list[int], n_new: int) -> None:
    cache = make_cache(window=64, n_slots=20_000)
    ring_bytes = cache.rings[0].nbytes  # 42 MB
    mx.eval(cache.rings)
    for _ in range(2):
        mx.reset_peak_memory()
        before = mx.get_active_memory()
        step, _ = write(cache, slots, np.zeros((len(slots), n_new)))
        cache.commit(step, mx.array(0))
        mx.eval(cache.rings)
        assert mx.get_peak_memory() - before < ring_bytes / 10
