"""How a stream ends where its server goes first, or says what the client does not know."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import pytest
from websockets.asyncio.server import ServerConnection, serve

from voxwire.clients.python import Gap, Heard, Persistence, Reconnecting, stream
from voxwire.protocol.errors import EngineDeadError, SessionFailedError
from voxwire.protocol.native.messages import Bye, Error, Partial, Ready

TIMEOUT_S = 20
AUDIO = bytes(3200)
SETTINGS = {"encoding": "pcm_s16le", "sample_rate": 16000, "channels": 1}
READY = {"type": "ready", "session": "s", "model": "m", "settings": SETTINGS}
RESUMABLE = {**READY, "resume": "token", "resume_grace_s": 30}
PARTIAL = {"type": "partial", "segment": 0, "delta": "half", "text": "half", "at_s": 0.05}
ALL_CAME = {"type": "received", "audio_bytes": len(AUDIO), "controls": 1}
ENGINE_DEAD = {"type": "error", "code": "engine_dead", "message": "the engine failed"}
LOST = {"type": "error", "code": "resume_lost", "message": "no such session"}
AT_ONCE = Persistence(first_s=0.001, longest_s=0.002)

Script: TypeAlias = Callable[[ServerConnection], Awaitable[None]]


def bye(reason: str) -> dict[str, Any]:
    return {"type": "bye", "reason": reason, "audio_s": 0.1}


def telling(first: dict[str, Any], *rest: dict[str, Any] | str, is_cut: bool = False) -> Script:
    """Say the first at once and the rest when all was heard; then close, or break."""

    async def play(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"seq": 1, **first}))
        if rest:
            while '"end"' not in str(await socket.recv()):
                pass
        for seq, message in enumerate(rest, 2):
            numbered = message if isinstance(message, str) else json.dumps({"seq": seq, **message})
            await socket.send(numbered)
        if is_cut:
            socket.transport.abort()

    return play


@asynccontextmanager
async def server(*scripts: Script) -> AsyncIterator[str]:
    """Play one script for each connection; of one too many nothing is heard."""
    left = iter(scripts)

    async def play(socket: ServerConnection) -> None:
        script = next(left, None)
        await (socket.wait_closed() if script is None else script(socket))

    async with serve(play, "127.0.0.1", 0) as serving:
        [listening] = serving.sockets
        yield f"ws://127.0.0.1:{listening.getsockname()[1]}"


async def once() -> AsyncIterator[bytes]:
    yield AUDIO


def heard(
    *scripts: Script, persistence: Persistence = AT_ONCE
) -> tuple[list[Heard], Exception | None]:
    """Return what a stream of a tenth of a second was told, and what it raised at the end."""
    told: list[Heard] = []

    async def run() -> Exception | None:
        async with asyncio.timeout(TIMEOUT_S), server(*scripts) as url:
            try:
                async for message in stream(once(), url, persistence=persistence):
                    told.append(message)
            except Exception as error:
                return error
        return None

    return told, asyncio.run(run())


def kinds(told: list[Heard]) -> list[type[Heard]]:
    return [type(message) for message in told]


@pytest.mark.parametrize(
    "scripts",
    [
        [telling(RESUMABLE, PARTIAL, ALL_CAME, is_cut=True), telling(LOST)],
        [telling(READY, PARTIAL, ALL_CAME, is_cut=True)],
    ],
    ids=["not to be resumed", "lost at once"],
)
def test_a_session_lost_after_its_end_leaves_a_gap_and_nothing_to_wait_for(
    scripts: list[Script],
) -> None:
    told, end = heard(*scripts)
    assert kinds(told) == [Ready, Partial, Reconnecting, Gap]
    assert told[-1] == Gap(start_s=0.0, end_s=0.1, segment=0, text="half")
    assert end is None


def test_an_engine_that_dies_after_the_end_was_confirmed_is_raised() -> None:
    told, end = heard(telling(RESUMABLE, ALL_CAME, ENGINE_DEAD, bye("error")))
    assert kinds(told) == [Ready, Error, Bye]
    assert isinstance(end, EngineDeadError)


@pytest.mark.parametrize(
    ("unknown", "what"),
    [
        (bye("of_the_future"), "bye.reason"),
        ({**PARTIAL, "at_s": "soon"}, "partial.at_s"),
        ("{", "JSON"),
        ("[]", "object"),
        ('{"type": "partial"}', "seq"),
    ],
)
def test_what_cannot_be_read_is_a_typed_error(unknown: dict[str, Any] | str, what: str) -> None:
    told, end = heard(telling(READY, unknown))
    assert kinds(told) == [Ready]
    assert isinstance(end, SessionFailedError)
    assert what in end.message


def test_a_first_message_that_cannot_be_read_is_one_too() -> None:
    _, end = heard(telling({"type": "welcome"}))
    assert isinstance(end, SessionFailedError)


def test_what_a_newer_server_says_besides_is_passed_over() -> None:
    newer = {**READY, "settings": {**SETTINGS, "of_the_future": 1}, "region": "here"}
    told, end = heard(telling(newer, {"type": "mood"}, ALL_CAME, bye("end")))
    assert kinds(told) == [Ready, Bye]
    assert end is None


def test_a_fault_of_the_clients_own_is_raised_to_who_reads() -> None:
    async def fail(seconds: float) -> None:
        raise RuntimeError("it cannot wait")

    broken = Persistence(sleep=fail)
    _, end = heard(telling(RESUMABLE, PARTIAL, is_cut=True), persistence=broken)
    assert (type(end), str(end)) == (RuntimeError, "it cannot wait")
