"""The Python client over a network that fails: the caller sees one stream, whole and in order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.proxy import Fault, Kind, Proxy, proxy, random_faults
from tests.server.live_server import LiveServer, live_server
from voxwire.clients.python import (
    Continued,
    Gap,
    GaveUpError,
    Heard,
    Persistence,
    Reconnected,
    Reconnecting,
    connect,
    stream,
)
from voxwire.protocol.errors import ShutdownError
from voxwire.protocol.native.messages import Bye, Committed, Error, Final, Partial, ServerModel

N_CUTS = 200
SECONDS = 60
PCM = np.random.default_rng(8).integers(-16000, 16000, SECONDS * 16_000).astype("<i2").tobytes()
TIMEOUT_S = 120
FIRST = Fault(Kind.RESET, 3000)  # after the handshake: the first connection is tried once
AT_ONCE = Persistence(first_s=0.001, longest_s=0.002, keep_s=2.0)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server with a random model, which writes much."""
    from tests.random_checkpoint import PARAMS, write_mistral

    folder = write_mistral(tmp_path_factory.mktemp("checkpoint"), PARAMS["tiny"], seed=3)
    with live_server(str(folder)) as running:
        yield running


async def pieces(data: bytes = PCM, n_bytes: int = 1001) -> AsyncIterator[bytes]:
    for at in range(0, len(data), n_bytes):
        yield data[at : at + n_bytes]


async def heard(url: str, audio: bytes = PCM, persistence: Persistence = AT_ONCE) -> list[Heard]:
    async with asyncio.timeout(TIMEOUT_S):
        told = stream(pieces(audio), url, silence_ms=160, persistence=persistence)
        return [message async for message in told]


def finals(messages: list[Heard]) -> list[Final]:
    """Return the finals, their numbers apart."""
    found = [message for message in messages if isinstance(message, Final)]
    return [message.model_copy(update={"seq": 1}) for message in found]


def count(messages: list[Heard], kind: type[Heard]) -> int:
    return sum(isinstance(message, kind) for message in messages)


def assert_one_stream(messages: list[Heard]) -> None:
    """Nothing twice, nothing out of order, no segment without its final, and an end."""
    told = [message for message in messages if isinstance(message, ServerModel)]
    seqs = [message.seq for message in told]
    assert seqs == sorted(set(seqs))
    closed = [final.segment for final in finals(messages)]
    assert closed == list(range(len(closed)))
    ends = [word.end_s for final in finals(messages) for word in final.words]
    assert ends == sorted(ends)
    assert isinstance(messages[-1], Bye)


def through_a_proxy(
    server: LiveServer,
    faults: Iterable[Fault],
    audio: bytes = PCM,
    persistence: Persistence = AT_ONCE,
) -> tuple[list[Heard], Proxy]:
    async def run() -> tuple[list[Heard], Proxy]:
        async with proxy(server.port, faults) as between:
            return await heard(between.url, audio, persistence), between

    return asyncio.run(run())


def test_200_cuts_change_nothing_of_what_is_heard(server: LiveServer) -> None:
    whole = asyncio.run(heard(server.ws))
    faults = random_faults(seed=4, n=N_CUTS - 1, least_bytes=1, most_bytes=8000)
    cut, between = through_a_proxy(server, [FIRST, *faults])
    assert between.n_faults == N_CUTS
    assert count(cut, Reconnected) >= N_CUTS // 2
    assert count(cut, Gap) == 0
    assert_one_stream(cut)
    assert finals(cut) == finals(whole)
    server.call(until_gone(server))


def test_commits_stand_where_they_were_said(server: LiveServer) -> None:
    audio = PCM[:320_000]

    async def dictated(url: str) -> list[Heard]:
        async with (
            asyncio.timeout(TIMEOUT_S),
            connect(url, endpoint="none", persistence=AT_ONCE) as connection,
            asyncio.TaskGroup() as tasks,
        ):

            async def speak() -> None:
                n_pieces = 0
                async for piece in pieces(audio):
                    await connection.send(piece)
                    n_pieces += 1
                    if n_pieces % 50 == 0:
                        await connection.commit()
                await connection.end()

            tasks.create_task(speak())
            return [message async for message in connection.messages()]

    async def through(faults: Iterable[Fault]) -> list[Heard]:
        async with proxy(server.port, faults) as between:
            return await dictated(between.url)

    faults = random_faults(seed=2, n=29, least_bytes=1, most_bytes=8000)
    cut = asyncio.run(through([FIRST, *faults]))
    whole = asyncio.run(dictated(server.ws))
    assert_one_stream(cut)
    assert finals(cut) == finals(whole)
    assert count(cut, Committed) == len(audio) // 1001 // 50


