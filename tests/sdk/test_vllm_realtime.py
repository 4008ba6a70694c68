"""A client of vLLM's, as its documentation writes one, transcribes over the same /v1/realtime."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.sdk.audio import cut, offline_text, recording, to_pcm
from tests.server.live_server import LiveServer

TIMEOUT_S = 60.0


async def transcribe(server: LiveServer, utterances: list[list[str]]) -> list[dict[str, Any]]:
    """Return what one connection is told, from its greeting to the last utterance's end."""
    async with asyncio.timeout(TIMEOUT_S), connect(f"{server.ws}/v1/realtime") as socket:
        told = [json.loads(await socket.recv())]
        await send(socket, type="session.update", model="mistralai/Voxtral-Mini-4B-Realtime-2602")
        for chunks in utterances:
            await send(socket, type="input_audio_buffer.commit")
            for chunk in chunks:
                await send(socket, type="input_audio_buffer.append", audio=chunk)
            await send(socket, type="input_audio_buffer.commit", final=True)
            told += await until_done(socket)
        return told


async def until_done(socket: ClientConnection) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    while not told or told[-1]["type"] == "transcription.delta":
        told.append(json.loads(await socket.recv()))
    return told


async def send(socket: ClientConnection, **message: Any) -> None:
    await socket.send(json.dumps(message))


def test_two_utterances_on_one_socket_bring_the_offline_models_texts(server: LiveServer) -> None:
    pcm = [to_pcm(recording(name), 16000) for name in ("fsdd-george", "fsdd-jackson")]
    told = asyncio.run(transcribe(server, [cut(one, seed) for seed, one in enumerate(pcm)]))
    assert told[0]["type"] == "session.created"
    assert {"id", "created"} <= told[0].keys()
    done = [message for message in told if message["type"] == "transcription.done"]
    expected = [offline_text([one], 16000) for one in pcm]
    assert [message["text"] for message in done] == expected
    assert all(message["usage"]["completion_tokens"] > 0 for message in done)
    deltas = [message["delta"] for message in told if message["type"] == "transcription.delta"]
    assert "".join(deltas).replace(" ", "") == "".join(expected).replace(" ", "")
