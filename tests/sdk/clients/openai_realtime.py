"""Transcribe with the `openai` SDK as its users do; print every event, one JSON document a line.

Standard input: url, session (of session.update), chunks (base64), n_items (to wait for), and
whether to `commit`. The synchronous client where it commits, the asynchronous one where not.
Or else: url, events that will be refused.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from openai import AsyncOpenAI, OpenAI

QUERY = {"intent": "transcription"}
COMPLETED = "conversation.item.input_audio_transcription.completed"


def print_event(event: Any) -> None:
    print(event.to_json(indent=None), flush=True)


def transcribe(task: dict[str, Any]) -> None:
    client = OpenAI(base_url=task["url"], api_key="none")
    connect = client.realtime.connect(model="gpt-realtime-whisper", extra_query=QUERY)
    with connect as connection:
        connection.session.update(session=task["session"])
        for chunk in task["chunks"]:
            connection.input_audio_buffer.append(audio=chunk)
        connection.input_audio_buffer.commit()
        left = task["n_items"]
        for event in connection:
            print_event(event)
            left -= event.type == COMPLETED
            if not left:
                return


def be_refused(task: dict[str, Any]) -> None:
    client = OpenAI(base_url=task["url"], api_key="none")
    connect = client.realtime.connect(model="gpt-realtime-whisper", extra_query=QUERY)
    with connect as connection:
        for event in task["events"]:
            connection.send(event)
        left = len(task["events"])
        for event in connection:
            print_event(event)
            left -= event.type == "error"
            if not left:
                return


async def transcribe_turns(task: dict[str, Any]) -> None:
    client = AsyncOpenAI(base_url=task["url"], api_key="none")
    connect = client.realtime.connect(model="gpt-realtime-whisper", extra_query=QUERY)
    async with connect as connection:
        await connection.session.update(session=task["session"])

        async def send() -> None:
            for chunk in task["chunks"]:
                await connection.input_audio_buffer.append(audio=chunk)

        sending = asyncio.create_task(send())
        left = task["n_items"]
        async for event in connection:
            print_event(event)
            left -= event.type == COMPLETED
            if not left:
                break
        await sending


if __name__ == "__main__":
    given = json.load(sys.stdin)
    if "events" in given:
        be_refused(given)
    elif given["commit"]:
        transcribe(given)
    else:
        asyncio.run(transcribe_turns(given))
