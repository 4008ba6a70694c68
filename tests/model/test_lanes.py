"""Rows on several lanes get the tokens that they get alone."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.models import alone, make_model, make_recording, mel_of
from voxwire.model import blas, lanes
from voxwire.model.cache import RingStep
from voxwire.model.lanes import Lanes, lane_streams
from voxwire.model.mel import Floats
from voxwire.model.probe import Probe
from voxwire.model.rope import Ints
from voxwire.model.stream import NO_TOKEN, SlotBatch
from voxwire.model.voxtral import is_small_on_cpu

N_SAMPLES, DELAY = 16_000, 6


@pytest.fixture(scope="module", autouse=True)
def narrow_lanes() -> object:
    """Let few rows fill several lanes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lanes, "_FIRST_SLOTS", 2)
        patch.setattr(lanes, "_BLOCK_SLOTS", 1)
        yield


def make_streams(n_lanes: int) -> list[mx.Stream]:
    return [mx.default_stream(mx.default_device())] + [
        mx.new_stream(mx.default_device()) for _ in range(n_lanes - 1)
    ]


def recorded(n_rows: int) -> np.ndarray:
    rows = [mel_of(make_model(), make_recording(s % 4, N_SAMPLES), DELAY) for s in range(n_rows)]
    return np.stack(rows)


@pytest.mark.parametrize("n_lanes", [1, 2, 3])
@pytest.mark.parametrize("sizes", [(2, 1), (16, 8)])
def test_slots_have_places_of_their_own_and_keep_them(
    n_lanes: int, sizes: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "_FIRST_SLOTS", sizes[0])
    monkeypatch.setattr(lanes, "_BLOCK_SLOTS", sizes[1])
    lane, own = lanes._placed(range(300), n_lanes)
    for n in range(301):  # every lane's slots are dense, whatever the number of slots
        for index, n_own in enumerate(lanes._lane_slots(n, n_lanes)):
            assert sorted(own[:n][lane[:n] == index]) == list(range(n_own))
    counts = lanes._lane_slots(300, n_lanes)
    assert max(counts) - min(counts) <= sizes[1]


@settings(deadline=None, max_examples=8, derandomize=True)
@given(
    n_lanes=st.integers(1, 3),
    stepping=st.lists(st.sets(st.integers(0, 6), min_size=1), min_size=1, max_size=12),
    sizes=st.lists(st.sampled_from([1, 1, 1, 5, 16]), min_size=1, max_size=5),
    guesses=st.lists(st.booleans(), min_size=1, max_size=4),
)
def test_any_rows_of_any_lanes_get_their_own_tokens(
    n_lanes: int, stepping: list[set[int]], sizes: list[int], guesses: list[bool]
) -> None:
    batch, mel = Lanes(make_model(), 7, make_streams(n_lanes), max_guess=4), recorded(7)
    for slot in range(7):
        batch.reset(slot, DELAY)
    tokens: list[list[int]] = [[] for _ in range(7)]
    done, turn, n_positions = np.zeros(7, int), 0, mel.shape[1] // 8
    while (done < n_positions).any():
        able = [slot for slot in range(7) if done[slot] < n_positions]
        chosen = stepping[turn % len(stepping)] if turn < 3 * len(stepping) else set(able)
        slots = [slot for slot in reversed(able) if slot in chosen]
        n = min([sizes[turn % len(sizes)], *(int(n_positions - done[slot]) for slot in slots)])
        guessing = guesses[turn % len(guesses)]
        turn += 1
        if not slots:
            continue
        new = np.stack([mel[slot][8 * done[slot] : 8 * (done[slot] + n)] for slot in slots])
        for slot, ids in zip(
            slots, (batch.advance_guessing if guessing else batch.advance)(slots, new), strict=True
        ):
            tokens[slot] += ids[ids != NO_TOKEN].tolist()
            done[slot] += n
    for slot, written in enumerate(tokens):
        alone("tiny", slot % 4, N_SAMPLES, DELAY).assert_same(written)


def test_scores_come_back_in_the_order_of_the_rows() -> None:
    lane_batch, whole = Lanes(make_model(), 5, make_streams(2)), SlotBatch(make_model(), 5)
    for slot in range(5):
        lane_batch.reset(slot, DELAY)
        whole.reset(slot, DELAY)
    order, mel = [4, 0, 3, 1, 2], recorded(5)
    for mine, theirs in zip(
        lane_batch.advance_scored(order, mel), whole.advance_scored(order, mel), strict=True
    ):
        np.testing.assert_allclose(mine, theirs, atol=1e-3)  # rows differ by far more


def test_slots_added_on_all_lanes_leave_the_others_alone() -> None:
    batch, mel = Lanes(make_model(), 1, make_streams(2)), recorded(6)
    batch.reset(0, DELAY)
    nbytes = batch.nbytes
    first = batch.advance([0], mel[:1, :56])
    batch.widen(6)
    assert batch.nbytes == 6 * nbytes
    for slot in range(1, 6):
        batch.reset(slot, DELAY)
    rest = batch.advance([0], mel[:1, 56:])
    others = batch.advance(range(1, 6), mel[1:])
    batch.settle()
    for slot, ids in enumerate([np.concatenate([first, rest], axis=1)[0], *others]):
        alone("tiny", slot % 4, N_SAMPLES, DELAY).assert_same(ids[ids != NO_TOKEN].tolist())


@pytest.mark.parametrize("slots", [[0, 0], [0, 5], [5, 0]])
def test_a_pass_that_is_refused_advances_no_lane(slots: list[int]) -> None:
    batch, mel = Lanes(make_model(), 6, make_streams(2)), recorded(2)
    for slot in range(5):
        batch.reset(slot, DELAY)
    with pytest.raises(ValueError, match="expected"):
        batch.advance(slots, mel[: len(slots), :8])
    ids = batch.advance([0], mel[:1])[0]
    alone("tiny", 0, N_SAMPLES, DELAY).assert_same(ids[ids != NO_TOKEN].tolist())


@pytest.mark.parametrize(("n_cores", "n_lanes"), [(1, 1), (2, 2), (16, 2)])
def test_a_small_model_on_a_cpu_has_lanes_by_cores(
    n_cores: int, n_lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "usable_cores", lambda: n_cores)
    is_cpu = mx.default_device().type == mx.DeviceType.cpu
    assert len(lane_streams(make_model())) == (n_lanes if is_cpu else 1)


def test_a_large_model_is_not_small() -> None:
    assert not is_small_on_cpu([mx.zeros(64 << 20, mx.bool_), mx.zeros(1)])


@pytest.mark.parametrize(("slots", "n_threads"), [([0, 2], 1), ([0, 1], None)])
def test_blas_keeps_to_one_thread_where_several_lanes_run(
    slots: list[int], n_threads: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = blas._thread_calls()
    if calls is None:
        pytest.skip("no OpenBLAS here")
    count, _ = calls
    before, during = count(), []

    class Watching(SlotBatch):
        def _encode(
            self, rows: Ints, mel: Floats, probe: Probe | None
        ) -> tuple[RingStep, mx.array]:
            during.append(count())
            return super()._encode(rows, mel, probe)

    monkeypatch.setattr(lanes, "SlotBatch", Watching)
    batch, mel = Lanes(make_model(), 3, make_streams(2)), recorded(2)
    for slot in slots:
        batch.reset(slot, DELAY)
    batch.advance(slots, mel[:, :8])
    assert set(during) == {n_threads or before}
    assert count() == before


def test_another_blas_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_thread_calls", lambda: None)
    with blas.one_thread():
        pass
