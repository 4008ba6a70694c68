"""Attacks over HTTP: requests that are none, and files that lie, bomb, or stop."""

from __future__ import annotations

import asyncio
import functools
import io
import random
import struct
import wave
import zipfile
import zlib

import av
import numpy as np

from tests.chaos.target import Target
from tests.chaos.wire import HttpAnswer, Wire, handshake
from tests.server.uploads.rest import DIGITS, PATH, form, head
from tests.server.voices import FOLDER

TYPED = {400, 403, 404, 405, 408, 413, 415, 503}


def prepare() -> None:
    """Make what takes long to make, before anybody waits for it."""
    _no_recordings()
    _long_silence()
    _recordings()


async def _asked(target: Target, data: bytes) -> HttpAnswer:
    wire = await Wire.open(target.port)
    await wire.send(data)
    answer = await wire.http_answer()
    wire.leave()
    return answer


def _is_typed(answer: HttpAnswer, statuses: set[int]) -> bool:
    return answer.status in statuses and answer.error is not None


async def _file(target: Target, content: bytes, *, may_be_heard: bool) -> None:
    body = form(content)
    answer = await _asked(target, head(body) + body)
    is_heard = may_be_heard and answer.status == 200
    assert is_heard or _is_typed(answer, {400, 413}), f"{content[:20]!r}...: {answer}"


@functools.cache
def _zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.wav", bytes(20 << 20))
    return file.getvalue()


