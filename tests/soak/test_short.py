"""Three quarters of an hour through one session, past 131 072 encoder positions: all the same."""

from __future__ import annotations

import asyncio

from tests.server.session.sessions import backing
from tests.soak.soak import Soaked, broken_promises, soak
from voxwire.model.checkpoint.hub import resolve_model

N_MINUTES = 45  # 135 000 encoder frames


def test_every_minute_of_a_long_session_is_written_like_the_second() -> None:
    async def run() -> Soaked:
        async with backing(resolve_model("embedded", None)) as shared:
            return await soak(shared, N_MINUTES, 5, lambda report: None)

    soaked = asyncio.run(run())
    assert broken_promises(soaked, N_MINUTES) == []
    assert soaked.n_minutes == N_MINUTES
    assert soaked.n_words > 5 * N_MINUTES
