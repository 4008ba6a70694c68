"""Clients who do nothing wrong, and must not notice that others do."""

from __future__ import annotations

import asyncio
import io
import json
import random
import re
import wave
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.chaos.doors import DEEPGRAM, MISTRAL, NATIVE, OPENAI, VLLM, Door, ended, enter
from tests.chaos.target import Target
from tests.chaos.wire import GUARD_S, Heard, Wire
from tests.server.uploads.rest import form, head
from voxwire.model.mel import Floats
from voxwire.protocol.wyoming.framing import EventReader, WyomingEvent
from voxwire.server.collector import Collector
from voxwire.server.live import LiveTranscriber, OpenModel

RATE_HZ = 16000
PAUSE_S = 0.5  # between a client's sessions, or they alone would keep the machine busy


@dataclass(frozen=True, slots=True)
class Speech:
    """PCM16 of 16 kHz, and what the offline model writes of it."""

    pcm: bytes
    text: str

    @property
    def seconds(self) -> float:
        return len(self.pcm) / 2 / RATE_HZ


def speech(opened: OpenModel, pcm: bytes) -> Speech:
    """Return audio with its offline transcript at the model's own delay."""
    import numpy as np

    samples: Floats = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
    stream, collector = LiveTranscriber(opened, opened.default_delay_ms // 80), Collector()
    collector.add(stream.feed(samples))
    collector.add(stream.finish())
    return Speech(pcm, collector.transcript(len(samples), "", opened.default_delay_ms).text)


def squeezed(text: str) -> str:
    """Return text without spaces: between segments nobody says how many there are."""
    return re.sub(r"\s+", "", text)


async def say_in_pieces(wire: Wire, door: Door, pcm: bytes, rng: random.Random) -> None:
    """Send audio cut anywhere, within samples too."""
    at = 0
    while at < len(pcm):
        n_bytes = rng.randint(1, 9000)
        await wire.say(door.audio(pcm[at : at + n_bytes]))
        at += n_bytes


async def _until(wire: Wire, kind: str) -> Heard:
    heard = Heard()
    while True:
        said = await wire.hear_frame(heard)
        assert not heard.is_over, f"closed {heard.close_code} before {kind}: {heard.messages[-3:]}"
        if said is not None and json.loads(said)["type"] == kind:
            return heard


async def by_native(target: Target, pcm: bytes, rng: random.Random) -> str:
    """Return the text of a session without endpoints, whose bye must count all of the audio."""
    wire = await enter(target.port, NATIVE, NATIVE.path + "?endpoint=none")
    await say_in_pieces(wire, NATIVE, pcm, rng)
    events = (await ended(wire, NATIVE)).events()
    assert events[-1]["audio_s"] == len(pcm) / 2 / RATE_HZ
    return "".join(event["text"] for event in events if event["type"] == "final")


async def by_openai(target: Target, pcm: bytes, rng: random.Random) -> str:
    """Return the transcript of one committed item."""
    wire = await enter(target.port, OPENAI)
    form = {"type": "audio/pcm", "rate": RATE_HZ}
    session = {
        "type": "transcription",
        "audio": {"input": {"format": form, "turn_detection": None}},
    }
    await wire.say(json.dumps({"type": "session.update", "session": session}))
    await _until(wire, "session.updated")
    await say_in_pieces(wire, OPENAI, pcm, rng)
    await wire.say('{"type": "input_audio_buffer.commit"}')
    heard = await _until(wire, "conversation.item.input_audio_transcription.completed")
    await ended(wire, OPENAI)
    text: str = heard.events()[-1]["transcript"]
    return text


async def by_vllm(target: Target, pcm: bytes, rng: random.Random) -> str:
    """Return the text of one utterance."""
    wire = await enter(target.port, VLLM)
    await say_in_pieces(wire, VLLM, pcm, rng)
    await wire.say('{"type": "input_audio_buffer.commit", "final": true}')
    heard = await _until(wire, "transcription.done")
    await ended(wire, VLLM)
    text: str = heard.events()[-1]["text"]
    return text


async def by_mistral(target: Target, pcm: bytes, rng: random.Random) -> str:
    """Return the text of a session."""
    wire = await enter(target.port, MISTRAL)
    await say_in_pieces(wire, MISTRAL, pcm, rng)
    events = (await ended(wire, MISTRAL)).events()
    return "".join(event["text"] for event in events if event["type"] == "transcription.done")


async def by_deepgram(target: Target, pcm: bytes, rng: random.Random) -> str:
    """Return the text of all final results."""
    wire = await enter(target.port, DEEPGRAM)
    await say_in_pieces(wire, DEEPGRAM, pcm, rng)
    events = (await ended(wire, DEEPGRAM)).events()
    results = [event for event in events if event["type"] == "Results"]
    return "".join(event["channel"]["alternatives"][0]["transcript"] for event in results)


async def by_wyoming(target: Target, pcm: bytes, rng: random.Random) -> str:
    """Return the transcript of one utterance."""
    wire = await Wire.open(target.wyoming_port)
    form = {"rate": RATE_HZ, "width": 2, "channels": 1}
    said = [WyomingEvent("audio-start", form), WyomingEvent("audio-chunk", form, pcm)]
    await wire.send(b"".join(each.encode() for each in [*said, WyomingEvent("audio-stop")]))
    reader = EventReader(1 << 20)
    while data := await wire.reader.read(1 << 16):
        for event in reader.feed(data):
            if event.type == "transcript":
                wire.leave()
                return str(event.data["text"])
    raise AssertionError("Wyoming hung up before its transcript")


async def by_rest(target: Target, pcm: bytes, rng: random.Random) -> str:
    """Return the text of an upload."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE_HZ)
        sound.writeframes(pcm)
    body = form(file.getvalue())
    wire = await Wire.open(target.port)
    await wire.send(head(body) + body)
    answer = await wire.http_answer()
    wire.leave()
    assert answer.status == 200, f"REST answered {answer.status} {answer.body!r}"
    text: str = json.loads(answer.body)["text"]
    return text


Way = Callable[[Target, bytes, random.Random], Awaitable[str]]
WAYS: dict[str, Way] = {
    "native": by_native,
    "openai": by_openai,
    "vllm": by_vllm,
    "mistral": by_mistral,
    "deepgram": by_deepgram,
    "wyoming": by_wyoming,
    "rest": by_rest,
}


@dataclass
class Healthy:
    """One client of each kind, each with one session after another until `stop`."""

    target: Target
    speeches: list[Speech]
    rng: random.Random
    n_exact: int = 0
    audio_s: float = 0.0
    lost_s: float = 0.0
    faults: list[str] = field(default_factory=list)
    _is_wanted: bool = True

    async def run(self) -> None:
        """Speak until `stop`, and each at least once."""
        async with asyncio.TaskGroup() as tasks:
            for name in WAYS:
                tasks.create_task(self._speak_on(name))

    def stop(self) -> None:
        """Begin no further session."""
        self._is_wanted = False

    async def once(self) -> None:
        """Let each speak once."""
        for name in WAYS:
            await self._speak(name)

    async def _speak_on(self, name: str) -> None:
        await self._speak(name)
        while self._is_wanted:
            await asyncio.sleep(PAUSE_S)
            await self._speak(name)

    async def _speak(self, name: str) -> None:
        said = self.rng.choice(self.speeches)
        self.audio_s += said.seconds
        rng = random.Random(self.rng.random())
        try:
            async with asyncio.timeout(GUARD_S):
                text = await WAYS[name](self.target, said.pcm, rng)
            assert squeezed(text) == squeezed(said.text), f"wrote {text!r} for {said.text!r}"
        except (AssertionError, OSError, TimeoutError) as error:
            self.lost_s += said.seconds
            self.faults.append(f"healthy {name}: {error!r}")
        else:
            self.n_exact += 1
