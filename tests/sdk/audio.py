"""What the SDKs send, and what the offline model hears in the very same bytes."""

from __future__ import annotations

import base64
import functools
import random
from collections.abc import Sequence

import numpy as np
import soxr

from tests.server.voices import voices
from voxwire.model.mel import Floats
from voxwire.model.offline import transcribe_tokens
from voxwire.model.text import TextAssembler
from voxwire.protocol.session import AudioFormat, Encoding
from voxwire.server.live import OpenModel, open_model
from voxwire.server.session.samples import SampleReader

RATE_HZ = 16000
MS_PER_TOKEN = 80


def recording(name: str) -> Floats:
    """Return a bundled recording, 16 kHz."""
    return next(voice.samples for voice in voices() if voice.name.startswith(name))


def pause(seconds: float) -> Floats:
    """Return silence, 16 kHz."""
    return np.zeros(int(seconds * RATE_HZ), np.float32)


def to_pcm(samples: Floats, rate_hz: int) -> bytes:
    """Return 16 kHz samples as PCM16 of another rate, as a client's own microphone has it."""
    resampled: Floats = soxr.resample(samples, RATE_HZ, rate_hz)
    return np.clip(np.round(resampled * 32767), -32768, 32767).astype("<i2").tobytes()


def to_g711(pcm: bytes, encoding: Encoding) -> tuple[bytes, bytes]:
    """Return PCM16 as G.711, and as the PCM16 that is left of it."""
    table = SampleReader(AudioFormat(encoding)).read(bytes(range(256)))
    order = np.argsort(table)
    between = (table[order][1:] + table[order][:-1]) / 2
    samples = np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768)
    codes = order[np.searchsorted(between, samples)].astype(np.uint8)
    return codes.tobytes(), np.round(table[codes] * 32768).astype("<i2").tobytes()


def cut(data: bytes, seed: int) -> list[str]:
    """Cut bytes at random places, within samples too, into base64 messages."""
    chance = random.Random(seed)
    chunks, at = [], 0
    while at < len(data):
        n_bytes = chance.randint(1, 9000)
        chunks.append(base64.b64encode(data[at : at + n_bytes]).decode())
        at += n_bytes
    return chunks


def offline_text(pcm: Sequence[bytes], rate_hz: int, delay_ms: int = 480) -> str:
    """Return what the offline model writes for PCM16 of a rate, resampled whole."""
    raw = np.frombuffer(b"".join(pcm), "<i2").astype(np.float32) / np.float32(32768)
    samples = soxr.resample(raw, rate_hz, RATE_HZ) if rate_hz != RATE_HZ else raw
    opened = _opened()
    text = TextAssembler(opened.tekken)
    tokens = transcribe_tokens(opened.model, samples, delay_ms // MS_PER_TOKEN)
    written = [text.push(token).text for token in tokens]
    return "".join([*written, text.finish().text]).rstrip()


@functools.cache
def _opened() -> OpenModel:
    return open_model("embedded")
