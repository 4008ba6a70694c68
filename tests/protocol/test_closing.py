"""Every way in which a session ends has a close code and a reason that fits into the frame."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from voxwire.protocol import closing
from voxwire.protocol.errors import VoxwireError
from voxwire.protocol.session import CloseReason, Ended

MAX_REASON_BYTES = 123


def all_errors(kind: type[VoxwireError] = VoxwireError) -> Iterator[type[VoxwireError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from all_errors(below)


@pytest.mark.parametrize("reason", CloseReason)
def test_an_end_without_an_error_is_normal_but_for_a_restart(reason: CloseReason) -> None:
    close = closing.closing(Ended(reason, 1.0))
    is_restart = reason is CloseReason.SHUTDOWN
    assert close.code == (closing.RESTART if is_restart else closing.NORMAL)
    assert close.reason == reason.value


@pytest.mark.parametrize("kind", [*all_errors()], ids=lambda kind: kind.__name__)
def test_every_error_closes_with_a_code_that_is_not_normal(kind: type[VoxwireError]) -> None:
    error = kind.__new__(kind)
    VoxwireError.__init__(error, "why")
    close = closing.closing(Ended(CloseReason.ERROR, 1.0, error))
    assert close.code in (closing.POLICY, closing.INTERNAL, closing.RESTART, closing.TRY_LATER)
    assert close.reason == error.code
    assert len(close.reason.encode()) <= MAX_REASON_BYTES
