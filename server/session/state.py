"""The states of a session, and which move leads where."""

from __future__ import annotations

from enum import StrEnum

from ...protocol.errors import IllegalMoveError


class State(StrEnum):
    """How far a session is."""

    CREATED = "created"  # no audio yet: all settings may change
    STREAMING = "streaming"
    DRAINING = "draining"  # no audio may follow; what was heard is being written
    CLOSED = "closed"


_MOVES = {
    State.CREATED: {State.STREAMING, State.DRAINING, State.CLOSED},
    State.STREAMING: {State.DRAINING, State.CLOSED},
    State.DRAINING: {State.CLOSED},
    State.CLOSED: set[State](),
}


def check_move(now: State, then: State) -> None:
    """Raise IllegalMoveError unless a session may go from one state to the other."""
    if then not in _MOVES[now]:
        raise IllegalMoveError(f"a session that is {now} cannot become {then}")


def check_state(now: State, *expected: State, to: str) -> None:
    """Raise IllegalMoveError unless the session is in a state in which it may do this."""
    if now not in expected:
        wanted = " or ".join(expected)
        raise IllegalMoveError(f"to {to}, a session must be {wanted}; it is {now}")
