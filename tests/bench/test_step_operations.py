"""The number of operations in a step does not grow with the rows."""

from __future__ import annotations

from tests.bench.models import Company, load_model
from tests.bench.operations import counted


def test_more_rows_are_no_more_operations() -> None:
    model = load_model()
    totals = []
    for n_rows in (1, 5):
        company = Company(model, n_rows)
        with counted() as operations:
            company.batch.advance(company.slots, company.mel())
        totals.append(operations.total())
    assert totals[0] == totals[1] > 100
