"""One server with the embedded checkpoint for the tests of uploads."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from tests.server.live_server import LiveServer, live_server
from tests.server.uploads.rest import TIMEOUT_S


@pytest.fixture(scope="package")
def server() -> Iterator[LiveServer]:
    """A server that listens."""
    with live_server() as started:
        yield started


@pytest.fixture(scope="package")
def client(server: LiveServer) -> Iterator[httpx2.Client]:
    """A client of that server."""
    with httpx2.Client(base_url=server.http, timeout=TIMEOUT_S) as opened:
        yield opened
