"""What a server writes down while it is used and misused: no key, no audio, no text."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterator

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.server.serve_process import Process, serving
from tests.server.voices import read
from voxwire.server.cli.demo import RECORDING

KEY, WRONG_KEY = "the-key-of-this-server", "a-key-of-another-server"
BEARER = {"Authorization": f"Bearer {KEY}"}
KEY_SUBPROTOCOL = "openai-insecure-api-key."
AUDIO = (read(RECORDING) * 32767).astype("<i2").tobytes()
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    with serving("--log-level", "debug", VOXWIRE_API_KEYS=KEY) as it:
        yield it


def misuse(process: Process) -> None:
    """Bring keys, right ones and wrong ones, to every place that keys do not belong."""
    for key in (KEY, WRONG_KEY):
        for path in (f"/v1/models?api_key={key}", f"/v1/models?x={key}", f"/{key}", f"/v1/{key}"):
            httpx2.get(process.http + path, headers={"Origin": f"https://{key}.example"})
            httpx2.get(process.http + path, headers={"X-Api-Key": WRONG_KEY, "User-Agent": key})
        for path in (f"/v1/stream?token={key}", f"/v1/stream?{key}={key}", f"/v1/{key}"):
            with pytest.raises(InvalidStatus):
                asyncio.run(open_and_close(process.ws + path))
    offered = ["realtime", KEY_SUBPROTOCOL + WRONG_KEY]
    with pytest.raises(InvalidStatus):
        asyncio.run(open_and_close(f"{process.ws}/v1/realtime", offered))


async def open_and_close(address: str, subprotocols: list[str] | None = None) -> None:
    async with connect(address, subprotocols=subprotocols):  # type: ignore[arg-type]
        pass


async def speak(process: Process, token: str) -> str:
    """Send a recording in base64 and nonsense after it; return its text."""
    text = ""
    offered = ["realtime", KEY_SUBPROTOCOL + token]
    async with asyncio.timeout(TIMEOUT_S):
        async with connect(f"{process.ws}/v1/realtime", subprotocols=offered) as socket:  # type: ignore[arg-type]
            pcm = {"type": "audio/pcm", "rate": 16000}
            audio = {"input": {"format": pcm, "turn_detection": None}}
            update = {"type": "transcription", "audio": audio}
            await socket.send(json.dumps({"type": "session.update", "session": update}))
            data = base64.b64encode(AUDIO).decode()
            await socket.send(json.dumps({"type": "input_audio_buffer.append", "audio": data}))
            await socket.send('{"type": "input_audio_buffer.append", "audio": "' + "%" * 64 + '"}')
            await socket.send(b"\xff" + AUDIO[:64])
            await socket.send(json.dumps({"type": "input_audio_buffer.commit"}))
            async for message in socket:
                event = json.loads(message)
                if event["type"].endswith("transcription.completed"):
                    text = event["transcript"]
                    break
    return text


def test_no_key_no_audio_and_no_text_is_logged_in_the_greatest_detail(process: Process) -> None:
    made = httpx2.post(f"{process.http}/v1/realtime/client_secrets", json={}, headers=BEARER)
    token = made.json()["value"]
    misuse(process)
    text = asyncio.run(speak(process, token))
    upload = httpx2.post(
        f"{process.http}/v1/audio/transcriptions",
        files={"file": ("secret-name.flac", RECORDING.read_bytes())},
        headers=BEARER,
        timeout=TIMEOUT_S,
    )
    process.signal()
    assert process.wait() == 0
    log = "\n".join(process.lines)
    words = set(text.lower().split()) | set(upload.json()["text"].lower().split())
    assert len(words) > 3
    assert len(process.lines) > 20
    for secret in (KEY, WRONG_KEY, token, "secret-name"):
        assert secret not in log
    assert base64.b64encode(AUDIO)[:40].decode() not in log
    assert "%%%%" not in log
    assert not words & set(re.findall(r"[a-z]+", log.lower().partition("end  ")[2]))


def test_every_request_is_a_line_that_names_its_route(process: Process) -> None:
    requests = [line for line in process.lines if " method=" in line]
    assert any("method=POST route=/v1/realtime/client_secrets status=200" in r for r in requests)
    assert any("method=WEBSOCKET route=/v1/realtime status=101" in r for r in requests)
    assert any("method=GET route=none status=403" in r for r in requests)
    assert all("client=127.0.0.1" in r for r in requests)
    assert not any("level=error" in line for line in process.lines)
