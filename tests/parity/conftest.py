"""Collect what the live comparisons measured and print it as one table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parity.compare import TIE_MARGIN
from tests.parity.frozen_file import STRIDES, FrozenReference


class Table:
    """Lines of largest relative errors by stage."""

    def __init__(self) -> None:
        head = "".join(f"{stage:>18}" for stage in STRIDES)
        self.lines = [f"{'largest relative error':44}{head}"]

    def add(self, name: str, errors: dict[str, float], wanted: FrozenReference) -> None:
        """Append one comparison."""
        columns = "".join(f"{errors[stage]:18.1e}" for stage in STRIDES)
        n_ties = int((wanted.greedy.margin < TIE_MARGIN).sum())
        counts = f"{len(wanted.greedy.tokens)} tokens, {n_ties} ties"
        self.lines.append(f"{name:44}{columns}   {counts}")


@pytest.fixture(scope="session")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Print the table past the capturing when the last test that uses it is done."""
    table = Table()
    yield table
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n", *table.lines, sep="\n")
