"""Faults of the machine, one after another: what they may cost, and what they may not.

Each needs the server for itself: a step that fails takes with it whoever was in it.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chaos.doors import NATIVE, Door, ended, enter
from tests.chaos.healthy import RATE_HZ, Speech, squeezed
from tests.chaos.target import Target
from tests.chaos.uploads import TYPED
from tests.chaos.wire import HttpAnswer, Wire
from tests.server.uploads.rest import DIGITS, form, head

STALE_S = 0.3
FREE_OF_ENDPOINTS = NATIVE.path + "?endpoint=none"


class SkippedError(Exception):
    """What cannot be done to this server, and why."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the machine. run: raises where it costs more than it may."""

    kind: str
    run: Callable[[Target, Speech], Awaitable[None]]


async def _get(target: Target, path: str) -> HttpAnswer:
    wire = await Wire.open(target.port)
    await wire.send(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    answer = await wire.http_answer()
    wire.leave()
    return answer


async def _begun(target: Target, said: Speech) -> Wire:
    """Return a session that has sent half of its audio."""
    wire = await enter(target.port, NATIVE, FREE_OF_ENDPOINTS)
    await wire.say(said.pcm[: len(said.pcm) // 2])
    return wire


async def _is_whole(wire: Wire, said: Speech) -> None:
    """Send the rest; nothing may be missing."""
    await wire.say(said.pcm[len(said.pcm) // 2 :])
    events = (await ended(wire, NATIVE)).events()
    text = "".join(event["text"] for event in events if event["type"] == "final")
    assert squeezed(text) == squeezed(said.text), f"wrote {text!r} for {said.text!r}"
    assert events[-1]["audio_s"] == len(said.pcm) / 2 / RATE_HZ


async def step_raises(target: Target, said: Speech) -> None:
    """A step fails: its sessions are told so, and the next ones are served."""
    for _ in range(2):  # three in a row would end the process, as they should
        wire = await enter(target.port, NATIVE)
        await target.ask("fail_steps", 1)
        await wire.say(said.pcm)
        heard = await wire.hear_all()
        wire.leave()
        codes = [event.get("code") for event in heard.events() if event["type"] == "error"]
        assert codes == ["step_fault"], heard.messages
        assert heard.close_code == 1011
        await _is_whole(await _begun(target, said), said)


async def step_hangs(target: Target, said: Speech) -> None:
    """A step hangs: the server says that it is not ready, refuses, and loses nothing after."""
    wire = await _begun(target, said)
    await target.ask("hold_steps", STALE_S)
    try:
        await wire.say(said.pcm[len(said.pcm) // 2 : -2])
        for path, word in (("/readyz", "engine_dead"), ("/healthz", "dead")):
            while (answer := await _get(target, path)).status == 200:
                await asyncio.sleep(STALE_S / 10)
            assert answer.status == 503, answer
            assert word in answer.body.decode()
        other = await Wire.open(target.port)
        refused = await other.upgrade(NATIVE.path)
        other.leave()
        assert (refused.status, refused.error is not None) == (503, True), refused
    finally:
        await target.ask("heal")
    await wire.say(said.pcm[-2:])
    while (await _get(target, "/readyz")).status != 200:
        await asyncio.sleep(STALE_S / 10)
    events = (await ended(wire, NATIVE)).events()
    text = "".join(event["text"] for event in events if event["type"] == "final")
    assert squeezed(text) == squeezed(said.text), f"wrote {text!r} for {said.text!r}"


async def flood_while_hung(target: Target, said: Speech) -> None:
    """Who sends faster than the engine takes is slowed down, and not kept in memory."""
    wire = await enter(target.port, NATIVE, FREE_OF_ENDPOINTS)
    await target.ask("hold_steps", 1e9)
    n_most = 64 << 20
    n_sent = 0
    try:
        while n_sent < n_most:
            try:
                async with asyncio.timeout(1.0):
                    await wire.send(b"\x82\xff" + (1 << 20).to_bytes(8) + bytes(4 + (1 << 20)))
            except TimeoutError:
                break
            n_sent += 1 << 20
    finally:
        wire.leave(is_rude=True)
        await target.ask("heal")
    assert n_sent < n_most, f"{n_sent} bytes were taken, and nobody worked on them"


async def full_disk(target: Target, said: Speech) -> None:
    """A file finds no room: 503, and the others go on."""
    if sys.platform != "linux":
        raise SkippedError("only Linux has /dev/full")
    wire = await _begun(target, said)
    await target.ask("fill_disk")
    try:
        for content in (DIGITS.read_bytes(), bytes(3 << 20)):  # kept in memory at first, or not
            body = form(content)
            upload = await Wire.open(target.port)
            await upload.send(head(body) + body)
            answer = await upload.http_answer()
            upload.leave()
            assert answer.status == 503, answer
            assert answer.error is not None
    finally:
        await target.ask("heal")
    await _is_whole(wire, said)


async def clock_jumps(target: Target, said: Speech) -> None:
    """The wall clock jumps by years, both ways: nobody notices."""
    for seconds in (1e9, -1e9, 3600.0):
        wire = await _begun(target, said)
        await target.ask("jump_clock", seconds)
        try:
            await _is_whole(wire, said)
            await _is_whole(await _begun(target, said), said)
        finally:
            await target.ask("heal")


async def no_descriptors(target: Target, said: Speech) -> None:
    """Descriptors run short: who comes is refused while there still are some, who is in goes on."""
    if not target.is_process:
        raise SkippedError("the server shares this process")
    wire = await _begun(target, said)
    await target.ask("squeeze", "descriptors", 300)
    crowd = [await Wire.open(target.port) for _ in range(150)]
    try:
        answers = [await each.upgrade(NATIVE.path) for each in crowd]
        refused = [answer for answer in answers if answer.status != 101]
        assert refused, "everybody was let in"
        # 408: whose turn to ask came after the server's short patience with those.
        wrong = [each for each in refused if each.status not in {408, 503} or not each.error]
        assert not wrong, wrong[0]
        await _is_whole(wire, said)
    finally:
        for each in crowd:
            each.leave(is_rude=True)
        await target.ask("heal")
    await _is_whole(await _begun(target, said), said)


async def no_memory(target: Target, said: Speech) -> None:
    """Memory is short: large messages and uploads are served or refused, and who is in goes on."""
    if not target.is_process or sys.platform != "linux":
        raise SkippedError("the server shares this process, or the system bounds no memory")
    wire = await _begun(target, said)
    await target.ask("squeeze", "bytes", 128 << 20)
    try:
        body = form(DIGITS.read_bytes())
        upload = await Wire.open(target.port)
        await upload.send(head(body) + body)
        answer = await upload.http_answer()
        upload.leave()
        assert answer.status == 200 or (answer.status in TYPED and answer.error), answer
        others = [await enter(target.port, NATIVE) for _ in range(16)]
        for other in others:
            await other.send(b"\x82\xff" + (4 << 20).to_bytes(8) + bytes(4 + (3 << 20)))
        await _is_whole(wire, said)
        for other in others:
            other.leave(is_rude=True)
    finally:
        await target.ask("heal")
    await _is_whole(await _begun(target, said), said)


async def no_threads(target: Target, said: Speech) -> None:
    """No thread can be started: an upload is served or refused, and the sessions go on."""
    wire = await _begun(target, said)
    await target.ask("refuse_threads")
    try:
        body = form(DIGITS.read_bytes())
        upload = await Wire.open(target.port)
        await upload.send(head(body) + body)
        answer = await upload.http_answer()
        upload.leave()
        assert answer.status == 200 or answer.error is not None, answer
        await _is_whole(wire, said)
    finally:
        await target.ask("heal")


FAULTS = (
    Fault("step that raises", step_raises),
    Fault("step that hangs", step_hangs),
    Fault("flood while a step hangs", flood_while_hung),
    Fault("full disk", full_disk),
    Fault("clock that jumps", clock_jumps),
    Fault("descriptors run short", no_descriptors),
    Fault("no thread to be had", no_threads),
    Fault("memory runs short", no_memory),
)


async def sequence(target: Target, door: Door, n: int, rng: random.Random) -> None:
    """Have so many short sessions, one after another, each to its end."""
    for _ in range(n):
        wire = await enter(target.port, door)
        await wire.say(door.audio(rng.randbytes(640)))
        await ended(wire, door)
