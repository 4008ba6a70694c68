"""A session outlives its socket: nothing is lost, nothing comes twice, nobody else gets it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.chaos.insider import Insider
from tests.server.held import held_engine
from tests.server.live_server import LiveServer, live_server
from voxwire.server import resumption

PCM = np.random.default_rng(8).integers(-16000, 16000, 80_000).astype("<i2").tobytes()
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with a random model, which writes much."""
    from tests.random_checkpoint import PARAMS, write_mistral

    folder = write_mistral(tmp_path_factory.mktemp("checkpoint"), PARAMS["tiny"], seed=3)
    with live_server(str(folder)) as running:
        yield running


class Client:
    """Speaks one recording, whose sockets break after so many bytes each."""

    def __init__(self, address: str, lives: list[int]) -> None:
        self.address = address
        self.lives = lives  # bytes of audio until the socket breaks, of each but the last
        self.heard: list[dict[str, Any]] = []
        self.token: str | None = None
        self.n_resumed = 0

    async def run(self) -> list[dict[str, Any]]:
        """Connect as often as need be; return the finals."""
        async with asyncio.timeout(TIMEOUT_S):
            while not self.heard or self.heard[-1]["type"] != "bye":
                await self._connect()
        return [message for message in self.heard if message["type"] == "final"]

    async def _connect(self) -> None:
        last = len(self.heard)
        query = f"resume={self.token}&after_seq={last}" if self.token else "silence_ms=160"
        async with connect(f"{self.address}/v1/stream?{query}") as socket:
            first = json.loads(await socket.recv())
            if first["type"] == "ready":
                self.heard.append(first)
                self.token = first["resume"]
                first = {"audio_bytes": 0, "controls": 0}
            else:
                assert first["type"] == "resumed", first
                self.n_resumed += 1
            speaking = asyncio.create_task(self._speak(socket, first))
            try:
                async for message in socket:
                    self.heard.append(json.loads(message))
                    assert self.heard[-1]["seq"] == len(self.heard)
            except ConnectionClosed:
                pass
            speaking.cancel()

    async def _speak(self, socket: ClientConnection, came: dict[str, int]) -> None:
        at = came["audio_bytes"]
        n_left = self.lives.pop(0) if self.lives else len(PCM) + 1
        while at < len(PCM) and n_left > 0:
            piece = PCM[at : at + min(n_left, 5001)]
            await socket.send(piece)
            at, n_left = at + len(piece), n_left - len(piece)
            await asyncio.sleep(0)
        if n_left <= 0:
            socket.transport.abort()
        elif not came["controls"]:
            await socket.send(json.dumps({"type": "end"}))


@pytest.mark.parametrize("seed", range(3))
def test_a_recording_cut_at_random_points_gives_the_same_finals(
    server: LiveServer, seed: int
) -> None:
    rng = random.Random(seed)
    whole = asyncio.run(Client(server.ws, []).run())
    cut = Client(server.ws, [rng.randrange(1, 16_000) for _ in range(12)])
    finals = asyncio.run(cut.run())
    assert cut.n_resumed >= 10
    assert [_said(final) for final in finals] == [_said(final) for final in whole]
    server.call(until_gone(server))


async def until_gone(server: LiveServer) -> None:
    """Return when no session is open; in the server's loop."""
    async with asyncio.timeout(TIMEOUT_S):
        while server.service.sessions:
            await asyncio.sleep(0.01)


def test_last_words_that_were_lost_on_their_way_are_said_again(server: LiveServer) -> None:
    async def run() -> tuple[list[Any], list[Any]]:
        async with connect(f"{server.ws}/v1/stream") as socket:
            await socket.send(PCM[:64_000])
            await socket.send(json.dumps({"type": "end"}))
            said = [json.loads(message) async for message in socket]
        address = f"{server.ws}/v1/stream?resume={said[0]['resume']}&after_seq={len(said) - 3}"
        async with connect(address) as socket:
            return said, [json.loads(message) async for message in socket]

    said, again = asyncio.run(run())
    assert said[-1]["type"] == "bye"
    assert again[0] == {
        "type": "resumed",
        "seq": len(said) - 3,
        "audio_bytes": 64_000,
        "controls": 1,
    }
    assert again[1:] == said[-3:]
    server.call(until_gone(server))  # though it can be heard again, it holds no place


def _said(final: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in final.items() if name != "seq"}


async def _answer(address: str, **headers: str) -> tuple[dict[str, Any], int | None]:
    async with connect(address, additional_headers=headers) as socket:
        first = json.loads(await socket.recv())
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        return first, socket.close_code


def test_a_token_that_nobody_was_given_is_refused_where_a_page_can_read_it(
    server: LiveServer,
) -> None:
    address = f"{server.ws}/v1/stream?resume=resume_0&after_seq=1"
    error, code = asyncio.run(_answer(address))
    assert (error["type"], error["code"], code) == ("error", "resume_lost", 1008)


@pytest.mark.parametrize("query", ["resume=x", "resume=x&after_seq=-1", "resume=x&after_seq=1&a=b"])
def test_a_resumption_that_is_not_one_is_refused_with_the_field(
    server: LiveServer, query: str
) -> None:
    error, code = asyncio.run(_answer(f"{server.ws}/v1/stream?{query}"))
    assert (error["code"], code) == ("invalid_request", 1008)
    assert error["param"] in ("after_seq", "a")


