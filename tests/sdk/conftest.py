"""One server with the embedded checkpoint for all SDKs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server.live_server import LiveServer, live_server


@pytest.fixture(scope="session")
def server() -> Iterator[LiveServer]:
    """A server that listens."""
    with live_server() as started:
        yield started
