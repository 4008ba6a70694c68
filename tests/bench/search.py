"""Find the largest number that holds, with few trials. Pure."""

from __future__ import annotations

from collections.abc import Callable


def largest(holds: Callable[[int], bool], first: int, resolution: int, limit: int) -> int:
    """Return the largest number known to hold, 0 where none does.

    Doubles from `first` until one does not hold or `limit` is reached, then halves the gap until
    it is no larger than `resolution`. Presumes that what holds for n does for less.
    """
    low, high = 0, first
    while high <= limit and holds(high):
        low, high = high, 2 * high
    if high > limit:
        if low == limit or holds(limit):
            return limit
        high = limit
    while high - low > resolution:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low


def confirmed(holds: Callable[[int], bool], at_most: int, resolution: int) -> int:
    """Return the first number from `at_most` downwards, by `resolution`, that holds; or 0."""
    for n in range(at_most, 0, -resolution):
        if holds(n):
            return n
    return 0
