"""Transcribe with the beta interface of `openai` 1.x; print every event, a JSON document a line.

Standard input: url, session (of transcription_session.update), chunks (base64).
"""

from __future__ import annotations

import json
import sys
from typing import Any

from openai import OpenAI

COMPLETED = "conversation.item.input_audio_transcription.completed"


def transcribe(task: dict[str, Any]) -> None:
    # The beta speaks TLS wherever it is not told otherwise.
    plain = task["url"].replace("http://", "ws://")
    client = OpenAI(base_url=task["url"], websocket_base_url=plain, api_key="none")
    query = {"intent": "transcription"}
    with client.beta.realtime.connect(model="whisper-1", extra_query=query) as connection:
        connection.transcription_session.update(session=task["session"])
        for chunk in task["chunks"]:
            connection.input_audio_buffer.append(audio=chunk)
        connection.input_audio_buffer.commit()
        for event in connection:
            print(event.to_json(indent=None), flush=True)
            if event.type == COMPLETED:
                return


if __name__ == "__main__":
    transcribe(json.load(sys.stdin))
