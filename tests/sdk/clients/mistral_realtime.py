"""Transcribe with the `mistralai` SDK as its users do; print every event, one JSON document a line.

Standard input: url, sample_rate, and chunks (base64), target_streaming_delay_ms, turn_detection,
or else turns (of chunks).
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

from mistralai.client import Mistral
from mistralai.client.models import AudioFormat
from mistralai.extra.realtime import RealtimeTranscription


async def chunks_of(task: dict[str, Any]) -> AsyncIterator[bytes]:
    for chunk in task["chunks"]:
        yield base64.b64decode(chunk)


async def transcribe(task: dict[str, Any]) -> None:
    client = Mistral(api_key="none", server_url=task["url"])
    realtime: RealtimeTranscription = client.audio.realtime
    stream = realtime.transcribe_stream(
        audio_stream=chunks_of(task),
        model="voxtral-mini-transcribe-realtime-2602",
        audio_format=AudioFormat(encoding="pcm_s16le", sample_rate=task["sample_rate"]),
        target_streaming_delay_ms=task["target_streaming_delay_ms"],
        turn_detection=task.get("turn_detection"),
    )
    async for event in stream:
        print(json.dumps([type(event).__name__, event.model_dump()]), flush=True)


async def take_turns(task: dict[str, Any]) -> None:
    """Flush after each turn and wait for its end, as voice agents do."""
    client = Mistral(api_key="none", server_url=task["url"])
    form = AudioFormat(encoding="pcm_s16le", sample_rate=task["sample_rate"])
    connection = await client.audio.realtime.connect(model="voxtral", audio_format=form)
    async with connection:
        events = connection.events()
        for turn in task["turns"]:
            for chunk in turn:
                await connection.send_audio(base64.b64decode(chunk))
            await connection.flush_audio()
            async for event in events:
                print(json.dumps([type(event).__name__, event.model_dump()]), flush=True)
                if event.type == "transcription.done":
                    break
        await connection.end_audio()


if __name__ == "__main__":
    given = json.load(sys.stdin)
    asyncio.run(take_turns(given) if "turns" in given else transcribe(given))
