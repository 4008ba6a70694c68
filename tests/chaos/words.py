"""Attacks in the dialects' own frames: messages and audio, wrong, huge, tiny, or too much."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np

from tests.chaos.doors import (
    DEEPGRAM,
    DOORS,
    MISTRAL,
    NATIVE,
    OPENAI,
    Door,
    ended,
    enter,
    probed,
)
from tests.chaos.target import Target
from tests.chaos.wire import Heard, Wire
from voxwire.protocol.wyoming.framing import EventReader, WyomingEvent

JUNK = (
    "",
    " ",
    "null",
    "[]",
    "5",
    "true",
    '"end"',
    "{",
    "{}",
    '{"type": null}',
    '{"type": 5}',
    '{"type": ["end"]}',
    '{"type": {}}',
    '{"type": "nothing that anybody knows"}',
    '{"type": "\\ud800"}',
    '{"type": "\\u0000"}',
    '{"type": NaN',
    "1e999999",
    "9" * 5000,
    "[" * 50_000,
    '{"a":' * 20_000,
    '{"type": "' + "x" * 1_000_000 + '"}',
    "\ufeff{}",
    "\x00",
)
NO_BASE64: tuple[Any, ...] = ("!!!!", "AAA", "====", "AA=A", "é", "AAAA\0", "-_-_", 5, None, [], {})
NO_SOUND = (np.nan, np.inf, -np.inf, 1e7, -3e38)
LOUD = (1.0, 1e3, 1e6, 1e-40)


async def junk(target: Target, rng: random.Random) -> None:
    """Say what means nothing: each is refused, and the session goes on."""
    door = rng.choice(DOORS)
    said = rng.sample(JUNK, 4)
    await _all_refused(target, door, said)


async def random_json(target: Target, rng: random.Random) -> None:
    """Say an object of random fields: it is refused or means something, and the session goes on."""
    door = rng.choice(DOORS)
    words = ["type", "session", "audio", "model", "event_id", "ref", "final", "item_id", "seq"]
    values: list[Any] = [
        None,
        True,
        -1,
        1e308,
        "",
        "x" * 300,
        [],
        {},
        [[[]]],
        {"audio": {"input": 5}},
    ]
    wire = await enter(target.port, door)
    for _ in range(8):
        fields = {rng.choice(words): rng.choice(values) for _ in range(rng.randrange(5))}
        await wire.say(json.dumps(fields | {"type": rng.choice(["config", "session.update", "x"])}))
    await probed(wire, door)
    await ended(wire, door)


async def no_base64(target: Target, rng: random.Random) -> None:
    """Say audio that is no base64: it is refused, and the session goes on."""
    door = rng.choice([door for door in DOORS if door.in_base64])
    assert door.in_base64 is not None
    await _all_refused(target, door, [door.in_base64(rng.choice(NO_BASE64)) for _ in range(3)])


async def _all_refused(target: Target, door: Door, said: list[str]) -> None:
    wire = await enter(target.port, door)
    await wire.say(*said)
    errors = [event for event in await probed(wire, door) if door.is_error(event)]
    shown = [each[:40] for each in said]
    assert len(errors) == len(said), f"{door.name}: {shown} brought {len(errors)} errors: {errors}"
    await ended(wire, door)


def _floats(rng: random.Random) -> bytes:
    bad = rng.choice(NO_SOUND)
    samples = np.zeros(1600, "<f4")
    samples[rng.randrange(1600)] = bad
    return samples.tobytes()


async def no_sound(target: Target, rng: random.Random) -> None:
    """Send samples that are no sound: refused whole, and the session goes on to its end."""
    door = rng.choice([NATIVE, MISTRAL, DEEPGRAM])
    path = {
        "native": "/v1/stream?encoding=pcm_f32le",
        "deepgram": "/v1/listen?encoding=linear32&sample_rate=16000",
    }.get(door.name)
    wire = await enter(target.port, door, path)
    if door is MISTRAL:
        form = {"audio_format": {"encoding": "pcm_f32le", "sample_rate": 16000}}
        await wire.say(json.dumps({"type": "session.update", "session": form}))
    await wire.say(door.audio(_floats(rng)), door.audio(bytes(6400)))
    errors = [event for event in await probed(wire, door) if door.is_error(event)]
    assert len(errors) == 1, f"{door.name}: {errors}"
    await ended(wire, door)


async def loud_audio(target: Target, rng: random.Random) -> None:
    """Send what a broken sound card does: clipped, noise, huge floats. It is heard to the end."""
    wire = await enter(target.port, NATIVE, "/v1/stream?encoding=pcm_f32le")
    n = rng.randrange(1, 16_000)
    square = np.where(np.arange(n) // 20 % 2, 1.0, -1.0)
    scale = rng.choice(LOUD)
    await wire.say((square * scale).astype("<f4").tobytes())
    heard = await ended(wire, NATIVE)
    bye = heard.events()[-1]
    assert bye["audio_s"] == n / 16000, bye


BAD_QUERIES = (
    "/v1/stream?sample_rate=0",
    "/v1/stream?sample_rate=-16000",
    "/v1/stream?sample_rate=1e4",
    "/v1/stream?sample_rate=999999999999999999999",
    "/v1/stream?channels=0",
    "/v1/stream?channels=65536",
    "/v1/stream?encoding=mp3",
    "/v1/stream?delay_ms=81",
    "/v1/stream?threshold=nan&endpoint=vad",
    "/v1/stream?endpoint=none&silence_ms=500",
    "/v1/listen",
    "/v1/listen?encoding=linear16",
    "/v1/listen?encoding=opus&sample_rate=16000",
    "/v1/listen?encoding=linear16&sample_rate=",
    "/v1/listen?encoding=linear16&sample_rate=-1",
    "/v1/listen?encoding=linear16&sample_rate=16000&channels=999",
    "/v1/listen?encoding=linear16&sample_rate=16000&callback=http://x",
    "/v1/realtime?intent=conversation",
)


async def bad_address(target: Target, rng: random.Random) -> None:
    """Ask for what there is not, in the address: 400 before the socket opens."""
    path = rng.choice(BAD_QUERIES)
    wire = await Wire.open(target.port)
    answer = await wire.upgrade(path)
    wire.leave()
    assert (answer.status, answer.error is not None) == (400, True), f"{path}: {answer}"


BAD_FORMATS: tuple[Any, ...] = (
    {"type": "audio/pcm", "rate": 0},
    {"type": "audio/pcm", "rate": -24000},
    {"type": "audio/pcm", "rate": 10**12},
    {"type": "audio/pcm", "rate": "fast"},
    {"type": "audio/mp3"},
    {"type": 5},
    "pcm16",
    [],
)


async def bad_format(target: Target, rng: random.Random) -> None:
    """Ask for it later: refused, and the session goes on as it was."""
    update = {"type": "session.update", "session": {"audio": {"input": {}}}}
    update["session"]["audio"]["input"]["format"] = rng.choice(BAD_FORMATS)  # type: ignore[index]
    await _all_refused(target, OPENAI, [json.dumps(update)])


async def tiny_messages(target: Target, rng: random.Random) -> None:
    """Send a second of audio byte by byte: all of it is heard."""
    data = rng.randbytes(3200)
    wire = await enter(target.port, NATIVE)
    await wire.say(*(data[at : at + 1] for at in range(len(data))))
    bye = (await ended(wire, NATIVE)).events()[-1]
    assert bye["audio_s"] == 0.1, bye


async def huge_message(target: Target, rng: random.Random) -> None:
    """Send half a minute in one message, much faster than it is spoken: all of it is heard."""
    wire = await enter(target.port, NATIVE, "/v1/stream?endpoint=none")
    await wire.say(rng.randbytes(32_000) * 30)
    bye = (await ended(wire, NATIVE)).events()[-1]
    assert bye["audio_s"] == 30, bye


async def commands_in_any_order(target: Target, rng: random.Random) -> None:
    """Commit, clear, configure and speak in any order: every commit has one final."""
    wire = await enter(target.port, NATIVE, "/v1/stream?endpoint=none")
    said: list[str | bytes] = []
    for _ in range(20):
        choices: list[str | bytes] = ['{"type": "commit"}', '{"type": "keepalive"}']
        said.append(rng.choice([*choices, rng.randbytes(999)]))
    await wire.say(*said)
    events = (await ended(wire, NATIVE)).events()
    finals = [event for event in events if event["type"] == "final" and event["reason"] == "commit"]
    assert len(finals) == said.count('{"type": "commit"}'), events
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


async def flood_of_commits(target: Target, rng: random.Random) -> None:
    """Commit again and again without audio: each is answered, in order."""
    wire = await enter(target.port, NATIVE, NATIVE.path + "?endpoint=none")
    await wire.say(*['{"type": "commit"}'] * 300)
    events = (await ended(wire, NATIVE)).events()
    finals = [event["segment"] for event in events if event["type"] == "final"]
    assert finals[:300] == list(range(300)), finals


async def lost_token(target: Target, rng: random.Random) -> None:
    """Go on with a session that is nobody's: refused where a page can read it."""
    wire = await Wire.open(target.port)
    answer = await wire.upgrade(f"/v1/stream?resume=resume_{rng.randbytes(9).hex()}&after_seq=1")
    assert answer.status == 101
    heard: Heard = await wire.hear_all()
    wire.leave()
    assert heard.close_code == 1008
    assert heard.events()[0]["code"] == "resume_lost"


