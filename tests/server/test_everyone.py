"""A full house, and every kind of audio: the words are always those of the recording."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator

import numpy as np
import pytest
import soxr
from websockets.asyncio.client import connect

from tests.chaos.healthy import WAYS, Speech, speech, squeezed
from tests.chaos.target import Target, target_here
from tests.server.live_server import LiveServer, live_server
from tests.server.voices import Voice, voices
from voxwire.model.mel import Floats
from voxwire.protocol.session import AudioFormat, Encoding
from voxwire.server.live import open_model
from voxwire.server.session.samples import SampleReader

N_CLIENTS = 32
RATES_HZ = (8000, 16000, 22050, 24000, 44100, 48000)
TIMEOUT_S = 240.0


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server() as running:
        yield running


def pcm16(samples: Floats) -> bytes:
    return bytes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def test_32_clients_of_all_dialects_and_uploads_each_get_what_the_file_gives_alone() -> None:
    opened = open_model("embedded")
    speeches = [speech(opened, pcm16(voice.samples)) for voice in voices()[:N_CLIENTS]]

    async def ask(target: Target, i: int, said: Speech) -> tuple[str, str]:
        way = list(WAYS)[i % len(WAYS)]
        return way, await WAYS[way](target, said.pcm, random.Random(i))

    async def all_at_once(target: Target) -> list[tuple[str, str]]:
        async with asyncio.timeout(TIMEOUT_S):
            asked = (ask(target, i, said) for i, said in enumerate(speeches))
            return await asyncio.gather(*asked)

    with target_here("embedded") as target:
        heard = asyncio.run(all_at_once(target))
    assert len(heard) == N_CLIENTS
    for (way, text), said in zip(heard, speeches, strict=True):
        assert squeezed(text) == squeezed(said.text), way


def encoded(samples: Floats, rate_hz: int, encoding: Encoding) -> bytes:
    """Return audio of 16 kHz as a client of another kind would send it."""
    resampled = np.clip(soxr.resample(samples, 16000, rate_hz), -1, 1).astype(np.float32)
    if encoding is Encoding.FLOAT32:
        return bytes(resampled.astype("<f4").tobytes())
    return pcm16(resampled) if encoding is Encoding.PCM16 else _g711(resampled, encoding)


def _g711(samples: Floats, encoding: Encoding) -> bytes:
    """Write each sample as the code that stands nearest to it."""
    table = SampleReader(AudioFormat(encoding)).read(bytes(range(256)))
    order = np.argsort(table)
    middles = (table[order][1:] + table[order][:-1]) / 2
    return bytes(order[np.searchsorted(middles, samples)].astype(np.uint8).tobytes())


def digits() -> Voice:
    """Return an adult's string of digits."""
    return next(voice for voice in voices() if voice.name.startswith("fsdd-jackson"))


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_the_words_are_right_at_every_rate_and_in_every_encoding(
    server: LiveServer, rate_hz: int, encoding: Encoding
) -> None:
    voice = digits()

    async def run() -> str:
        query = f"encoding={encoding}&sample_rate={rate_hz}&endpoint=none"
        async with connect(f"{server.ws}/v1/stream?{query}") as socket:
            await socket.send(encoded(voice.samples, rate_hz, encoding))
            await socket.send(json.dumps({"type": "end"}))
            told = [json.loads(message) async for message in socket]
        return " ".join(each["text"] for each in told if each["type"] == "final")

    assert tuple(asyncio.run(run()).split()) == voice.words
