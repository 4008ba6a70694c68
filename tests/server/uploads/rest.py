"""Clients of the REST interface, and what the offline model says to the same recordings."""

from __future__ import annotations

import functools
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from tests.server.live_server import LiveServer
from tests.server.voices import FOLDER, read, voices
from voxwire.model.mel import Floats
from voxwire.protocol.transcript import Transcript
from voxwire.server.collector import Collector
from voxwire.server.live import LiveTranscriber, OpenModel, open_model

PATH = "/v1/audio/transcriptions"
TIMEOUT_S = 60.0  # of anything that should take a second, on a busy machine
DIGITS = FOLDER / "fsdd-jackson-70236.flac"


@functools.cache
def opened() -> OpenModel:
    """Return the embedded checkpoint, loaded."""
    return open_model("embedded")


def offline(samples: Floats, delay_ms: int = 480) -> Transcript:
    """Return what the offline model hears."""
    stream, collector = LiveTranscriber(opened(), delay_ms // 80), Collector()
    collector.add(stream.feed(samples))
    collector.add(stream.finish())
    return collector.transcript(len(samples), "embedded", delay_ms)


@functools.cache
def offline_digits() -> Transcript:
    """Return what the offline model hears in DIGITS."""
    return offline(read(DIGITS))


def post(client: httpx2.Client, file: Path | bytes = DIGITS, **fields: Any) -> httpx2.Response:
    """Upload a file; a field `name_` stands for `name[]`."""
    data = {name.replace("_list", "[]"): value for name, value in fields.items()}
    content = file if isinstance(file, bytes) else file.read_bytes()
    return client.post(PATH, files={"file": ("recording", content)}, data=data)


def error_of(response: httpx2.Response, status: int) -> dict[str, Any]:
    """Return the error of a response, whose shape and status are checked."""
    assert response.status_code == status, response.text
    body = response.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"message", "type", "param", "code"}
    error: dict[str, Any] = body["error"]
    return error


def events_of(stream: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a stream's events and reports of progress."""
    blocks = [block for block in stream.split("\n\n") if block]
    events = [json.loads(each[6:]) for each in blocks if each.startswith("data: ")]
    progress = [json.loads(each[11:]) for each in blocks if each.startswith(": progress ")]
    assert len(events) + len(progress) == len(blocks)
    return events, progress


def long_recording() -> bytes:
    """Return a WAV of several minutes, longer than a test waits."""
    import io
    import wave

    samples = np.concatenate([voice.samples for voice in voices()] * 6)
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16000)
        sound.writeframes((samples * 32767).astype("<i2").tobytes())
    return file.getvalue()


def head(body: bytes, boundary: str = "b", length: int | None = None) -> bytes:
    """Return the head of a raw upload."""
    return (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\n"
        f"Content-Length: {len(body) if length is None else length}\r\n\r\n"
    ).encode()


def form(content: bytes, **fields: str) -> bytes:
    """Return the body of a raw upload."""
    parts = [
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    file = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    return b"".join(parts) + file + content + b"\r\n--b--\r\n"


def connect(server: LiveServer) -> socket.socket:
    """Return a connection to the server."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Return when it is so; fail when it takes too long."""
    until_s = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert time.monotonic() < until_s, "it never came to be so"
        time.sleep(0.01)
