"""A client that sends no audio does not hold its slot, whatever else it sends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.chaos.doors import DOORS, Door, enter
from tests.chaos.insider import Insider
from tests.server.held import held_engine
from tests.server.live_server import LiveServer, live_server
from tests.server.test_resume import until_gone
from tests.server.uploads.rest import wait_until

TIMEOUT_S = 60
NOTHING = {
    "/v1/stream": '{"type": "commit"}',
    "/v1/realtime?intent=transcription": '{"type": "input_audio_buffer.clear"}',
    "/v1/audio/transcriptions/realtime": '{"type": "input_audio.flush"}',
    "/v1/listen?encoding=linear16&sample_rate=16000": '{"type": "Finalize"}',
}


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(session_idle_s=1) as started:
        yield started


@pytest.mark.parametrize("path", NOTHING)
def test_who_only_commits_is_told_that_it_was_idle_and_closed(
    server: LiveServer, path: str
) -> None:
    async def nag(socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                await socket.send(NOTHING[path])
                await asyncio.sleep(0.1)

    async def stay() -> tuple[list[dict[str, Any]], int | None]:
        async with asyncio.timeout(TIMEOUT_S), connect(server.ws + path) as socket:
            nagging = asyncio.create_task(nag(socket))
            heard = []
            with suppress(ConnectionClosed):
                while True:
                    heard.append(json.loads(await socket.recv()))
            await nagging
            return heard, socket.close_code

    heard, code = asyncio.run(stay())
    assert code == (1011 if "listen" in path else 1008)
    assert any("no audio for 1 s" in json.dumps(event) for event in heard)
    server.call(until_gone(server))
    wait_until(lambda: server.service.engine.n_open == 0)


@pytest.mark.parametrize(
    "door", [door for door in DOORS if door.end is not None], ids=lambda door: door.name
)
def test_who_has_said_its_last_is_not_idle_however_slow_the_engine_is(
    server: LiveServer, door: Door
) -> None:
    async def speak(at_work: Insider) -> int | None:
        async with asyncio.timeout(TIMEOUT_S):
            wire = await enter(server.port, door)
            assert door.end is not None
            await wire.say(door.audio(bytes(6400)), door.end)
            await asyncio.sleep(2.5)  # more than twice as long as one may be silent
            at_work.heal()
            heard = await wire.hear_all()
            wire.leave()
            return heard.close_code

    with held_engine(server) as at_work:
        assert asyncio.run(speak(at_work)) == 1000


def test_who_waits_for_the_engine_to_take_a_message_is_not_idle(server: LiveServer) -> None:
    async def speak(at_work: Insider) -> list[str]:
        async with asyncio.timeout(TIMEOUT_S), connect(f"{server.ws}/v1/stream") as socket:
            await socket.send(bytes(32_000 * 15))  # more than the engine lets wait
            await asyncio.sleep(2.5)  # more than twice as long as one may be silent
            await socket.send('{"type": "end"}')
            at_work.heal()
            return [json.loads(message)["type"] async for message in socket]

    with held_engine(server) as at_work:
        heard = asyncio.run(speak(at_work))
    assert "error" not in heard
    assert heard[-1] == "bye"
