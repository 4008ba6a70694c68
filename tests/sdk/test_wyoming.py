"""The `wyoming` package, unmodified, transcribes with the offline model's text."""

from __future__ import annotations

import base64
import json

import pytest

from tests.sdk.audio import offline_text, recording, to_pcm
from tests.sdk.environments import run_client, sdk_python
from tests.server.live_server import LiveServer


@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_home_assistant_hears_what_the_offline_model_writes(
    server: LiveServer, rate_hz: int
) -> None:
    spoken = [to_pcm(recording(name), rate_hz) for name in ("fsdd-george", "commands-stop")]
    task = {
        "port": server.wyoming_port,
        "rate": rate_hz,
        "utterances": [base64.b64encode(pcm).decode() for pcm in spoken],
    }
    python = sdk_python("wyoming", "wyoming>=1.8,<2")
    printed = run_client(python, "wyoming_transcribe.py", json.dumps(task))
    events = [tuple(json.loads(line)) for line in printed.splitlines()]
    (kind, info), pong, *told = events
    assert kind == "Info"
    assert info["asr"][0]["supports_transcript_streaming"] is True
    assert info["asr"][0]["models"][0]["languages"] == ["en"]
    assert pong == ("Pong", {"text": "hello"})
    texts = [data["text"] for kind, data in told if kind == "Transcript"]
    assert texts == [offline_text([pcm], rate_hz) for pcm in spoken]
    chunks = [data["text"] for kind, data in told if kind == "TranscriptChunk"]
    assert "".join(chunks).replace(" ", "") == "".join(texts).replace(" ", "")
    assert [kind for kind, _ in told].count("TranscriptStart") == len(spoken)