@functools.cache
def _long_silence() -> bytes:
    """Return eleven minutes of silence in a few kilobytes: longer than the server takes."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000 * 60), np.int16), "s16", "mono")
        frame.sample_rate = 16000
        for minute in range(11):
            frame.pts = minute * 16000 * 60
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


@functools.cache
def _no_recordings() -> list[bytes]:
    return [
        b"",
        b"RIFF",
        b"no recording " * 500,
        _zip_bomb(),
        zlib.compress(bytes(20 << 20)),
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>',
        b"\x7fELF" + bytes(2000),
        b"%PDF-1.7" + bytes(500),
    ]


async def no_recording(target: Target, rng: random.Random) -> None:
    """Upload what is no recording: 400."""
    await _file(target, rng.choice(_no_recordings()), may_be_heard=False)


async def long_silence(target: Target, rng: random.Random) -> None:
    """Upload a small file that becomes a long one: 413."""
    await _file(target, _long_silence(), may_be_heard=False)


@functools.cache
def _recordings() -> list[bytes]:
    small = sorted(FOLDER.glob("commands-*.opus"))[:4]
    return [*(file.read_bytes() for file in small), _wav(bytes(16_000))]


def _wav(pcm: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes(pcm)
    return file.getvalue()


async def cut_off_file(target: Target, rng: random.Random) -> None:
    """Upload the beginning of a recording: what is there is heard, or it is refused."""
    whole = rng.choice(_recordings())
    await _file(target, whole[: rng.randrange(len(whole))], may_be_heard=True)


async def damaged_file(target: Target, rng: random.Random) -> None:
    """Upload a recording with bytes changed: it is heard, or refused."""
    data = bytearray(rng.choice(_recordings()))
    for _ in range(rng.randrange(1, 30)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    await _file(target, bytes(data), may_be_heard=True)


async def lying_header(target: Target, rng: random.Random) -> None:
    """Upload a WAV whose header claims what is not so: heard as far as it goes, or refused."""
    data = bytearray(_wav(rng.randbytes(3200)))
    offset, form_ = rng.choice([(4, "<I"), (16, "<I"), (20, "<H"), (22, "<H"), (24, "<I")])
    at = rng.choice([(offset, form_), (28, "<I"), (32, "<H"), (34, "<H"), (40, "<I")])
    lie = rng.choice([0, 1, 0xFFFF, 0xFFFFFFFF]) & (0xFFFF if at[1] == "<H" else 0xFFFFFFFF)
    struct.pack_into(at[1], data, at[0], lie)
    await _file(target, bytes(data), may_be_heard=True)


async def broken_form(target: Target, rng: random.Random) -> None:
    """Send a body that is no form, or not the one that its head says."""
    body = form(b"x" * 100)
    kind = "multipart/form-data; boundary=b"
    heads = {
        "wrong type": f"Content-Type: text/plain\r\nContent-Length: {len(body)}",
        "no boundary": f"Content-Type: multipart/form-data\r\nContent-Length: {len(body)}",
        "packed": f"Content-Type: {kind}\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}",
        "other boundary": "Content-Type: multipart/form-data; boundary=c\r\n"
        f"Content-Length: {len(body)}",
        "chunks that are none": f"Content-Type: {kind}\r\nTransfer-Encoding: chunked",
        "too short": f"Content-Type: {kind}\r\nContent-Length: {len(body) - 60}",
        "too large": f"Content-Type: {kind}\r\nContent-Length: {1 << 40}",
        "two lengths": f"Content-Type: {kind}\r\nContent-Length: 5\r\nContent-Length: 6",
    }
    name, lines = rng.choice(list(heads.items()))
    said = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n\r\n".encode()
    answer = await _asked(target, said + body)
    assert _is_typed(answer, {400, 413, 415}), f"{name}: {answer}"


async def leaving_an_upload(target: Target, rng: random.Random) -> None:
    """Leave at any byte of an upload, or before its answer."""
    body = form(DIGITS.read_bytes(), stream=rng.choice(["true", "false"]))
    said = head(body) + body
    wire = await Wire.open(target.port)
    await wire.send(said[: rng.choice([rng.randrange(1, 300), rng.randrange(len(said)), 1 << 30])])
    wire.leave(is_rude=rng.random() < 0.5)


async def slow_upload(target: Target, rng: random.Random) -> None:
    """Send a file byte by byte: 408."""
    body = form(DIGITS.read_bytes())
    wire = await Wire.open(target.port)
    await wire.send(head(body))
    answer = asyncio.create_task(wire.http_answer())
    at = 0
    while not answer.done():
        await wire.send(body[at : at + 1])
        at += 1
        await asyncio.wait([answer], timeout=0.1)
    wire.leave()
    assert _is_typed(await answer, {408}), str(await answer)


REQUESTS: tuple[tuple[bytes, set[int]], ...] = (
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60) + b"\r\n\r\n", {400}),
    (b"GET /\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 66_000, {400}),
    (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX : y\r\n\r\n", {400}),
    (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", {403}),
    (b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n\r\n", {403}),
    (b"GET /static/../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", {404}),
    (b"GET /static/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", {404}),
    (b"GET /static/%00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", {404}),
    (b"GET /v1/models/%0d%0aSet-Cookie:%20x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", {404}),
    (b"GET /v1/%ff%fe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", {404}),
    (b"BREW /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", {405}),
    (b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", {404}),
    (handshake("/v1/nothing"), {404}),
    (handshake("/v1/stream", Host="evil.example"), {403}),
    (handshake("/v1/stream", Origin="http://evil.example"), {403}),
    (handshake("/v1/stream?api_key=secret"), {400, 401, 403}),
)
# websockets answers these in text; each says what is wrong.
HANDSHAKES = (
    handshake("/v1/stream", Sec_WebSocket_Key=""),
    handshake("/v1/stream", Sec_WebSocket_Key="short"),
    handshake("/v1/stream", Sec_WebSocket_Version="12"),
    handshake("/v1/stream", Sec_WebSocket_Version=""),
)


async def broken_request(target: Target, rng: random.Random) -> None:
    """Send what is no request, or one for what there is not: an error object of 4xx."""
    said, statuses = rng.choice(REQUESTS)
    answer = await _asked(target, said)
    assert _is_typed(answer, statuses), f"{said[:60]!r}: {answer}"
    assert "set-cookie" not in answer.head.lower()


async def broken_handshake(target: Target, rng: random.Random) -> None:
    """Ask for a WebSocket in the wrong words: 4xx, with the reason."""
    said = rng.choice(HANDSHAKES)
    answer = await _asked(target, said)
    assert answer.status in {400, 426}, answer
    assert answer.body, answer
