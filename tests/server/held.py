"""An engine that hangs until it is told to go on, behind a server that runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.chaos.insider import Insider
from tests.server.live_server import LiveServer


@contextmanager
def held_engine(server: LiveServer) -> Iterator[Insider]:
    """Hold the engine's next step; yield who lets it go on, by `heal`, and does so at the end."""

    async def insider() -> Insider:
        return Insider(server.service)

    at_work: Insider = server.call(insider())
    at_work.hold_steps(1e9)
    try:
        yield at_work
    finally:
        at_work.leave()
