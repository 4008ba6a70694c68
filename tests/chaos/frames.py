"""Attacks below the dialects: no frames, and connections that break, stay, or do not read."""

from __future__ import annotations

import asyncio
import random
import struct

from tests.chaos.doors import DOORS, NATIVE, Door, ended, enter, probed
from tests.chaos.target import Target
from tests.chaos.wire import (
    BINARY,
    CLOSE,
    CONT,
    PING,
    TEXT,
    Wire,
    frame,
    handshake,
    long_length,
    message,
)

CLOSE_CODES = {1002, 1007, 1009}

# Each is refused by a close with one of these codes.
BROKEN: dict[str, tuple[bytes, set[int]]] = {
    "unmasked": (frame(TEXT, b"{}", is_masked=False), {1002}),
    "reserved bit": (frame(TEXT, b"{}", rsv=4), {1002}),
    "reserved opcode": (frame(0x3, b"x"), {1002}),
    "reserved control opcode": (frame(0xB), {1002}),
    "long ping": (frame(PING, bytes(126)), {1002}),
    "fragmented ping": (frame(PING, b"x", fin=False), {1002}),
    "continuation of nothing": (frame(CONT, b"x"), {1002}),
    "message within a message": (frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), {1002}),
    "text that is no UTF-8": (frame(TEXT, b'{"type": "\xff\xfe"}'), {1007}),
    "text that ends within a character": (frame(TEXT, "é".encode()[:1]), {1007}),
    "length of 2^62": (frame(BINARY, length=long_length(1 << 62)), {1009}),
    "length of 2^63": (frame(BINARY, length=long_length(1 << 63)), {1002, 1009}),
    "too long a message": (frame(BINARY, length=long_length((4 << 20) + 1)), {1009}),
    "close of one byte": (frame(CLOSE, b"x"), {1002}),
    "close with a code that is none": (frame(CLOSE, struct.pack("!H", 999)), {1002}),
    "close whose reason is no UTF-8": (
        frame(CLOSE, struct.pack("!H", 1000) + b"\xff"),
        {1002, 1007},
    ),
}


async def broken_frame(target: Target, rng: random.Random) -> None:
    """Send a frame that is none, maybe after audio: a close says what it was."""
    name, (data, codes) = rng.choice(list(BROKEN.items()))
    door = rng.choice(DOORS)
    wire = await enter(target.port, door)
    if rng.random() < 0.5:
        await wire.say(door.audio(rng.randbytes(3201)))
    await wire.send(data)
    heard = await wire.hear_all()
    wire.leave()
    assert heard.close_code in codes, f"{door.name}, {name}: closed with {heard.close_code}"


async def noise_for_frames(target: Target, rng: random.Random) -> None:
    """Send noise: a close says that it is no frame."""
    door = rng.choice(DOORS)
    wire = await enter(target.port, door)
    await wire.send(bytes([0xFF]) + rng.randbytes(rng.randrange(1, 4000)))
    heard = await wire.hear_all()
    wire.leave()
    assert heard.close_code in CLOSE_CODES, f"{door.name}: closed with {heard.close_code}"


async def many_fragments(target: Target, rng: random.Random) -> None:
    """Send one right message in fragments of a byte, with pings between: it is understood."""
    door = rng.choice(DOORS)
    wire = await enter(target.port, door)
    audio = door.audio(rng.randbytes(999))
    data = audio if isinstance(audio, bytes) else audio.encode()
    pieces = [frame(CONT, data[at : at + 1], fin=False) for at in range(len(data))]
    first = frame(BINARY if isinstance(audio, bytes) else TEXT, fin=False)
    await wire.send(first + frame(PING).join(pieces) + frame(CONT))
    events = await probed(wire, door)
    assert not any(map(door.is_error, events)), f"{door.name}: {events}"
    await ended(wire, door)


async def endless_fragments(target: Target, rng: random.Random) -> None:
    """Send fragments of nothing: they cost no length, and yet are too large a message."""
    wire = await enter(target.port, rng.choice(DOORS))
    await wire.send(frame(TEXT, fin=False))
    for _ in range(30):
        await wire.send(frame(CONT, fin=False) * 500)
    heard = await wire.hear_all()
    wire.leave()
    assert heard.close_code == 1009, f"closed with {heard.close_code}"


