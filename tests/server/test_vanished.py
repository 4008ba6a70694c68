"""A client whose network is gone says nothing, not even that: it is noticed, and not imagined."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect

from tests.chaos.doors import DOORS, Door, enter
from tests.chaos.insider import Insider
from tests.proxy import Fault, Kind, Proxy, proxy
from tests.server.held import held_engine
from tests.server.live_server import LiveServer, live_server
from tests.server.test_lost_clients import until_gone
from voxwire.clients.python import Heard, Persistence, Reconnected, stream
from voxwire.protocol.native.messages import Final
from voxwire.protocol.wyoming.framing import WyomingEvent
from voxwire.server import http

PING_S = PONG_S = 0.5
GRACE_S = 0.5
IDLE_S = 3
SPARE_S = 20.0  # on a busy machine; less than what else would end a session
PCM = np.random.default_rng(8).integers(-16000, 16000, 40_000).astype("<i2").tobytes()
N_PIECES = 40  # more than a session queues, and less than the kernel keeps for both
GONE = Fault(Kind.VANISH, 20_000)  # in the midst of the audio


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model, which writes much."""
    from tests.random_checkpoint import PARAMS, write_mistral

    return write_mistral(tmp_path_factory.mktemp("checkpoint"), PARAMS["tiny"], seed=3)


@pytest.fixture(scope="module", autouse=True)
def short_pings() -> Iterator[None]:
    """Let servers soon ask whether somebody is there."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(http, "PING_S", PING_S)
        patched.setattr(http, "PONG_S", PONG_S)
        yield


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[LiveServer]:
    with live_server(str(model), resume_grace_s=GRACE_S) as running:
        yield running


async def _until_struck(between: Proxy, server: LiveServer) -> None:
    while not (between.n_faults and server.service.sessions):
        await asyncio.sleep(0.01)


async def _seconds_until_gone(server: LiveServer) -> float:
    began_s = time.monotonic()
    await asyncio.to_thread(server.call, until_gone(server))
    return time.monotonic() - began_s


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.name)
def test_a_client_whose_network_is_gone_has_no_place_after_ping_and_grace(
    server: LiveServer, door: Door
) -> None:
    async def vanish() -> float:
        async with proxy(server.port, [GONE]) as between:
            wire = await enter(between.port, door)
            await wire.say(*(door.audio(PCM[at : at + 3200]) for at in range(0, 32_000, 3200)))
            await _until_struck(between, server)
            seconds = await _seconds_until_gone(server)
            wire.leave(is_rude=True)
            return seconds

    assert asyncio.run(vanish()) < PING_S + PONG_S + GRACE_S + SPARE_S


def test_a_vanished_wyoming_client_has_no_place_after_the_idle_time() -> None:
    form = {"rate": 16000, "width": 2, "channels": 1}
    said = WyomingEvent("audio-start", form).encode()
    said += WyomingEvent("audio-chunk", form, PCM).encode()

    async def vanish(server: LiveServer) -> float:
        async with proxy(server.wyoming_port, [GONE]) as between:
            _, writer = await asyncio.open_connection("127.0.0.1", between.port)
            writer.write(said)
            await _until_struck(between, server)
            seconds = await _seconds_until_gone(server)
            writer.transport.abort()
            return seconds

    with live_server(session_idle_s=IDLE_S) as server:
        assert asyncio.run(vanish(server)) < IDLE_S + SPARE_S


def test_who_comes_back_after_that_lost_nothing(model: Path) -> None:
    """The client takes longer to notice than the server, and is awaited."""
    patient = Persistence(first_s=0.001, longest_s=0.002, stall_s=4 * (PING_S + PONG_S))

    async def said() -> AsyncIterator[bytes]:
        for at in range(0, len(PCM), 1001):
            yield PCM[at : at + 1001]

    async def heard(url: str) -> list[Heard]:
        return [each async for each in stream(said(), url, silence_ms=160, persistence=patient)]

    async def run(server: LiveServer) -> tuple[list[Heard], list[Heard]]:
        whole = await heard(server.ws)
        async with proxy(server.port, [GONE]) as between:
            speaking = asyncio.create_task(heard(between.url))
            await _until_struck(between, server)
            carried = next(iter(server.service.resumptions._by_token.values()))
            async with asyncio.timeout(SPARE_S):
                while carried.connection is not None:
                    await asyncio.sleep(0.01)
            assert between.n_connections == 1
            return whole, await speaking

    with live_server(str(model)) as server:
        whole, parted = asyncio.run(run(server))
    assert any(isinstance(each, Reconnected) for each in parted)
    assert _finals(parted) == _finals(whole)


def _finals(messages: list[Heard]) -> list[Final]:
    found = [each for each in messages if isinstance(each, Final)]
    return [each.model_copy(update={"seq": 1}) for each in found]


def test_a_pong_may_wait_behind_audio_for_which_there_is_no_room(server: LiveServer) -> None:
    async def flood(at_work: Insider) -> list[dict[str, Any]]:
        async with connect(f"{server.ws}/v1/stream?endpoint=none") as socket:
            for _ in range(N_PIECES):
                await socket.send(bytes(1 << 16))
            await asyncio.sleep(3 * (PING_S + PONG_S))
            at_work.heal()
            await socket.send('{"type": "end"}')
            return [json.loads(each) async for each in socket]

    with held_engine(server) as at_work:
        heard = asyncio.run(flood(at_work))
    assert heard[-1]["type"] == "bye"
    assert heard[-1]["audio_s"] == (N_PIECES << 16) / 32_000
