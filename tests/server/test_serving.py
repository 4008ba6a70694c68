"""The server's process from its first line to its exit status, with real signals."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.server.serve_process import Process, serving
from tests.server.voices import read
from voxwire.server.cli.demo import RECORDING
from voxwire.server.serving import EXIT_ENGINE_FAILED

BROKEN = (sys.executable, str(Path(__file__).with_name("fails_after.py")))
TIMEOUT_S = 60
SILENCE = bytes(32_000)  # one second
Events = list[dict[str, Any]]


def recording() -> bytes:
    """Return the demo's recording as PCM16 at 16 kHz."""
    return (read(RECORDING) * 32767).astype("<i2").tobytes()


async def rest(socket: ClientConnection) -> Events:
    """Return all events up to the end of the connection."""
    events = []
    try:
        async with asyncio.timeout(TIMEOUT_S):
            async for message in socket:
                events.append(json.loads(message))
    except ConnectionClosed:
        pass
    return events


async def seen(socket: ClientConnection, is_it: Callable[[dict[str, Any]], bool]) -> None:
    """Return when an event of some kind came."""
    async with asyncio.timeout(TIMEOUT_S):
        while not is_it(json.loads(await socket.recv())):
            pass


def text_of(events: Events) -> str:
    return " ".join(event["text"].strip() for event in events if event["type"] == "final").strip()


def spoken(process: Process, audio: bytes, *, is_cut: bool) -> Events:
    """Send a recording, then an end, or a signal to the server instead; return what came."""

    async def talk() -> Events:
        async with connect(f"{process.ws}/v1/stream") as socket:
            for at in range(0, len(audio), 32_000):
                await socket.send(audio[at : at + 32_000])
            await seen(socket, lambda event: event["type"] == "partial")
            if is_cut:
                process.signal()
            else:
                await socket.send(json.dumps({"type": "end"}))
            return await rest(socket)

    return asyncio.run(talk())


def test_the_first_signal_lets_open_sessions_finish_and_then_exits_with_0() -> None:
    with serving() as process:
        whole = text_of(spoken(process, recording(), is_cut=False))
        drained = spoken(process, recording(), is_cut=True)
        assert process.wait() == 0
    kinds = [event["type"] for event in drained]
    assert whole
    assert text_of(drained) == whole
    assert kinds[-1] == "bye"
    assert drained[-1]["reason"] == "shutdown"


def test_a_second_signal_ends_at_once_and_says_why() -> None:
    async def talk(process: Process) -> Events:
        async with connect(f"{process.ws}/v1/stream") as socket:
            await socket.send(SILENCE * 8)
            process.signal()
            await seen(socket, lambda event: event.get("code") == "draining")
            process.signal()
            return await rest(socket)

    with serving("--drain-s", "600", command=(*BROKEN, "dawdle")) as process:
        events = asyncio.run(talk(process))
        assert process.wait() == 0
    assert [event.get("code") for event in events if event["type"] == "error"] == ["shutdown"]
    assert events[-1]["type"] == "bye"


def test_clients_who_have_gone_hold_no_server_up_for_long() -> None:
    async def leave(process: Process) -> None:
        for said in ([], [SILENCE]):
            socket = await connect(f"{process.ws}/v1/stream")
            await socket.recv()
            for audio in said:
                await socket.send(audio)
            socket.transport.abort()

    with serving("--drain-s", "600", "--resume-grace-s", "600") as process:
        asyncio.run(leave(process))
        process.signal()
        assert process.wait() == 0  # which waits for less than 600 s


def test_a_client_that_has_said_nothing_yet_is_told_why_too() -> None:
    async def talk(process: Process) -> Events:
        async with connect(f"{process.ws}/v1/stream") as silent:
            await seen(silent, lambda event: event["type"] == "ready")
            for _ in range(3):
                await asyncio.to_thread(broken_off, process)
            return await rest(silent)

    with serving(command=(*BROKEN, "raise")) as process:
        events = asyncio.run(talk(process))
        assert process.wait() == EXIT_ENGINE_FAILED
    assert [event["code"] for event in events if event["type"] == "error"] == ["engine_dead"]


def test_an_idle_server_ends_at_once() -> None:
    with serving() as process:
        process.signal(signal.SIGINT)
        assert process.wait() == 0


def test_a_server_whose_engine_failed_exits_with_70_and_tells_its_clients() -> None:
    with serving(command=(*BROKEN, "raise")) as process:
        told = [broken_off(process) for _ in range(3)]
        assert process.wait() == EXIT_ENGINE_FAILED
    assert all(events[-1]["type"] == "bye" for events in told)
    assert any("engine=failed" in line for line in process.lines)


def test_a_server_whose_engine_hangs_ends_all_the_same() -> None:
    with serving("--drain-s", "0", command=(*BROKEN, "hang")) as process:

        async def talk() -> None:
            async with connect(f"{process.ws}/v1/stream") as socket:
                await socket.send(SILENCE)
                process.signal()
                await rest(socket)

        asyncio.run(talk())
        assert process.wait() == EXIT_ENGINE_FAILED
    assert any("engine=hung" in line for line in process.lines)


def broken_off(process: Process) -> Events:
    """Send a second of silence; return what came, up to the end."""

    async def talk() -> Events:
        async with connect(f"{process.ws}/v1/stream") as socket:
            await socket.send(SILENCE)
            return await rest(socket)

    return asyncio.run(talk())
