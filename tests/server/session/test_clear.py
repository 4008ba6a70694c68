"""What was cleared is not heard of again, though the model was in the middle of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from tests.server.session.sessions import backing, finals, told
from voxwire.protocol.session import (
    Audio,
    Clear,
    Cleared,
    Commit,
    Finish,
    Partial,
    Request,
    SessionSettings,
)

SETTINGS = SessionSettings(endpoint=None)
NOISE = np.random.default_rng(5).normal(0, 3000, 3 * 16000).astype("<i2").tobytes()


def test_no_partial_of_a_cleared_segment_follows_the_word_that_it_was_cleared(
    checkpoint: Path,
) -> None:
    requests: list[Request] = [Audio(NOISE), Clear(), Audio(NOISE), Commit(), Finish()]

    async def run() -> None:
        async with backing(checkpoint) as shared:
            events = await told(shared, SETTINGS, requests)
        [final] = finals(events)
        after = events[events.index(Cleared()) :]
        partials = [event for event in after if isinstance(event, Partial)]
        assert final.text
        assert {event.segment for event in partials} == {final.segment}
        assert "".join(event.delta for event in partials).rstrip() == final.text

    asyncio.run(run())
