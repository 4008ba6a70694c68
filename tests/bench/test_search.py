"""The search ends near the last number that holds, whatever that is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.bench.search import confirmed, largest


@given(st.integers(0, 600), st.integers(1, 32), st.integers(1, 16), st.integers(32, 512))
def test_it_finds_the_last_that_holds_to_within_the_resolution(
    truth: int, first: int, resolution: int, limit: int
) -> None:
    asked: list[int] = []

    def holds(n: int) -> bool:
        asked.append(n)
        return n <= truth

    found = largest(holds, first, resolution, limit)
    assert found <= min(truth, limit) < found + resolution + (truth >= limit)
    assert max(asked) <= limit
    assert len(set(asked)) == len(asked)


def test_a_number_that_does_not_last_is_lowered_until_one_does() -> None:
    assert confirmed(lambda n: n <= 90, 96, 4) == 88
    assert confirmed(lambda n: False, 96, 4) == 0
