"""The limit of descriptors is raised as far as the system lets us, and never in the way."""

from __future__ import annotations

import resource
from unittest import mock

import pytest

from voxwire.server.descriptors import raise_limit


class System:
    """A system with limits of its own, which refuses more than `most`, as Python tells it."""

    def __init__(self, soft: int, hard: int, most: int, error: type[Exception]) -> None:
        self.limits, self.most, self.error = (soft, hard), most, error

    def get(self, kind: int) -> tuple[int, int]:
        return self.limits

    def set(self, kind: int, limits: tuple[int, int]) -> None:
        if limits[0] > self.most:
            raise self.error("current limit exceeds maximum limit")
        self.limits = limits


NONE = resource.RLIM_INFINITY


@pytest.mark.parametrize("error", [ValueError, OSError])
@pytest.mark.parametrize(
    ("soft", "hard", "most", "expected"),
    [
        (1024, 1 << 20, 1 << 20, 65536),
        (1024, 4096, 4096, 4096),
        (256, NONE, 1 << 30, 65536),
        (256, NONE, 61440, 61440),
        (256, NONE, 12288, 10240),
        (256, NONE, 256, 256),
        (12288, NONE, 12288, 12288),
        (1 << 20, 1 << 20, 1 << 20, 1 << 20),
        (NONE, NONE, NONE, NONE),
    ],
)
def test_as_many_are_taken_as_the_system_gives(
    soft: int, hard: int, most: int, expected: int, error: type[Exception]
) -> None:
    system = System(soft, hard, most, error)
    with (
        mock.patch.object(resource, "getrlimit", system.get),
        mock.patch.object(resource, "setrlimit", system.set),
    ):
        raise_limit()
    assert system.limits == (expected, hard)
