"""The `mistralai` SDK, unmodified, transcribes with the offline model's text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sdk.audio import cut, offline_text, pause, recording, to_pcm
from tests.sdk.environments import run_client, sdk_python
from tests.server.live_server import LiveServer


@pytest.fixture
def python() -> Path:
    return sdk_python("mistral", "mistralai[realtime]>=3,<4")


def run(python: Path, task: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of one session, each with the SDK's name of its class."""
    printed = run_client(python, "mistral_realtime.py", json.dumps(task))
    return [tuple(json.loads(line)) for line in printed.splitlines()]


@pytest.mark.parametrize(("rate_hz", "delay_ms"), [(16000, 480), (24000, 960)])
def test_a_stream_brings_the_offline_models_text_whatever_the_cuts(
    python: Path, server: LiveServer, rate_hz: int, delay_ms: int
) -> None:
    pcm = to_pcm(recording("fsdd-george"), rate_hz)
    events = run(
        python,
        {
            "url": server.http,
            "chunks": cut(pcm, seed=3),
            "sample_rate": rate_hz,
            "target_streaming_delay_ms": delay_ms,
        },
    )
    expected = offline_text([pcm], rate_hz, delay_ms)
    assert expected
    kinds = [kind for kind, _ in events]
    assert kinds[:2] == [
        "RealtimeTranscriptionSessionCreated",
        "RealtimeTranscriptionSessionUpdated",
    ]
    assert events[1][1]["session"]["audio_format"]["sample_rate"] == rate_hz
    assert events[1][1]["session"]["target_streaming_delay_ms"] == delay_ms
    assert "UnknownRealtimeEvent" not in kinds
    deltas = [event["text"] for kind, event in events if kind == "TranscriptionStreamTextDelta"]
    assert "".join(deltas).rstrip() == expected
    kind, done = events[-1]
    assert kind == "TranscriptionStreamDone"
    assert done["text"] == expected
    assert [segment["text"] for segment in done["segments"]] == [expected]


def test_each_flush_is_done_once_and_the_session_goes_on(python: Path, server: LiveServer) -> None:
    pcm = [to_pcm(recording(name), 16000) for name in ("fsdd-george", "fsdd-jackson")]
    turns = [cut(one, seed) for seed, one in enumerate(pcm)]
    events = run(python, {"url": server.http, "turns": turns, "sample_rate": 16000})
    texts = [event["text"] for kind, event in events if kind == "TranscriptionStreamDone"]
    assert len(texts) == 2
    assert texts == [offline_text([one], 16000) for one in pcm]


def test_turns_are_told_and_their_words_are_done_at_the_flush(
    python: Path, server: LiveServer
) -> None:
    names = ("fsdd-george", "fsdd-jackson")
    spoken = [piece for name in names for piece in (recording(name), pause(1.5))]
    task = {
        "url": server.http,
        "chunks": cut(to_pcm(np.concatenate([pause(0.5), *spoken]), 16000), seed=5),
        "sample_rate": 16000,
        "target_streaming_delay_ms": 480,
        "turn_detection": {"min_silence_ms": 900},
    }
    events = run(python, task)
    kinds = [kind for kind, _ in events]
    for kind in ("TurnDetectionStartEvent", "TurnDetectionEndEvent"):
        assert kinds.count(kind) == len(names)
    expected = [offline_text([to_pcm(recording(name), 16000)], 16000) for name in names]
    assert [
        e["text"] for kind, e in events if kind == "TranscriptionStreamSegmentDelta"
    ] == expected
    assert events[-1][0] == "TranscriptionStreamDone"
    assert events[-1][1]["text"] == " ".join(expected)
