"""The `mistralai` SDK, unmodified, transcribes a file over REST with the offline model's text."""

from __future__ import annotations

import json

from tests.sdk.environments import run_client, sdk_python
from tests.server.live_server import LiveServer
from tests.server.uploads.rest import DIGITS, offline_digits


def test_a_file_is_answered_as_mistral_does(server: LiveServer) -> None:
    python = sdk_python("mistral", "mistralai[realtime]>=3,<4")
    task = {"url": server.http, "file": str(DIGITS)}
    answer = json.loads(run_client(python, "mistral_rest.py", json.dumps(task)))
    assert answer["text"] == offline_digits().text
    assert (answer["model"], answer["language"]) == ("embedded", None)
    words = [(word.text, word.start_s, word.end_s) for word in offline_digits().words]
    assert [(span["text"], span["start"], span["end"]) for span in answer["segments"]] == words
    assert answer["usage"]["prompt_audio_seconds"] == round(offline_digits().duration_s)
    listed, retrieved = answer["models"]
    assert listed == retrieved
    assert listed["capabilities"]["audio_transcription"] is True
