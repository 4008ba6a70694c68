"""The log: one line for each record, and nothing secret in any."""

from __future__ import annotations

import logging
import re

from hypothesis import given
from hypothesis import strategies as st

from voxwire.server.logs import LineFormatter

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=warning at=voxwire\.x ")


def line(message: str, *args: object, error: BaseException | None = None) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("voxwire.x", logging.WARNING, "x.py", 1, message, args, info)
    return LineFormatter().format(record)


def test_a_record_says_when_how_grave_and_where() -> None:
    told = line("session=%s step=failed", "sess_1")
    assert LINE.match(told)
    assert told.endswith(" session=sess_1 step=failed")


@given(st.text())
def test_no_text_begins_another_line(text: str) -> None:
    told = line("name=%s", text)
    assert len(told.splitlines()) == 1
    assert told.isprintable()


def test_a_traceback_is_a_part_of_the_line() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        told = line("step=failed", error=error)
    assert len(told.splitlines()) == 1
    assert "Traceback" in told
    assert "first\\nsecond" in told
