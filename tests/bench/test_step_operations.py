"""The number of operations in a step does not grow with the rows."""

from __future__ import annotations

from tests.bench.company import Company
from tests.bench.operations import counted
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.server.engine.backend import load_backend


def test_more_rows_are_no_more_operations() -> None:
    """From where both lanes take softmax apart on: for fewer rows, MLX's own takes fewer."""
    backend = load_backend(EMBEDDED)
    totals = []
    for n_rows in (40, 64):
        company = Company(backend, n_rows)
        with counted() as operations:
            company.batch.advance(company.slots, company.mel())
        totals.append(operations.total())
    assert totals[0] == totals[1] > 100
