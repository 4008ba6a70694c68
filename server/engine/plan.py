"""Which sessions step, by how many positions, and which wait. Plain Python, no clock.

Live sessions come first, all that are ready in one pass; those that are behind by several
positions, or all of them behind by more than one, may catch up in blocks. Uploads get what the
live ones leave of a turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .admission import Kind
from .costs import StepCosts

MAX_BLOCK = 16  # positions of one row in one pass
POSITION_S = 0.08
LIVE_BUDGET_S = 0.85 * POSITION_S  # of each position's time, at most, may go to live sessions
# Positions that wait, from which on a pass of their own is worth its time. With fewer, the next
# turns' passes take them along: a message of 100 ms now and then brings two.
_FEWEST_BEHIND = 4
_CATCH_UP_S = 0.04  # of a turn for those that are behind: what it costs those that are not
_TICK_S = 0.06  # with live sessions open, uploads fill a turn up to here
# Without, or for one that is alone: long enough for full blocks, short enough to join quickly.
_TICK_ALONE_S = 0.25
_BEHIND_POSITIONS = 6


@dataclass(frozen=True, slots=True)
class Ready:
    """A session that could step. n_ready: positions. last_turn: when it stepped last.

    is_scored: it wants log-probabilities.
    """

    lease: int
    kind: Kind
    n_ready: int
    last_turn: int = 0
    is_scored: bool = False


@dataclass(frozen=True, slots=True)
class Pass:
    """One call of the model: some sessions, each advancing by `n_positions`.

    is_scored: it gives log-probabilities, because one of them wants them.
    """

    leases: tuple[int, ...]
    n_positions: int
    is_scored: bool = False


def plan(ready: Sequence[Ready], n_live: int, costs: StepCosts) -> list[Pass]:
    """Return the passes of one turn, in order.

    n_live: live sessions that are open, ready or not.
    """
    live = [session for session in ready if session.kind is Kind.LIVE]
    uploads = [session for session in ready if session.kind is Kind.UPLOAD]
    is_alone = n_live == 1 and not uploads
    passes = _live_passes(live, _TICK_ALONE_S if is_alone else _CATCH_UP_S, costs)
    budget_s = _TICK_S - _seconds(passes, costs) if n_live else _TICK_ALONE_S
    if uploads and (not live or costs.seconds(1) <= budget_s):
        passes.append(_block(uploads, budget_s, costs))
    return passes


def is_behind(backlogs: Sequence[int], turn_s: float) -> bool:
    """Say whether live sessions are late as a whole, and getting later.

    backlogs: positions that wait, of each; their median, because one that sent a burst is not
    late. turn_s: what the last turn took: in a shorter one than a position everybody gained.
    """
    if not backlogs or turn_s <= POSITION_S:
        return False
    return sorted(backlogs)[len(backlogs) // 2] >= _BEHIND_POSITIONS


def _live_passes(live: Sequence[Ready], catch_up_s: float, costs: StepCosts) -> list[Pass]:
    """Return one position of everybody, but for those that can take a block within its budget."""
    fewest = 2 if all(session.n_ready > 1 for session in live) else _FEWEST_BEHIND
    behind = [session for session in live if session.n_ready >= fewest]
    blocks = [_block(behind, catch_up_s, costs)] if behind else []
    blocks = [block for block in blocks if block.n_positions > 1]
    taken = {lease for block in blocks for lease in block.leases}
    rest = [session for session in live if session.lease not in taken]
    return [_pass(rest, 1), *blocks] if rest else blocks


def _block(sessions: Sequence[Ready], budget_s: float, costs: StepCosts) -> Pass:
    """Return a pass within a budget, of those that waited longest; the smallest at least.

    All rows of a pass advance alike, by a power of two: the longest waiting says how far. Those
    that want log-probabilities, which make a block slower, have passes of their own.
    """
    waiting = sorted(sessions, key=lambda session: session.last_turn)
    first = waiting[0]
    n_positions = _power_of_two(min(first.n_ready, MAX_BLOCK))
    while n_positions > 1 and costs.seconds(1, n_positions, first.is_scored) > budget_s:
        n_positions //= 2
    able = [
        session
        for session in waiting
        if session.n_ready >= n_positions and session.is_scored == first.is_scored
    ]
    while len(able) > 1 and costs.seconds(len(able), n_positions, first.is_scored) > budget_s:
        able.pop()
    return _pass(able, n_positions)


def _pass(sessions: Sequence[Ready], n_positions: int) -> Pass:
    leases = tuple(session.lease for session in sessions)
    return Pass(leases, n_positions, any(session.is_scored for session in sessions))


def _seconds(passes: Sequence[Pass], costs: StepCosts) -> float:
    return sum(costs.seconds(len(each.leases), each.n_positions, each.is_scored) for each in passes)


def _power_of_two(n: int) -> int:
    return 1 << (n.bit_length() - 1)
