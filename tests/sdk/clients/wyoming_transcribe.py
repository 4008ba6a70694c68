"""Transcribe with the `wyoming` package as Home Assistant does; print events, one JSON a line.

Standard input: port, utterances (base64 of PCM16), rate.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from typing import Any

from wyoming.asr import (
    Transcribe,
    Transcript,
    TranscriptChunk,
    TranscriptStart,
    TranscriptStop,
)
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.info import Describe, Info
from wyoming.ping import Ping, Pong

KINDS = (TranscriptStart, TranscriptChunk, Transcript, TranscriptStop, Info, Pong)


async def until(client: AsyncTcpClient, last: Any) -> None:
    while True:
        event = await client.read_event()
        assert event is not None, "the server closed the connection"
        (kind,) = [kind for kind in KINDS if kind.is_type(event.type)]
        print(json.dumps([kind.__name__, kind.from_event(event).event().data]), flush=True)
        if kind is last:
            return


async def main(task: dict[str, Any]) -> None:
    form = {"rate": task["rate"], "width": 2, "channels": 1}
    async with AsyncTcpClient("127.0.0.1", task["port"]) as client:
        await client.write_event(Describe().event())
        await until(client, Info)
        await client.write_event(Ping(text="hello").event())
        await until(client, Pong)
        for utterance in task["utterances"]:
            pcm = base64.b64decode(utterance)
            await client.write_event(Transcribe(language="en").event())
            await client.write_event(AudioStart(**form).event())
            for at in range(0, len(pcm), 2048):
                await client.write_event(AudioChunk(**form, audio=pcm[at : at + 2048]).event())
            await client.write_event(AudioStop().event())
            await until(client, TranscriptStop)


if __name__ == "__main__":
    asyncio.run(main(json.load(sys.stdin)))
