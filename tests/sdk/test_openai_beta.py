"""The beta interface of `openai` 1.x, which agents still use, is answered in the beta's words."""

from __future__ import annotations

import json

from tests.sdk.audio import cut, offline_text, recording, to_pcm
from tests.sdk.environments import run_client, sdk_python
from tests.server.live_server import LiveServer


def test_the_beta_interface_brings_the_offline_models_text(server: LiveServer) -> None:
    pcm = to_pcm(recording("fsdd-jackson"), 24000)
    session = {
        "input_audio_format": "pcm16",
        "input_audio_transcription": {"model": "whisper-1"},
        "turn_detection": None,
    }
    task = {"url": f"{server.http}/v1", "session": session, "chunks": cut(pcm, 4)}
    python = sdk_python("openai-1", "openai[realtime]>=1.100,<2")
    printed = run_client(python, "openai_beta.py", json.dumps(task))
    events = [json.loads(line) for line in printed.splitlines()]
    types = [event["type"] for event in events]
    assert types[:2] == ["transcription_session.created", "transcription_session.updated"]
    assert events[1]["session"]["turn_detection"] is None
    assert types[types.index("input_audio_buffer.committed") + 1] == "conversation.item.created"
    assert events[-1]["transcript"] == offline_text([pcm], 24000)