FORM = {"rate": 16000, "width": 2, "channels": 1}
WYOMING_JUNK = (
    b"\n" * 1500,
    b"GET / HTTP/1.1\r\n",
    b"x" * (1 << 16),
    b'{"type": 5}\n',
    b'{"type": "audio-chunk", "payload_length": -1}\n',
    b'{"type": "audio-chunk", "payload_length": 99999999999}\n',
    b'{"type": "describe", "data_length": 9999999}\n',
    b'{"type": "describe", "data_length": 3}\n{]}',
    WyomingEvent("audio-start", FORM | {"width": 4}).encode(),
    WyomingEvent("audio-start", FORM | {"rate": 0}).encode(),
    WyomingEvent("audio-start", FORM | {"channels": 10**9}).encode(),
    WyomingEvent("audio-stop").encode(),
    WyomingEvent("audio-start", FORM).encode() * 2,
    WyomingEvent("audio-start", FORM).encode()
    + WyomingEvent("audio-chunk", FORM | {"rate": 8000}, bytes(9)).encode(),
)


async def wyoming_junk(target: Target, rng: random.Random) -> None:
    """Say to Wyoming what it cannot understand: an error event, and the end."""
    said = rng.choice(WYOMING_JUNK)
    wire = await Wire.open(target.wyoming_port)
    await wire.send(said)
    reader = EventReader(1 << 20)
    events: list[WyomingEvent] = []
    while data := await wire.reader.read(1 << 16):
        events += reader.feed(data)
    wire.leave()
    assert events, f"nothing for {said[:40]!r}"
    assert events[-1].type == "error", events
    assert set(events[-1].data) == {"text", "code"}, events
