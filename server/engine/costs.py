"""What a pass of the model costs, measured and kept current. Plain Python, one thread."""

from __future__ import annotations

from dataclasses import dataclass

_WEIGHT = 0.1  # of a new measurement: a cost follows a change within some twenty passes
_MAX_SURPRISE = 4.0  # times the known cost: beyond is the machine's hiccup, not the model's cost


@dataclass(slots=True)
class _Point:
    """Running means over passes of similarly many rows."""

    n_rows: float
    seconds: float

    def add(self, n_rows: int, seconds: float) -> None:
        seconds = min(seconds, _MAX_SURPRISE * self.seconds)
        self.n_rows += _WEIGHT * (n_rows - self.n_rows)
        self.seconds += _WEIGHT * (seconds - self.seconds)


_Points = dict[int, _Point]  # by bucket of rows


class StepCosts:
    """Seconds of a pass by how many rows it has and by how many positions each of them advances.

    Scored passes, which give log-probabilities, have blocks of their own: they decode one position
    after another, where others guess. A single position costs the same either way.
    """

    def __init__(self) -> None:
        # By whether they are scored, then by positions.
        self._points: dict[bool, dict[int, _Points]] = {False: {}, True: {}}

    def observe(
        self, n_rows: int, n_positions: int, seconds: float, is_scored: bool = False
    ) -> None:
        """Take a measurement into account."""
        for each in (is_scored,) if n_positions > 1 else (False, True):
            points = self._points[each].setdefault(n_positions, {})
            bucket = _bucket(n_rows)
            if bucket in points:
                points[bucket].add(n_rows, seconds)
            else:
                points[bucket] = _Point(n_rows, seconds)

    def seconds(self, n_rows: int, n_positions: int = 1, is_scored: bool = False) -> float:
        """Predict a pass; 0 before anything was measured.

        A longer pass costs at most what as many shorter ones do, so that one bad measurement of
        passes that are then avoided does not last. One whose like was never seen is foretold from
        a shorter and a longer one, so that it is tried, and then known.
        """
        measured = self._points[is_scored]
        prices = {
            known: _interpolate(points, n_rows)
            for known, points in measured.items()
            if known <= n_positions
        }
        bounds = [price * n_positions / known for known, price in prices.items()]
        near = [known for known, points in measured.items() if _covers(points, n_rows)]
        shorter = max((known for known in near if known <= n_positions), default=n_positions)
        longer = min((known for known in near if known > n_positions), default=n_positions)
        if shorter < n_positions < longer:
            # A pass reads the weights once, and then pays for each position: a straight line.
            rise_s = max(0.0, _interpolate(measured[longer], n_rows) - prices[shorter])
            share = (n_positions - shorter) / (longer - shorter)
            bounds.append(prices[shorter] + share * rise_s)
        return min(bounds, default=0.0)

    def max_rows(self, budget_s: float, limit: int) -> int:
        """Return how many rows, `limit` at most, one position of each of which fits a budget."""
        low, high = 0, limit
        while low < high:
            middle = (low + high + 1) // 2
            if self.seconds(middle) <= budget_s:
                low = middle
            else:
                high = middle - 1
        return low


def _bucket(n_rows: int) -> int:
    return (n_rows - 1).bit_length()  # 1, 2, 3..4, 5..8, ...


def _covers(points: _Points, n_rows: int) -> bool:
    """Say whether passes of as many rows were measured, or of fewer and of more."""
    return min(points) <= _bucket(n_rows) <= max(points)


def _interpolate(measured: _Points, n_rows: int) -> float:
    """Read the cost of `n_rows` off the line through the points, made to rise with the rows.

    Beyond the last point, cost grows in proportion to rows: more than it really does.
    """
    points = sorted(measured.values(), key=lambda point: point.n_rows)
    before = points[0]
    highest_s = before.seconds
    for point in points[1:]:
        highest_s = max(highest_s, before.seconds)
        if n_rows <= point.n_rows:
            share = max(0.0, (n_rows - before.n_rows) / (point.n_rows - before.n_rows))
            return max(highest_s, before.seconds + share * (point.seconds - before.seconds))
        before = point
    highest_s = max(highest_s, before.seconds)
    return highest_s * max(1.0, n_rows / before.n_rows)
