"""The Python client against a real server: what it sends is heard, what is refused is raised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.clients.python.recordings import SPOKEN, pcm_pieces
from tests.server.live_server import LiveServer, live_server
from voxwire.clients.python import Heard, connect, stream
from voxwire.clients.python.addresses import address_of
from voxwire.clients.python.refusals import error_of
from voxwire.protocol.dialect import Context
from voxwire.protocol.errors import (
    CapacityError,
    InvalidRequestError,
    NotFoundError,
    SessionFailedError,
    UnauthorizedError,
)
from voxwire.protocol.native import Native
from voxwire.protocol.native.messages import (
    Bye,
    Cleared,
    Configured,
    Error,
    Final,
    Ready,
    ServerModel,
)
from voxwire.protocol.native.parameters import Parameters, parameters_from
from voxwire.protocol.session import CloseReason, PadEndpoint, SessionSettings, VadEndpoint

KEY = "correct-horse-battery"


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server() as started:
        yield started


@pytest.fixture(scope="module")
def strict() -> Iterator[LiveServer]:
    with live_server(api_keys=(KEY,), max_sessions=1) as started:
        yield started


async def said(pieces: AsyncIterator[bytes], url: str, **more: Any) -> list[Heard]:
    return [message async for message in stream(pieces, url, **more)]


def finals(messages: list[Heard]) -> list[Final]:
    return [message for message in messages if isinstance(message, Final)]


@pytest.mark.parametrize("scheme", ["ws", "http"])
def test_a_recording_is_heard_to_its_last_word(server: LiveServer, scheme: str) -> None:
    messages = asyncio.run(said(pcm_pieces(), f"{scheme}://127.0.0.1:{server.port}"))
    assert " ".join(final.text for final in finals(messages) if final.text) == SPOKEN
    assert isinstance(messages[0], Ready)
    seqs = [message.seq for message in messages if isinstance(message, ServerModel)]
    assert seqs == sorted(set(seqs))
    assert len(seqs) == len(messages)
    assert isinstance(messages[-1], Bye)
    assert messages[-1].reason is CloseReason.END


def test_parameters_choose_the_settings(server: LiveServer) -> None:
    async def run() -> Parameters:
        async with connect(server.ws, delay_ms=960, endpoint="vad", silence_ms=300) as connection:
            return connection.ready.settings

    settings = asyncio.run(run())
    assert (settings.delay_ms, settings.endpoint, settings.silence_ms) == (960, "vad", 300)


async def until(messages: AsyncIterator[Heard], kind: type[Heard]) -> Heard:
    return await anext(message async for message in messages if isinstance(message, kind))


def test_every_request_has_its_answer(server: LiveServer) -> None:
    async def run() -> None:
        async with connect(server.ws, endpoint="none") as connection:
            messages = connection.messages()
            await connection.configure("first", scores=True)
            answer = await until(messages, Configured)
            assert isinstance(answer, Configured)
            assert (answer.ref, answer.settings.scores) == ("first", True)
            await connection.clear("second")
            cleared = await until(messages, Cleared)
            assert cleared.ref == "second"  # type: ignore[union-attr]
            async for piece in pcm_pieces():
                await connection.send(piece)
            await connection.configure("third", delay_ms=80)
            refused = await until(messages, Error)
            assert refused.ref == "third"  # type: ignore[union-attr]
            await connection.keep_alive()
            await connection.commit()
            final = await until(messages, Final)
            assert isinstance(final, Final)
            assert (final.text, final.reason) == (SPOKEN, CloseReason.COMMIT)
            assert all(word.confidence for word in final.words)
            await connection.end()
            assert isinstance(await until(messages, Bye), Bye)

    asyncio.run(run())


def test_refusals_are_raised_as_the_errors_that_they_were(strict: LiveServer) -> None:
    async def run() -> None:
        with pytest.raises(UnauthorizedError, match="needs a key"):
            async with connect(strict.ws):
                pass
        async with connect(strict.ws, key=KEY):
            with pytest.raises(CapacityError) as caught:
                async with connect(strict.ws, key=KEY):
                    pass
            assert caught.value.retry_after_s

    asyncio.run(run())


def test_a_server_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(OSError, match="9"):
        asyncio.run(said(pcm_pieces(), "ws://127.0.0.1:9"))


@pytest.mark.parametrize(
    ("variable", "proxy", "told"),
    [
        ("socks_proxy", "socks5h://127.0.0.1:9", "SOCKS"),
        ("http_proxy", "127.0.0.1:9", "no way to ws://speech.test"),
        (
            "http_proxy",
            "http://127.0.0.1:9",
            "at ws://speech.test.* by the proxy",
        ),
    ],
)
def test_a_proxy_that_leads_nowhere_is_told(
    variable: str, proxy: str, told: str, server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(OSError, match=told):
        asyncio.run(said(pcm_pieces(), "ws://speech.test"))
    assert finals(asyncio.run(said(pcm_pieces(), server.ws))), "none leads to this machine itself"


def test_addresses_that_are_none_are_an_os_error() -> None:
    with pytest.raises(OSError, match="no way to ftp://127"):
        asyncio.run(said(pcm_pieces(), "ftp://127.0.0.1:9"))


def test_what_is_no_such_server_says_what_it_answered(server: LiveServer) -> None:
    with pytest.raises(NotFoundError, match="expected the path of a dialect, got /elsewhere"):
        asyncio.run(said(pcm_pieces(), f"{server.http}/elsewhere"))


def test_audio_that_breaks_off_raises_what_broke_it(server: LiveServer) -> None:
    async def broken() -> AsyncIterator[bytes]:
        async for piece in pcm_pieces():
            yield piece
        raise RuntimeError("the microphone burnt")

    heard: list[Heard] = []

    async def run() -> None:
        async for message in stream(broken(), server.ws):
            heard.append(message)

    with pytest.raises(RuntimeError, match="the microphone burnt"):
        asyncio.run(run())
    assert "".join(final.text for final in finals(heard)).strip() == SPOKEN


def test_who_stops_listening_leaves_nothing_behind(server: LiveServer) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(2560)
            await asyncio.sleep(0.01)

    async def run() -> set[asyncio.Task[None]]:
        messages = stream(endless(), server.ws)
        async for _ in messages:
            break
        await messages.aclose()
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(run()) == set()


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://a:1", "ws://a:1/v1/stream"),
        ("https://a/", "wss://a/v1/stream"),
        ("a:8000", "ws://a:8000/v1/stream"),
        ("wss://a/under/v1/stream", "wss://a/under/v1/stream"),
        ("http://a/under", "ws://a/under/v1/stream"),
    ],
)
def test_an_address_may_be_short(url: str, address: str) -> None:
    assert address_of(url, Parameters()) == address


@given(
    st.sampled_from([None, PadEndpoint(240), VadEndpoint(0.25, 100, 700)]),
    st.sampled_from([None, 80, 2400]),
    st.booleans(),
)
def test_what_the_address_says_is_what_the_server_reads(
    endpoint: PadEndpoint | VadEndpoint | None, delay_ms: int | None, scores: bool
) -> None:
    settings = SessionSettings(endpoint=endpoint, delay_ms=delay_ms, wants_scores=scores)
    address = address_of("ws://a", parameters_from(settings, 480))
    context = Context("m", 480, str, float)
    read = Native.from_query(dict(parse_qsl(urlsplit(address).query)), context).settings
    assert (read.endpoint, read.delay_ms) == (endpoint, delay_ms or 480)
    assert read.wants_scores is scores


def test_an_error_of_a_newer_server_is_still_an_error() -> None:
    error = error_of("of_the_future", "it is so", 2.5)
    assert isinstance(error, SessionFailedError)
    assert (error.message, error.retry_after_s) == ("it is so", 2.5)
    assert isinstance(error_of("invalid_request", "no"), InvalidRequestError)
