"""Transcribe with `deepgram-sdk` as its users do; print every message, one JSON document a line.

Standard input: url (ws://...), options of `connect`, turns (lists of base64 chunks), is_async. All
turns but the last end with a Finalize whose answer is waited for.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
import threading
from typing import Any

from deepgram import AsyncDeepgramClient, DeepgramClient
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment


def show(message: Any) -> None:
    print(json.dumps([type(message).__name__, message.dict()]), flush=True)


def environment(url: str) -> DeepgramClientEnvironment:
    return DeepgramClientEnvironment(
        base=url.replace("ws", "http", 1), production=url, agent=url, agent_rest=url
    )


def run(task: dict[str, Any]) -> None:
    """Listen in a thread, as the SDK's examples do."""
    client = DeepgramClient(api_key="none", environment=environment(task["url"]))
    finalized = threading.Event()

    def on_message(message: Any) -> None:
        show(message)
        if getattr(message, "from_finalize", False):
            finalized.set()

    with client.listen.v1.connect(**task["options"]) as connection:
        connection.on(EventType.MESSAGE, on_message)
        connection.on(EventType.ERROR, lambda error: print(error, file=sys.stderr))
        listening = threading.Thread(target=connection.start_listening)
        listening.start()
        for turn in task["turns"]:
            finalized.clear()
            connection.send_keep_alive()
            for chunk in turn:
                connection.send_media(base64.b64decode(chunk))
            if turn is not task["turns"][-1]:
                connection.send_finalize()
                assert finalized.wait(60)
        connection.send_close_stream()
        listening.join(60)


async def run_async(task: dict[str, Any]) -> None:
    client = AsyncDeepgramClient(api_key="none", environment=environment(task["url"]))
    finalized = asyncio.Event()

    def on_message(message: Any) -> None:
        show(message)
        if getattr(message, "from_finalize", False):
            finalized.set()

    async with client.listen.v1.connect(**task["options"]) as connection:
        connection.on(EventType.MESSAGE, on_message)
        listening = asyncio.create_task(connection.start_listening())
        for turn in task["turns"]:
            finalized.clear()
            for chunk in turn:
                await connection.send_media(base64.b64decode(chunk))
            if turn is not task["turns"][-1]:
                await connection.send_finalize()
                await asyncio.wait_for(finalized.wait(), 60)
        await connection.send_close_stream()
        await listening


if __name__ == "__main__":
    given = json.load(sys.stdin)
    if given["is_async"]:
        asyncio.run(run_async(given))
    else:
        run(given)
