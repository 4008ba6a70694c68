"""The table of faults names only tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = sorted(
    set(
        re.findall(
            r"`(tests/[\w/.]+\.py)(?:::(\w+))?`", (ROOT / "tests/chaos/README.md").read_text()
        )
    )
)


@pytest.mark.parametrize(("file", "function"), NAMED)
def test_what_the_table_names_exists(file: str, function: str) -> None:
    text = (ROOT / file).read_text()
    assert not function or re.search(rf"^(?:async )?def {function}\(", text, re.MULTILINE)