async def flood_of_pings(target: Target, rng: random.Random) -> None:
    """Ping without end: each is answered, and so is the session."""
    door = rng.choice(DOORS)
    wire = await enter(target.port, door)
    await wire.send(frame(PING, b"x" * 100) * 2000)
    await probed(wire, door)
    await ended(wire, door)


def _conversation(door: Door, rng: random.Random) -> bytes:
    audio = door.audio(rng.randbytes(rng.randrange(1, 20_000)))
    said = [*door.opening, audio, audio, *([door.end] if door.end else [])]
    return handshake(door.path) + b"".join(map(message, said))


async def death_at_any_byte(target: Target, rng: random.Random) -> None:
    """Die after so many bytes of a conversation, politely or not."""
    said = _conversation(rng.choice(DOORS), rng)
    n_bytes = rng.choice([rng.randrange(1, 400), rng.randrange(1, len(said))])
    wire = await Wire.open(target.port)
    await wire.send(said[:n_bytes])
    if rng.random() < 0.5:
        await asyncio.sleep(0)
    wire.leave(is_rude=rng.random() < 0.5)


async def half_open(target: Target, rng: random.Random) -> None:
    """Close one direction in the middle of a session: the other closes too."""
    door = rng.choice(DOORS)
    wire = await enter(target.port, door)
    await wire.say(door.audio(rng.randbytes(8000)))
    wire.writer.write_eof()
    await wire.eof()
    wire.leave()


async def storm(target: Target, rng: random.Random) -> None:
    """Connect many times and leave at once."""
    wires = await asyncio.gather(*(Wire.open(target.port) for _ in range(20)))
    for wire in wires:
        if rng.random() < 0.5:
            await wire.send(handshake(rng.choice(DOORS).path))
        wire.leave(is_rude=rng.random() < 0.8)


async def wyoming_storm(target: Target, rng: random.Random) -> None:
    """Likewise, where Wyoming is spoken."""
    for _ in range(20):
        wire = await Wire.open(target.wyoming_port)
        await wire.send(
            b'{"type": "audio-start", "data": {"rate": 16000, "width"'[: rng.randrange(60)]
        )
        wire.leave(is_rude=rng.random() < 0.5)


async def head_byte_by_byte(target: Target, rng: random.Random) -> None:
    """Send a head so slowly that it never comes: 408."""
    head = handshake(rng.choice(DOORS).path)
    wire = await Wire.open(target.port)
    answer = asyncio.create_task(wire.http_answer())
    for at in range(len(head) - 1):
        if answer.done():
            break
        await wire.send(head[at : at + 1])
        await asyncio.wait([answer], timeout=0.1)
    heard = await answer
    wire.leave()
    assert heard.status == 408, f"answered {heard.status}"
    assert heard.error is not None, heard.body


async def nobody_reads_events(target: Target, rng: random.Random) -> None:
    """Ask for one answer after another and take none: the server gives up."""
    door = rng.choice(DOORS)
    wire = await _mute(target.port, door)
    await _until_cut(wire, message("{}") * 500)


async def nobody_reads_pongs(target: Target, rng: random.Random) -> None:
    """Ping and take no pong: the server gives up."""
    await _until_cut(await _mute(target.port, rng.choice(DOORS)), frame(PING, bytes(125)) * 500)


async def nobody_reads_pages(target: Target, rng: random.Random) -> None:
    """Ask for pages and take none: the server gives up."""
    wire = await Wire.open(target.port, receive_bytes=4096)
    await _until_cut(wire, b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 50)


async def nobody_reads_wyoming(target: Target, rng: random.Random) -> None:
    """Ask to be told what is served and do not listen: the server gives up."""
    wire = await Wire.open(target.wyoming_port, receive_bytes=4096)
    await _until_cut(wire, b'{"type": "describe"}\n' * 500)


async def _mute(port: int, door: Door) -> Wire:
    wire = await Wire.open(port, receive_bytes=4096)
    await wire.upgrade(door.path)
    return wire


async def _until_cut(wire: Wire, said: bytes) -> None:
    # The reader's own buffer would read for us.
    wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
    while not wire.is_cut:
        await wire.send(said)
    wire.leave(is_rude=True)


async def silent_socket(target: Target, rng: random.Random) -> None:
    """Open a session, say nothing at all for a while, and vanish without a word."""
    wire = await enter(target.port, NATIVE)
    await asyncio.sleep(rng.random())
    wire.leave(is_rude=True)