async def until_gone(server: LiveServer) -> None:
    """Return when no session is open; in the server's loop."""
    async with asyncio.timeout(TIMEOUT_S):
        while server.service.is_busy:
            await asyncio.sleep(0.01)


def test_a_connection_over_which_nothing_comes_is_given_up(server: LiveServer) -> None:
    audio = PCM[:96_000]
    whole = asyncio.run(heard(server.ws, audio))
    stalled = Fault(Kind.STALL, 50_000, stall_s=None)
    impatient = replace(AT_ONCE, stall_s=1.0)
    messages, between = through_a_proxy(server, [stalled], audio, impatient)
    assert between.n_faults == 1
    assert count(messages, Reconnected) >= 1
    assert finals(messages) == finals(whole)


class FakeTime:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.at_s = 0.0
        self.waits_s: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.at_s += seconds
        self.waits_s.append(seconds)
        await asyncio.sleep(0)

    def now_s(self) -> float:
        return self.at_s


def test_waits_double_and_then_it_is_given_up(server: LiveServer) -> None:
    time = FakeTime()
    patient = Persistence(
        give_up_s=60, draw=lambda: 1.0, sleep=time.sleep, now_s=time.now_s, keep_s=2.0
    )

    told: list[Heard] = []

    async def run() -> None:
        async with proxy(server.port, [FIRST]) as between:
            async for message in stream(pieces(), between.url, persistence=patient):
                told.append(message)
                between.target = lambda: 9  # nobody listens there

    with pytest.raises(GaveUpError, match="60 s"):
        asyncio.run(run())
    tries = [message for message in told if isinstance(message, Reconnecting)]
    assert [each.wait_s for each in tries] == time.waits_s
    assert time.waits_s[:7] == [0.25, 0.5, 1, 2, 4, 8, 8]
    assert 60 <= time.at_s < 60 + patient.longest_s
    assert [each.attempt for each in tries] == list(range(1, len(tries) + 1))


def test_whoever_feeds_waits_where_too_much_is_unconfirmed(server: LiveServer) -> None:
    small = replace(AT_ONCE, keep_s=1.0)

    async def run() -> int:
        n_taken = 0
        async with (
            proxy(server.port, [Fault(Kind.STALL, 3000, stall_s=None)]) as between,
            connect(between.url, persistence=small) as connection,
        ):
            feeding = asyncio.create_task(connection.send(bytes(3200)))
            while (await asyncio.wait([feeding], timeout=0.2))[0]:
                n_taken += 1
                feeding = asyncio.create_task(connection.send(bytes(3200)))
            feeding.cancel()
        return n_taken

    assert asyncio.run(run()) == 10  # of 0.1 s each


@pytest.mark.parametrize("grace_s", [0, 0.05])
def test_a_session_that_is_lost_leaves_a_gap_that_is_told(grace_s: float) -> None:
    async def run(lossy: LiveServer) -> list[Heard]:
        async def until_lost(_: float) -> None:
            await asyncio.to_thread(lossy.call, until_gone(lossy))

        slow = replace(AT_ONCE, sleep=until_lost)
        async with proxy(lossy.port, [Fault(Kind.RESET, 100_000)]) as between:
            return await heard(between.url, audio, slow)

    audio = PCM[:192_000]
    with live_server(resume_grace_s=grace_s) as lossy:
        messages = asyncio.run(run(lossy))
    (gap,) = [message for message in messages if isinstance(message, Gap)]
    (continued,) = [message for message in messages if isinstance(message, Continued)]
    assert 0 <= gap.start_s <= gap.end_s == continued.at_s < 100_000 / 32_000
    bye = messages[-1]
    assert isinstance(bye, Bye)
    assert bye.audio_s == pytest.approx(6, abs=1e-4)  # what is uncertain counts, and only once


def test_a_server_that_ends_without_finishing_is_followed_by_another(server: LiveServer) -> None:
    audio = PCM[:192_000]
    begun = asyncio.Event()

    async def end_all() -> None:
        for session in list(server.service.sessions.values()):
            session.fail(ShutdownError("the server stopped"))

    async def speak() -> AsyncIterator[bytes]:
        yield audio[:100_000]
        await begun.wait()
        await asyncio.to_thread(server.call, end_all())
        yield audio[100_000:]

    async def run() -> list[Heard]:
        told: list[Heard] = []
        async with asyncio.timeout(TIMEOUT_S):
            async for message in stream(speak(), server.ws, persistence=AT_ONCE):
                told.append(message)
                if isinstance(message, Partial):
                    begun.set()
        return told

    messages = asyncio.run(run())
    kinds = [type(message) for message in messages if isinstance(message, (Error, Gap, Continued))]
    assert kinds == [Error, Gap, Continued]
    bye = messages[-1]
    assert isinstance(bye, Bye)
    assert bye.audio_s == pytest.approx(6, abs=1e-4)
