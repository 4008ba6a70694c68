"""A row of a batch gets the tokens that it gets alone."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model.models import (
    Alone,
    alone,
    make_checkpoint,
    make_model,
    make_recording,
    mel_of,
    run_alone,
)
from tests.random_checkpoint import PARAMS, random_weights
from voxwire.model.delay import N_PREFIX_TOKENS, prompt_tokens, sampled_tokens
from voxwire.model.errors import DelayError
from voxwire.model.stream import NO_TOKEN, SlotBatch
from voxwire.model.voxtral import Voxtral

LENGTHS = (0, 700, 5000, 16_000, 31_999)
SESSIONS = st.tuples(
    st.integers(0, 3), st.sampled_from(LENGTHS), st.sampled_from([1, 2, 6, 15, 30])
)


@dataclass
class Session:
    """One session of a batch, and what it has yielded."""

    seed: int
    n_samples: int
    delay: int
    slot: int = -1
    taken: int = 0
    tokens: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.mel = mel_of(make_model(), make_recording(self.seed, self.n_samples), self.delay)

    @property
    def n_left(self) -> int:
        return len(self.mel) // 8 - self.taken

    def next_mel(self, n: int) -> np.ndarray:
        mel = self.mel[8 * self.taken : 8 * (self.taken + n)]
        self.taken += n
        return mel

    def check(self) -> None:
        assert len(self.tokens) == sampled_tokens(self.n_samples, self.delay)
        alone("tiny", self.seed, self.n_samples, self.delay).assert_same(self.tokens)


def tick(batch: SlotBatch, sessions: list[Session], n: int) -> None:
    """Advance some sessions by n positions together."""
    mel = np.stack([session.next_mel(n) for session in sessions])
    tokens = batch.advance([session.slot for session in sessions], mel)
    for session, row in zip(sessions, tokens, strict=True):
        session.tokens += row[row != NO_TOKEN].tolist()


@settings(deadline=None, derandomize=True, max_examples=8)
@given(
    sessions=st.lists(SESSIONS, min_size=1, max_size=6),
    n_slots=st.integers(1, 4),
    dice=st.randoms(use_true_random=False),
)
def test_rows_that_join_stall_and_leave_get_their_own_tokens(
    sessions: list[tuple[int, int, int]], n_slots: int, dice: random.Random
) -> None:
    batch = SlotBatch(make_model(), n_slots)
    waiting = [Session(*session) for session in sessions]
    free = list(range(n_slots))
    active: list[Session] = []
    while waiting or active:
        while waiting and free and (not active or dice.random() < 0.5):
            session = waiting.pop()
            session.slot = free.pop(dice.randrange(len(free)))
            batch.reset(session.slot, session.delay)
            active.append(session)
        stepping = dice.sample(active, dice.randint(1, len(active)))
        n = dice.choice([1, 1, 1, 3, 8])
        tick(batch, stepping, min(n, *(session.n_left for session in stepping), 8))
        for session in [session for session in active if not session.n_left]:
            session.check()
            active.remove(session)
            free.append(session.slot)


@settings(deadline=None, derandomize=True, max_examples=6)
@given(passes=st.lists(st.integers(1, 9), min_size=1, max_size=60))
def test_any_cutting_into_passes_gives_the_same_tokens(passes: list[int]) -> None:
    session = Session(1, 31_999, 6, slot=0)
    batch = SlotBatch(make_model(), 1)
    batch.reset(0, 6)
    for n in passes:
        if session.n_left:
            tick(batch, [session], min(n, session.n_left))
    if session.n_left:
        tick(batch, [session], session.n_left)
    session.check()


def poison(batch: SlotBatch, slot: int, value: float) -> None:
    """Fill all that a slot holds."""
    for cache in (batch.encoder_cache, batch.decoder_cache):
        for ring in cache.rings:
            n = len(ring) // len(cache.counts)
            ring[slot * n : (slot + 1) * n] = value
        cache.counts[slot] = 12345
        cache._anchors[slot] = 8192
    batch._tails[slot] = value
    batch._last_ids[slot] = 7


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_a_reused_slot_remembers_nothing(value: float) -> None:
    batch = SlotBatch(make_model(), 2)
    batch.reset(1, 15)
    poison(batch, 1, value)
    session = Session(2, 16_000, 6, slot=1)
    batch.reset(1, 6)
    while session.n_left:
        tick(batch, [session], 1)
    session.check()


def test_a_spoilt_row_spoils_no_other() -> None:
    batch = SlotBatch(make_model(), 3)
    sessions = [Session(seed, 16_000, 6, slot=seed) for seed in range(3)]
    for session in sessions:
        batch.reset(session.slot, 6)
    poison(batch, 1, float("nan"))
    while sessions[0].n_left:
        tick(batch, sessions, 1)
    sessions[0].check()
    sessions[2].check()


def test_eos_does_not_end_a_session() -> None:
    params = PARAMS["tiny"]
    weights = random_weights(params)
    table = next(w for name, w in weights.items() if name.endswith("tok_embeddings.weight"))
    expected = alone("tiny", 1, 31_999, 6).tokens
    favourite = max(set(expected), key=expected.count)
    table[[2, favourite]] = table[[favourite, 2]]  # what was the favourite is EOS now
    mine = run_alone(Voxtral(make_checkpoint(params, weights)), make_recording(1, 31_999), 6)
    swap = {favourite: 2, 2: favourite}
    mine.assert_same([swap.get(token, token) for token in expected])
    assert mine.tokens.count(2) > 1


def test_positions_of_the_prompt_yield_no_token() -> None:
    for delay in (1, 30):
        model, batch = make_model(), SlotBatch(make_model(), 1)
        batch.reset(0, delay)
        assert batch.position(0) == N_PREFIX_TOKENS
        mel = mel_of(model, make_recording(1, 1000), delay)
        tokens = batch.advance([0], mel[None])[0]
        n_silent = prompt_tokens(delay) - 1 - N_PREFIX_TOKENS
        assert (tokens[:n_silent] == NO_TOKEN).all()
        assert (tokens[n_silent:] >= 0).all()
        assert batch.position(0) == N_PREFIX_TOKENS + len(mel) // 8


def test_order_of_slots_is_the_order_of_rows() -> None:
    batch = SlotBatch(make_model(), 4)
    sessions = [Session(seed, 5000, 6, slot=slot) for seed, slot in enumerate([3, 0, 2])]
    for session in sessions:
        batch.reset(session.slot, 6)
    while sessions[0].n_left:
        tick(batch, sessions, 1)
    for session in sessions:
        session.check()


def test_wrong_calls_are_refused_before_anything_changes() -> None:
    batch = SlotBatch(make_model(), 3)
    batch.reset(0, 6)
    batch.reset(1, 6)
    one = np.zeros((1, 8, 128), np.float32)
    for slots, mel in (
        ([], one[:0]),
        ([0, 0], np.repeat(one, 2, 0)),
        ([2], one),
        ([0, 1], one),
        ([0], one[:, :7]),
        ([0], one[:, :0]),
        ([0], one[..., :80]),
        ([0], one[0]),
    ):
        with pytest.raises(ValueError, match="expected"):
            batch.step(slots, mel)
    assert [batch.position(slot) for slot in range(3)] == [N_PREFIX_TOKENS, N_PREFIX_TOKENS, 0]
    with pytest.raises(DelayError):
        batch.reset(0, 16)


@pytest.mark.parametrize("slots", [[0, 1], [1, 0]], ids=["neighbours", "scattered"])
@pytest.mark.parametrize("n_positions", [1, 3])
def test_idle_slots_cost_nothing(slots: list[int], n_positions: int) -> None:
    peaks = []
    for n_slots in (2, 2000):
        batch = SlotBatch(make_model(), n_slots)
        batch.reset(0, 6)
        batch.reset(1, 6)
        mel = np.zeros((2, 8 * n_positions, 128), np.float32)
        batch.advance(slots, mel)
        mx.synchronize()
        mx.reset_peak_memory()
        before = mx.get_active_memory()
        batch.advance(slots, mel)
        peaks.append(mx.get_peak_memory() - before)
    assert peaks[1] < 2 * peaks[0]


def test_joining_copies_no_other_row() -> None:
    batch = SlotBatch(make_model(), 2000)
    batch.reset(7, 6)
    mx.reset_peak_memory()
    before = mx.get_active_memory()
    batch.reset(8, 6)
    assert mx.get_peak_memory() - before < batch.nbytes / 100


def test_the_oracle_notices_a_wrong_token() -> None:
    right: Alone = alone("tiny", 1, 16_000, 6)
    wrong = [*right.tokens[:5], (right.tokens[5] + 1) % 1300, *right.tokens[6:]]
    with pytest.raises(AssertionError):
        right.assert_same(wrong)
