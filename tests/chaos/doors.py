"""The dialects at their WebSockets, as far as an attacker must know them."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.chaos.wire import GUARD_S, Heard, HttpAnswer, Wire

PROBE_TYPE = "chaos_probe"
AGAIN_S = 0.5  # until a client that was refused for want of places comes back
PROBE = json.dumps({"type": PROBE_TYPE})


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass(frozen=True, slots=True)
class Door:
    """One dialect. audio: says audio. end: ends a session, where the dialect has a word for it.

    in_base64: says a value in the place of base64 audio. is_error: whether an event is the
    dialect's error, whole.
    """

    name: str
    path: str
    audio: Callable[[bytes], str | bytes]
    is_error: Callable[[dict[str, Any]], bool]
    opening: tuple[str, ...] = ()
    end: str | None = None
    in_base64: Callable[[Any], str] | None = None

    def is_probes(self, event: dict[str, Any]) -> bool:
        """Tell whether an event refuses the probe, in the dialect's words."""
        return self.is_error(event) and PROBE_TYPE in json.dumps(event)


def _append(value: Any) -> str:
    return json.dumps({"type": "input_audio_buffer.append", "audio": value})


def _mistral_append(value: Any) -> str:
    return json.dumps({"type": "input_audio.append", "audio": value})


def _is_native_error(event: dict[str, Any]) -> bool:
    return event["type"] == "error" and bool(event["code"]) and bool(event["message"])


def _is_openai_error(event: dict[str, Any]) -> bool:
    keys = {"type", "code", "message", "param", "event_id"}
    return event["type"] == "error" and bool(event["event_id"]) and set(event["error"]) == keys


def _is_vllm_error(event: dict[str, Any]) -> bool:
    return event["type"] == "error" and bool(event["error"]) and bool(event["code"])


def _is_mistral_error(event: dict[str, Any]) -> bool:
    return event["type"] == "error" and set(event["error"]) >= {"message", "code"}


def _is_deepgram_error(event: dict[str, Any]) -> bool:
    return event["type"] == "Error" and bool(event["variant"]) and bool(event["description"])


NATIVE = Door(
    "native",
    "/v1/stream",
    audio=bytes,
    is_error=_is_native_error,
    end='{"type": "end"}',
    in_base64=lambda value: json.dumps({"type": "audio", "audio": value}),
)
OPENAI = Door(
    "openai",
    "/v1/realtime?intent=transcription",
    audio=lambda data: _append(_encoded(data)),
    is_error=_is_openai_error,
    in_base64=_append,
)
VLLM = Door(
    "vllm",
    "/v1/realtime",
    audio=lambda data: _append(_encoded(data)),
    is_error=_is_vllm_error,
    opening=('{"type": "session.update", "model": "any"}',),
    in_base64=_append,
)
MISTRAL = Door(
    "mistral",
    "/v1/audio/transcriptions/realtime",
    audio=lambda data: _mistral_append(_encoded(data)),
    is_error=_is_mistral_error,
    end='{"type": "input_audio.end"}',
    in_base64=_mistral_append,
)
DEEPGRAM = Door(
    "deepgram",
    "/v1/listen?encoding=linear16&sample_rate=16000",
    audio=bytes,
    is_error=_is_deepgram_error,
    end='{"type": "CloseStream"}',
)
DOORS = (NATIVE, OPENAI, VLLM, MISTRAL, DEEPGRAM)


async def enter(port: int, door: Door, path: str | None = None) -> Wire:
    """Open a session at a door; where a storm has taken all places, once there is one."""
    wire, answer = await _asked(port, path or door.path)
    while answer.status == 503 and answer.error and answer.error["code"] == "at_capacity":
        await asyncio.sleep(AGAIN_S)
        wire, answer = await _asked(port, path or door.path)
    assert answer.status == 101, f"{door.name} let nobody in: {answer.status} {answer.body!r}"
    await wire.say(*door.opening)
    return wire


async def _asked(port: int, path: str) -> tuple[Wire, HttpAnswer]:
    wire = await Wire.open(port)
    answer = await wire.upgrade(path)
    if answer.status != 101:
        wire.leave()
    return wire, answer


async def probed(wire: Wire, door: Door) -> list[dict[str, Any]]:
    """Say what is refused; return all events up to the refusal, which shows that the door works."""
    await wire.say(PROBE)
    heard = Heard()
    while True:
        said = await wire.hear_frame(heard)
        assert not heard.is_over, f"{door.name} closed {heard.close_code}: {heard.messages[-2:]}"
        if said is not None and door.is_probes(json.loads(said)):
            return heard.events()[:-1]


async def ended(wire: Wire, door: Door) -> Heard:
    """End the session in the dialect's words; return what came to the close, which must be 1000."""
    if door.end is None:
        await wire.send(b"\x88\x82\x00\x00\x00\x00\x03\xe8")
    else:
        await wire.say(door.end)
    heard = await wire.hear_all()
    assert heard.close_code == 1000, f"{door.name} ended with {heard.close_code}: {heard.messages}"
    wire.leave()
    return heard


__all__ = ["DOORS", "GUARD_S", "Door", "ended", "enter", "probed"]
