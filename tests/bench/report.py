"""The end of a run: the bars as a table, and everything as one line of JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from tests.bench.bars import Bar


def json_line(
    origin: Mapping[str, Any],
    results: Mapping[str, Any],
    errors: Mapping[str, str],
    judged: Sequence[Bar],
) -> str:
    """Return all of a run as one line that any JSON reader takes: infinities become null."""
    document = {
        "benchmark": "voxwire",
        **origin,
        "bars": [asdict(bar) for bar in judged],
        "results": results,
        "errors": errors,
    }
    return json.dumps(plain(document), allow_nan=False)


def plain(value: Any) -> Any:
    """Return a tree of JSON's own values; floats of 5 digits, null where they are not finite."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if math.isfinite(value) else None
    return value


def bars_table(judged: Sequence[Bar]) -> Table:
    """Show which bars are met."""
    table = Table(title="bars")
    for heading in ("bar", "wanted", "measured", "", "detail"):
        table.add_column(heading)
    for bar in judged:
        got = "not measured" if bar.got is None else f"{bar.got:g}"
        table.add_row(bar.name, bar.wanted, got, _verdict(bar), bar.detail)
    return table


def _verdict(bar: Bar) -> str:
    return {None: "", True: "[green]met[/]", False: "[red]missed[/]"}[bar.is_met]