def test_a_message_that_is_not_kept_any_more_is_said_to_be_lost(server: LiveServer) -> None:
    async def run() -> dict[str, Any]:
        async with connect(f"{server.ws}/v1/stream") as socket:
            ready = json.loads(await socket.recv())
            await socket.send(json.dumps({"type": "ack", "seq": 1}))
            await socket.send(json.dumps({"type": "commit"}))
            assert json.loads(await socket.recv())["type"] == "received"
        error, _ = await _answer(f"{server.ws}/v1/stream?resume={ready['resume']}&after_seq=0")
        return error

    error = asyncio.run(run())
    assert error["code"] == "resume_lost"
    assert "after_seq" in error["message"]


def test_a_client_that_comes_back_takes_over_from_the_socket_it_left_open(
    server: LiveServer,
) -> None:
    async def run() -> tuple[int | None, str | None, dict[str, Any]]:
        async with connect(f"{server.ws}/v1/stream") as old:
            ready = json.loads(await old.recv())
            await old.send(PCM[:3001])
            address = f"{server.ws}/v1/stream?resume={ready['resume']}&after_seq=1"
            async with connect(address) as new:
                resumed = json.loads(await new.recv())
                with pytest.raises(ConnectionClosed):
                    await old.recv()
                await new.send(json.dumps({"type": "end"}))
                async for _ in new:
                    pass
            return old.close_code, old.close_reason, resumed

    code, reason, resumed = asyncio.run(run())
    assert (code, reason) == (1008, "resumed_elsewhere")
    assert resumed["audio_bytes"] in (0, 3001)


def test_of_two_who_come_back_while_a_message_waits_the_later_one_gets_the_session(
    server: LiveServer,
) -> None:
    async def run(at_work: Insider) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        stream = f"{server.ws}/v1/stream"
        async with asyncio.timeout(TIMEOUT_S), connect(stream) as lost:
            token = json.loads(await lost.recv())["resume"]
            await lost.send(bytes(32_000 * 15))  # more than the engine lets wait
            address = f"{stream}?resume={token}&after_seq=1"
            async with connect(address) as earlier:
                await asyncio.sleep(0.2)
                async with connect(address) as later:
                    await asyncio.sleep(0.2)
                    at_work.heal()
                    refused = json.loads(await earlier.recv())
                    await later.send(json.dumps({"type": "end"}))
                    return refused, [json.loads(message) async for message in later]

    with held_engine(server) as at_work:
        refused, heard = asyncio.run(run(at_work))
    assert refused["code"] == "resumed_elsewhere"
    assert heard[0]["type"] == "resumed"
    assert (heard[-1]["type"], heard[-1]["audio_s"]) == ("bye", 15)


async def _ended(address: str) -> str:
    """Begin a session and end it; return the token by which it can be gone on with."""
    async with connect(f"{address}/v1/stream") as socket:
        token: str = json.loads(await socket.recv())["resume"]
        await socket.send(json.dumps({"type": "end"}))
        async for _ in socket:
            pass
    return token


def test_of_sessions_that_ended_only_the_last_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resumption, "MAX_ENDED", 1)

    async def run(address: str) -> list[str]:
        tokens = [await _ended(address) for _ in range(2)]
        answers = []
        for token in tokens:
            first, _ = await _answer(f"{address}/v1/stream?resume={token}&after_seq=3")
            answers.append(first["type"])
        return answers

    with live_server() as running:
        assert asyncio.run(run(running.ws)) == ["error", "resumed"]


def test_who_comes_back_again_and_again_costs_nobody_else_a_last_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resumption, "MAX_ENDED", 2)

    async def run(address: str) -> list[str]:
        quiet, eager = [await _ended(address) for _ in range(2)]
        answers = []
        for token in (eager, eager, eager, quiet):
            first, _ = await _answer(f"{address}/v1/stream?resume={token}&after_seq=3")
            answers.append(first["type"])
        return answers

    with live_server() as running:
        assert asyncio.run(run(running.ws)) == ["resumed"] * 4


def test_a_session_that_waited_in_vain_frees_its_place(tmp_path: Path) -> None:
    async def leave(address: str) -> str:
        socket = await connect(f"{address}/v1/stream")
        ready = json.loads(await socket.recv())
        await socket.send(PCM[:9999])
        socket.transport.abort()
        token: str = ready["resume"]
        return token

    with live_server(resume_grace_s=0.05) as server:
        token = asyncio.run(leave(server.ws))
        server.call(until_gone(server))
        error, _ = asyncio.run(_answer(f"{server.ws}/v1/stream?resume={token}&after_seq=1"))
        assert error["code"] == "resume_lost"


def test_anothers_session_cannot_be_gone_on_with() -> None:
    async def run(address: str) -> dict[str, Any]:
        mine = {"Authorization": "Bearer key-of-mine"}
        async with connect(f"{address}/v1/stream", additional_headers=mine) as socket:
            ready = json.loads(await socket.recv())
            stolen = f"{address}/v1/stream?resume={ready['resume']}&after_seq=1"
            error, _ = await _answer(stolen, Authorization="Bearer another-key")
            await socket.send(json.dumps({"type": "end"}))
            return error

    with live_server(api_keys=("key-of-mine", "another-key")) as server:
        assert asyncio.run(run(server.ws))["code"] == "resume_lost"
