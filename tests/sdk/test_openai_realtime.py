"""The `openai` SDK, unmodified, transcribes over /v1/realtime with the offline model's text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sdk.audio import cut, offline_text, pause, recording, to_g711, to_pcm
from tests.sdk.environments import run_client, sdk_python
from tests.server.live_server import LiveServer
from voxwire.protocol.session import Encoding

TRANSCRIPTION = "conversation.item.input_audio_transcription"
# 2.x pins websockets below 16; 3.x does so only by its extra, which is not needed.
RELEASES = {
    "openai-2": ("openai[realtime]>=2,<3",),
    "openai-3": ("openai>=3,<4", "websockets>=16"),
}


@pytest.fixture(params=RELEASES)
def python(request: pytest.FixtureRequest) -> Path:
    return sdk_python(request.param, *RELEASES[request.param])


def transcribe(
    python: Path,
    server: LiveServer,
    pcm: bytes,
    heard: dict[str, Any],
    n_items: int = 0,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return the events of one session; n_items: turns to wait for, none for one commit."""
    task = {
        "url": f"{server.http}/v1",
        "session": {"type": "transcription", "audio": {"input": heard}},
        "chunks": cut(pcm, seed),
        "n_items": n_items or 1,
        "commit": not n_items,
    }
    printed = run_client(python, "openai_realtime.py", json.dumps(task))
    return [json.loads(line) for line in printed.splitlines()]


def texts(events: list[dict[str, Any]]) -> list[str]:
    """Return the transcripts in order, having checked that their deltas say the same."""
    done = [event for event in events if event["type"] == f"{TRANSCRIPTION}.completed"]
    for event in done:
        deltas = [
            other["delta"]
            for other in events
            if other["type"] == f"{TRANSCRIPTION}.delta" and other["item_id"] == event["item_id"]
        ]
        assert "".join(deltas).rstrip() == event["transcript"]
        assert event["usage"]["type"] == "duration"
    return [event["transcript"] for event in done]


@pytest.mark.parametrize(
    ("form", "rate_hz", "seed"),
    [({"type": "audio/pcm", "rate": 24000}, 24000, 1), ({"rate": 16000}, 16000, 2)],
)
def test_a_commit_brings_the_offline_models_text_whatever_the_cuts(
    python: Path, server: LiveServer, form: dict[str, Any], rate_hz: int, seed: int
) -> None:
    pcm = to_pcm(recording("fsdd-george"), rate_hz)
    heard = {
        "format": form,
        "turn_detection": None,
        "transcription": {"model": "gpt-realtime-whisper", "delay": "medium", "language": "en"},
    }
    events = transcribe(python, server, pcm, heard, seed=seed)
    expected = offline_text([pcm], rate_hz)
    assert expected
    assert texts(events) == [expected]
    types = [event["type"] for event in events]
    assert types[:3] == ["session.created", "session.updated", "warning"]
    assert events[2]["warning"]["params"] == ["session.audio.input.transcription.language"]
    committed = types.index("input_audio_buffer.committed")
    assert types[committed + 1] == "conversation.item.added"
    assert "error" not in types


@pytest.mark.parametrize(
    ("name", "encoding"), [("audio/pcmu", Encoding.MULAW), ("audio/pcma", Encoding.ALAW)]
)
def test_telephone_audio_brings_the_offline_models_text(
    server: LiveServer, name: str, encoding: Encoding
) -> None:
    python = sdk_python("openai-3", *RELEASES["openai-3"])
    coded, left = to_g711(to_pcm(recording("fsdd-jackson"), 8000), encoding)
    # The model in the address is one whose clients commit: turn detection is off.
    events = transcribe(python, server, coded, {"format": {"type": name}}, seed=6)
    assert texts(events) == [offline_text([left], 8000)]
    assert texts(events) == ["seven zero two three six"]


def test_turns_by_voice_activity_bring_each_recordings_words(
    python: Path, server: LiveServer
) -> None:
    names = ["fsdd-george", "fsdd-jackson"]
    spoken = [piece for name in names for piece in (recording(name), pause(1.5))]
    pcm = to_pcm(np.concatenate([pause(0.5), *spoken]), 24000)
    heard = {"turn_detection": {"type": "server_vad", "silence_duration_ms": 900}}
    events = transcribe(python, server, pcm, heard, n_items=len(names))
    expected = [offline_text([to_pcm(recording(name), 24000)], 24000) for name in names]
    assert texts(events) == expected
    started = [e for e in events if e["type"] == "input_audio_buffer.speech_started"]
    committed = [e for e in events if e["type"] == "input_audio_buffer.committed"]
    assert [e["item_id"] for e in started[: len(names)]] == [e["item_id"] for e in committed]
    assert [e["previous_item_id"] for e in committed] == [None, committed[0]["item_id"]]


def test_refusals_reach_the_client_with_its_own_ids(python: Path, server: LiveServer) -> None:
    sent = [
        {"type": "input_audio_buffer.commit", "event_id": "too_early"},
        {"type": "response.create", "event_id": "no_answer"},
        {"type": "conversation.item.retrieve", "item_id": "none", "event_id": "no_item"},
    ]
    task = json.dumps({"url": f"{server.http}/v1", "events": sent})
    printed = run_client(python, "openai_realtime.py", task)
    errors = [event["error"] for event in map(json.loads, printed.splitlines()[1:])]
    assert [(error["event_id"], error["code"]) for error in errors] == [
        ("too_early", "input_audio_buffer_commit_empty"),
        ("no_answer", "unsupported_event"),
        ("no_item", "item_retrieve_invalid_item_id"),
    ]
