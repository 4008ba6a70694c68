"""Transcribe a file with the `openai` SDK as its users do; print what each way of asking returns.

Standard input: url, file. Prints one JSON document.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI


def ask(client: OpenAI, file: Path) -> dict[str, Any]:
    create = client.audio.transcriptions.create
    told: dict[str, Any] = {"version": openai.__version__}
    told["json"] = create(model="whisper-1", file=file).model_dump()
    for form in ("text", "srt", "vtt"):
        told[form] = create(model="gpt-4o-transcribe", file=file, response_format=form)
    verbose = create(
        model="whisper-1",
        file=file,
        response_format="verbose_json",
        timestamp_granularities=["word", "segment"],
    )
    told["verbose_type"] = type(verbose).__name__
    told["verbose"] = verbose.model_dump()
    told["scored"] = create(model="any", file=file, include=["logprobs"]).model_dump()
    told["stream"] = stream(client, file)
    told["delayed"] = create(
        model="any",
        file=file,
        prompt="digits",
        language="en",
        temperature=0,
        chunking_strategy={"type": "server_vad", "threshold": 0.4},
        extra_body={"delay_ms": 960},
    ).text
    told["ignored"] = create_raw(client, file)
    told["models"] = [model.id for model in client.models.list()]
    told["model"] = client.models.retrieve("whisper-9").owned_by  # any name stands for it
    return told


def stream(client: OpenAI, file: Path) -> list[Any]:
    """Return the events with the types that the SDK made of them."""
    events = client.audio.transcriptions.create(
        model="gpt-4o-mini-transcribe", file=file, stream=True, include=["logprobs"]
    )
    return [[type(event).__name__, event.model_dump()] for event in events]


def create_raw(client: OpenAI, file: Path) -> str | None:
    raw = client.audio.transcriptions.with_raw_response.create(
        model="any", file=file, prompt="digits", chunking_strategy="auto"
    )
    ignored: str | None = raw.headers.get("x-voxwire-ignored")
    return ignored


def fail(client: OpenAI, file: Path) -> dict[str, Any]:
    """Return the errors that the SDK raises, with their class, status, code and parameter."""
    failures: dict[str, Any] = {}
    attempts: dict[str, Any] = {
        "no recording": lambda: client.audio.transcriptions.create(
            model="any", file=("a.wav", b"no recording")
        ),
        "speakers": lambda: client.audio.transcriptions.create(
            model="any", file=file, response_format="diarized_json"
        ),
        "translation": lambda: client.audio.translations.create(model="any", file=file),
        "stream": lambda: client.audio.transcriptions.create(
            model="any", file=("a.wav", b"no recording"), stream=True
        ),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
        except openai.APIStatusError as error:
            kind = type(error).__name__
            failures[name] = [kind, error.status_code, error.code, error.param]
    return failures


async def ask_async(url: str, file: Path) -> list[str]:
    """Return the texts of several requests at once."""
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        create = client.audio.transcriptions.create
        answers = await asyncio.gather(*(create(model="any", file=file) for _ in range(4)))
    return [answer.text for answer in answers]


if __name__ == "__main__":
    task = json.load(sys.stdin)
    recording = Path(task["file"])
    with OpenAI(base_url=task["url"], api_key="none", max_retries=0) as opened:
        result = ask(opened, recording)
        result["errors"] = fail(opened, recording)
    result["async"] = asyncio.run(ask_async(task["url"], recording))
    print(json.dumps(result))
