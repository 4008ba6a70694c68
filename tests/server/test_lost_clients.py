"""A client that dies, at whatever byte, gives its place back within the grace."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.proxy import proxy, reset
from tests.server.live_server import LiveServer, live_server
from voxwire.clients.python import stream

GRACE_S = 0.05
TIMEOUT_S = 60
N_DEATHS = 40


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    from tests.random_checkpoint import PARAMS, write_mistral

    folder = write_mistral(tmp_path_factory.mktemp("checkpoint"), PARAMS["tiny"], seed=3)
    with live_server(str(folder), resume_grace_s=GRACE_S) as running:
        yield running


async def until_gone(server: LiveServer) -> None:
    """Return when no session and no place is taken; in the server's loop."""
    async with asyncio.timeout(TIMEOUT_S):
        while server.service.is_busy:
            await asyncio.sleep(0.005)


async def said_by_a_client(server: LiveServer) -> bytes:
    """Return every byte that a client sends, from its handshake to its farewell."""

    async def audio() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield bytes(3200)

    async with proxy(server.port) as between:
        async for _ in stream(audio(), between.url):
            pass
        return bytes(between.upwards[0])


async def die_after(server: LiveServer, said: bytes, *, is_orderly: bool) -> bool:
    """Send the beginning of what a client says, and then leave by FIN or by RST.

    Returns whether a session was open then.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(said)
    await writer.drain()
    head_end = said.find(b"\r\n\r\n") + 4
    if head_end >= 4 and len(said) >= head_end:
        await reader.readuntil(b"\r\n\r\n")
    was_open = bool(server.service.sessions)
    if is_orderly:
        writer.close()
    else:
        reset(writer)
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return was_open


def test_a_client_may_die_at_any_byte(server: LiveServer) -> None:
    async def run() -> int:
        n_open = 0
        said = await said_by_a_client(server)
        head = said.index(b"\r\n\r\n") + 4
        rng = random.Random(1)
        frames = range(head - 1, head + 20)  # a frame's header, mask and first bytes
        drawn = (rng.randrange(len(said)) for _ in range(N_DEATHS))
        for n_bytes in [1, *frames, *drawn, len(said)]:
            n_open += await die_after(server, said[:n_bytes], is_orderly=rng.random() < 0.5)
            await asyncio.to_thread(server.call, until_gone(server))
        return n_open

    assert asyncio.run(run()) > N_DEATHS // 2
