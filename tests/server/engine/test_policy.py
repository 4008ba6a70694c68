"""Who steps, who waits, who is refused: without a model, and without waiting."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxwire.protocol.errors import CapacityError, OverloadedError
from voxwire.server.engine.admission import Admission, Kind, Limits, Load
from voxwire.server.engine.costs import StepCosts
from voxwire.server.engine.plan import LIVE_BUDGET_S, MAX_BLOCK, Pass, Ready, is_behind, plan
from voxwire.server.engine.slots import SlotPool

LIVE, UPLOAD = Kind.LIVE, Kind.UPLOAD
READY = st.lists(
    st.tuples(st.sampled_from(list(Kind)), st.integers(1, 100), st.integers(0, 9), st.booleans())
)


def costs_of(fixed_s: float, row_s: float, position_s: float | None = None) -> StepCosts:
    """Return costs of a machine whose passes cost so much, and so much for each row."""
    costs = StepCosts()
    for n_rows, n in itertools.product((1, 2, 4, 8, 16, 32, 64, 128), (1, 4, MAX_BLOCK)):
        costs.observe(n_rows, n, fixed_s + n_rows * (row_s + (n - 1) * (position_s or row_s)))
    return costs


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


# --- costs


def test_a_cost_is_read_between_and_beyond_what_was_measured() -> None:
    costs = StepCosts()
    assert costs.seconds(5) == 0
    for n_rows, seconds in ((1, 0.004), (8, 0.011), (32, 0.035)):
        costs.observe(n_rows, 1, seconds)
    assert costs.seconds(1) == pytest.approx(0.004)
    assert costs.seconds(20) == pytest.approx(0.023)
    assert costs.seconds(64) == pytest.approx(0.070)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(1, 200), st.integers(1, 16), st.floats(1e-4, 1)),
        min_size=1,
        max_size=30,
    ),
    st.floats(1e-4, 1),
)
def test_costs_never_fall_with_rows(
    measured: list[tuple[int, int, float]], budget_s: float
) -> None:
    costs = StepCosts()
    for each in measured:
        costs.observe(*each)
    predicted = [costs.seconds(n) for n in range(1, 200)]
    assert all(a <= b + 1e-12 for a, b in itertools.pairwise(predicted))
    fits = costs.max_rows(budget_s, 199)
    assert all(seconds <= budget_s for seconds in predicted[:fits])
    assert fits == 199 or predicted[fits] > budget_s


def test_costs_follow_the_machine_and_forget_a_hiccup() -> None:
    costs = costs_of(0.002, 0.001)
    costs.observe(8, 1, 30.0)
    assert costs.seconds(8) < 0.02
    for _ in range(60):
        costs.observe(8, 1, 0.05)
    assert costs.seconds(8) == pytest.approx(0.05, rel=0.05)


def test_a_block_is_never_thought_dearer_than_its_positions_alone() -> None:
    costs = StepCosts()
    costs.observe(1, 1, 0.003)
    costs.observe(1, 16, 1.0)
    assert costs.seconds(1, 16) == pytest.approx(0.048)
    costs.observe(1, 4, 0.004)
    assert costs.seconds(1, 16) == pytest.approx(0.016)


def test_a_block_never_tried_is_foretold_from_a_shorter_and_a_longer_one() -> None:
    costs = StepCosts()
    for n_rows in (1, 4):  # as calibrated: bound by the weights that every pass reads
        costs.observe(n_rows, 1, 0.030)
        costs.observe(n_rows, 16, 0.075)
    assert costs.seconds(2, 4) == pytest.approx(0.039)
    assert costs.seconds(2, 8) == pytest.approx(0.051)
    assert costs.seconds(8, 4) == pytest.approx(4 * costs.seconds(8))  # so many rows: unknown
    costs.observe(2, 4, 0.060)
    assert costs.seconds(2, 4) == pytest.approx(0.060)
    assert costs.seconds(2, 8) < 0.08
    costs.observe(1, 16, 0.001)  # a bad measurement: a longer pass is not foretold as less
    assert costs.seconds(1, 8) >= 0.030


def test_blocks_with_log_probabilities_have_their_own_price() -> None:
    costs = StepCosts()
    costs.observe(2, 1, 0.010)
    costs.observe(2, 16, 0.030)
    assert costs.seconds(2, 16, is_scored=True) == pytest.approx(0.160)
    costs.observe(2, 4, 0.036, is_scored=True)
    assert costs.seconds(2, 16, is_scored=True) == pytest.approx(0.144)
    assert costs.seconds(2, 16) == pytest.approx(0.030)
    assert costs.seconds(2, is_scored=True) == costs.seconds(2) == pytest.approx(0.010)


def test_a_flush_is_written_in_blocks_where_a_step_alone_is_slow() -> None:
    costs = StepCosts()
    costs.observe(1, 1, 0.030)
    costs.observe(1, 16, 0.075)
    flush, upload = Ready(1, LIVE, 17), Ready(2, UPLOAD, 17)
    assert plan([flush], 2, costs) == [Pass((1,), 4)]
    assert plan([flush, upload], 1, costs)[0] == Pass((1,), 4)
    assert plan([flush], 1, costs) == [Pass((1,), 16)], "nobody else is there to wait for it"


# --- plan


def leases(passes: list[Pass]) -> list[int]:
    return [lease for each in passes for lease in each.leases]


@settings(deadline=None, max_examples=40, derandomize=True)
@given(READY, st.floats(0, 0.05), st.floats(0, 0.01), st.integers(0, 9))
def test_a_plan_is_work_conserving_and_puts_live_sessions_first(
    sessions: list[tuple[Kind, int, int, bool]], fixed_s: float, row_s: float, n_quiet: int
) -> None:
    ready = [Ready(lease, *session) for lease, session in enumerate(sessions)]
    live = {session.lease for session in ready if session.kind is LIVE}
    passes = plan(ready, len(live) + n_quiet, costs_of(fixed_s, row_s))
    planned = leases(passes)
    assert bool(passes) == bool(ready)
    assert len(planned) == len(set(planned))
    assert live <= set(planned), "a live session that is ready never waits"
    assert all(planned.index(lease) < len(live) for lease in live)
    by_lease = {session.lease: session for session in ready}
    for each in passes:
        assert each.leases
        assert len({by_lease[lease].kind for lease in each.leases}) == 1
        assert all(by_lease[lease].n_ready >= each.n_positions for lease in each.leases)
        assert each.n_positions <= MAX_BLOCK
        scored = {by_lease[lease].is_scored for lease in each.leases}
        assert each.is_scored == (True in scored)
        assert each.n_positions == 1 or len(scored) == 1


def test_what_is_ready_steps_in_one_pass() -> None:
    ready = [Ready(lease, LIVE, 1) for lease in range(5)]
    assert plan(ready, 9, costs_of(0.002, 0.001)) == [Pass((0, 1, 2, 3, 4), 1)]


def test_a_flush_goes_at_full_speed_beside_those_that_keep_pace() -> None:
    ready = [*(Ready(lease, LIVE, 1) for lease in range(4)), Ready(4, LIVE, 17)]
    passes = plan(ready, 5, costs_of(0.002, 0.001, 0.0002))
    assert passes == [Pass((0, 1, 2, 3), 1), Pass((4,), 16)]


def test_one_that_is_a_little_behind_is_no_reason_for_a_second_pass() -> None:
    ready = [*(Ready(lease, LIVE, 1) for lease in range(4)), Ready(4, LIVE, 3)]
    assert plan(ready, 5, costs_of(0.002, 0.001, 0.0002)) == [Pass((0, 1, 2, 3, 4), 1)]


def test_those_that_are_all_a_little_behind_catch_up_in_one_pass() -> None:
    ready = [Ready(lease, LIVE, 2) for lease in range(3)]
    assert plan(ready, 5, costs_of(0.002, 0.001, 0.0002)) == [Pass((0, 1, 2), 2)]


def test_when_everybody_is_behind_everybody_steps() -> None:
    ready = [Ready(lease, LIVE, 9) for lease in range(64)]
    costs = costs_of(0.003, 0.001)
    passes = plan(ready, 64, costs)
    assert sorted(leases(passes)) == list(range(64))
    assert sum(costs.seconds(len(p.leases), p.n_positions) for p in passes) < 0.12


def test_uploads_take_blocks_and_what_live_sessions_leave() -> None:
    costs = costs_of(0.002, 0.001, 0.0002)
    uploads = [Ready(100 + n, UPLOAD, 40) for n in range(8)]
    assert plan(uploads, 0, costs) == [Pass(tuple(range(100, 108)), 16)]
    live = [Ready(lease, LIVE, 1) for lease in range(40)]
    beside = plan([*live, *uploads], 40, costs)
    assert beside[0] == Pass(tuple(range(40)), 1)
    assert 1 <= len(beside[1].leases) < 8
    full = [Ready(lease, LIVE, 1) for lease in range(64)]
    assert plan([*full, *uploads], 64, costs) == [Pass(tuple(range(64)), 1)]


def test_uploads_that_want_log_probabilities_slow_neither_the_others_nor_live_sessions() -> None:
    costs = costs_of(0.008, 0.002, 0.0002)
    costs.observe(1, 4, 0.036, is_scored=True)
    costs.observe(4, 4, 0.044, is_scored=True)
    scored = [Ready(100 + n, UPLOAD, 40, 1, is_scored=True) for n in range(4)]
    plain = [Ready(200 + n, UPLOAD, 40, 2) for n in range(4)]
    live = [Ready(0, LIVE, 1)]
    _, each = plan([*live, *plain, *scored], 1, costs)
    assert each == Pass((100, 101, 102, 103), 4, is_scored=True)
    _, each = plan([*live, *plain, *(replace(one, last_turn=3) for one in scored)], 1, costs)
    assert each == Pass((200, 201, 202, 203), 16)


def test_uploads_take_turns() -> None:
    costs = costs_of(0.002, 0.010, 0.010)
    last = dict.fromkeys(range(5), 0)
    turns: list[int] = []
    for turn in range(1, 11):
        (each,) = plan([Ready(n, UPLOAD, 40, last[n]) for n in range(5)], 3, costs)
        last |= dict.fromkeys(each.leases, turn)
        turns += each.leases
    assert {turns.count(n) for n in range(5)} == {len(turns) // 5}


def test_lateness_is_a_backlog_of_most_that_grows() -> None:
    assert not is_behind([], 0.2)
    assert not is_behind([1, 1, 0, 100], 0.2)
    assert is_behind([7, 9, 0], 0.2)
    assert not is_behind([7, 9, 0], 0.07)


# --- admission


def test_sessions_are_refused_where_they_would_push_others_past_real_time() -> None:
    costs = costs_of(0.003, 0.001)
    n_sustainable = costs.max_rows(LIVE_BUDGET_S, 128)
    assert costs.seconds(n_sustainable) <= LIVE_BUDGET_S < costs.seconds(n_sustainable + 1)
    admission = Admission(Limits(max_sessions=128), Clock())
    admission.load = Load(128, n_sustainable, is_behind=False)
    for _ in range(n_sustainable):
        admission.admit(LIVE)
    assert admission.n_free == 0
    with pytest.raises(OverloadedError) as refusal:
        admission.admit(LIVE)
    assert refusal.value.retry_after_s
    admission.admit(UPLOAD)  # which waits for the live ones
    admission.release(LIVE)
    admission.admit(LIVE)


def test_nobody_new_comes_while_those_inside_are_behind() -> None:
    admission = Admission(Limits(), Clock())
    admission.load = Load(128, 100, is_behind=True)
    for kind in Kind:
        with pytest.raises(OverloadedError):
            admission.admit(kind)
    admission.load = Load(128, 100, is_behind=False)
    admission.admit(LIVE)


def test_a_machine_thought_too_slow_is_given_one_session_to_show() -> None:
    admission = Admission(Limits(), Clock())
    admission.load = Load(128, 0, is_behind=False)
    admission.admit(LIVE)
    with pytest.raises(OverloadedError):
        admission.admit(LIVE)


def test_limits_hold_and_uploads_have_their_own() -> None:
    admission = Admission(Limits(max_sessions=3, max_uploads=1), Clock())
    admission.admit(UPLOAD)
    with pytest.raises(CapacityError):
        admission.admit(UPLOAD)
    admission.admit(LIVE)
    admission.admit(LIVE)
    with pytest.raises(CapacityError):
        admission.admit(LIVE)


def test_memory_limits_what_the_operator_allows() -> None:
    admission = Admission(Limits(max_sessions=100), Clock())
    admission.load = Load(2, 100, is_behind=False)
    assert admission.n_free == 2
    admission.admit(LIVE)
    admission.admit(UPLOAD)
    for kind in Kind:
        with pytest.raises(CapacityError, match="all 2"):
            admission.admit(kind)


def test_the_retry_hint_follows_how_often_somebody_leaves() -> None:
    clock = Clock()
    admission = Admission(Limits(max_sessions=8), clock)
    for _ in range(8):
        admission.admit(LIVE)
    for _ in range(4):
        clock.now_s += 20
        admission.release(LIVE)
        admission.admit(LIVE)
    with pytest.raises(CapacityError) as refusal:
        admission.admit(LIVE)
    assert refusal.value.retry_after_s == pytest.approx(15, abs=5)
    clock.now_s += 10_000
    with pytest.raises(CapacityError) as refusal:
        admission.admit(LIVE)
    assert refusal.value.retry_after_s == 60


# --- slots


def test_the_lowest_free_slot_is_leased_first() -> None:
    pool = SlotPool(3)
    assert [pool.take() for _ in range(3)] == [0, 1, 2]
    assert pool.is_full
    pool.give(2)
    pool.give(0)
    pool.widen(5)
    assert [pool.take() for _ in range(4)] == [0, 2, 3, 4]
