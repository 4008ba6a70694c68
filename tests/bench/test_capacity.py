"""Sessions are sustained when nobody is refused, fails, or waits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bench.capacity import is_sustained


def trial(**changes: Any) -> dict[str, Any]:
    return {"errors": [], "late": {"all": {"p99_ms": 200.0}}, **changes}


def test_the_99th_percentile_decides() -> None:
    assert is_sustained(trial())
    assert not is_sustained(trial(late={"all": {"p99_ms": 200.1}}))
    assert not is_sustained(trial(late={"all": {"p99_ms": float("inf")}}))


@pytest.mark.parametrize("fault", [{"errors": ["NotFiniteError"]}, {"refused": "full"}])
def test_a_session_that_failed_or_was_refused_is_not_sustained(fault: dict[str, Any]) -> None:
    assert not is_sustained(trial(**fault))
