"""Sessions of one key: counted for as long as they are open, and not one beyond the limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxwire.protocol.errors import CapacityError
from voxwire.server.doors.turnstile import Turnstile

KEYS = st.sampled_from(["one", "two", None])


@given(st.integers(1, 3), st.lists(st.tuples(KEYS, st.booleans()), max_size=40))
def test_no_key_ever_has_more_sessions_than_it_may(
    limit: int, moves: list[tuple[str | None, bool]]
) -> None:
    turnstile, n_open = Turnstile(limit), dict[str | None, int]()
    for key, is_entering in moves:
        n = n_open.get(key, 0)
        if is_entering and n == limit:
            who = "visitors without a key have" if key is None else "this key has"
            open_now = "1 session open" if limit == 1 else f"{limit} sessions open"
            with pytest.raises(CapacityError, match=f"^{who} {open_now},"):
                turnstile.enter(key)
        elif is_entering:
            turnstile.enter(key)
            n_open[key] = n + 1
        elif n:
            turnstile.leave(key)
            n_open[key] = n - 1


def test_zero_sets_no_limit() -> None:
    turnstile = Turnstile(0)
    for _ in range(1000):
        turnstile.enter("one")
