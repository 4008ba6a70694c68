"""The `openai` SDK, unmodified, transcribes files over REST with the offline model's text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import srt
import webvtt

from tests.sdk.environments import run_client, sdk_python
from tests.sdk.test_openai_realtime import RELEASES
from tests.server.live_server import LiveServer
from tests.server.uploads.rest import DIGITS, offline, offline_digits
from tests.server.voices import read


@pytest.fixture(scope="module", params=RELEASES)
def told(request: pytest.FixtureRequest, server: LiveServer) -> dict[str, Any]:
    """What the SDK returned, of each release."""
    python: Path = sdk_python(request.param, *RELEASES[request.param])
    task = {"url": f"{server.http}/v1", "file": str(DIGITS)}
    printed: dict[str, Any] = json.loads(run_client(python, "openai_rest.py", json.dumps(task)))
    assert request.param == "openai-" + printed["version"].split(".")[0]
    return printed


def test_json_and_many_at_once(told: dict[str, Any]) -> None:
    text = offline_digits().text
    assert text
    assert told["json"]["text"] == text
    usage = {"type": "duration", "seconds": offline_digits().duration_s}
    assert told["json"]["usage"] | usage == told["json"]["usage"]  # and what Mistral's clients read
    assert told["async"] == [text] * 4


def test_text_and_subtitles(told: dict[str, Any]) -> None:
    text = offline_digits().text
    assert told["text"] == text + "\n"
    assert " ".join(cue.content for cue in srt.parse(told["srt"])) == text
    assert " ".join(cue.text for cue in webvtt.from_string(told["vtt"]).captions) == text


def test_words_and_segments(told: dict[str, Any]) -> None:
    expected = offline_digits()
    assert told["verbose_type"] == "TranscriptionVerbose"
    verbose = told["verbose"]
    assert verbose["text"] == expected.text
    assert verbose["duration"] == expected.duration_s
    words = [(word["word"], word["start"], word["end"]) for word in verbose["words"]]
    assert words == [(word.text, word.start_s, word.end_s) for word in expected.words]
    segments = [(each["text"], each["start"], each["end"]) for each in verbose["segments"]]
    assert segments == [(each.text, each.start_s, each.end_s) for each in expected.segments]
    for each in verbose["segments"]:
        assert each["avg_logprob"] <= 0
        assert 0 <= each["no_speech_prob"] <= 1
        assert each["tokens"]
        assert None not in each.values()


def test_a_stream_whose_progress_the_sdk_passes_over(told: dict[str, Any]) -> None:
    *deltas, (kind, done) = told["stream"]
    assert {name for name, _ in deltas} == {"TranscriptionTextDeltaEvent"}
    assert kind == "TranscriptionTextDoneEvent"
    assert "".join(event["delta"] for _, event in deltas).rstrip() == offline_digits().text
    assert done["text"] == offline_digits().text
    assert done["usage"]["total_tokens"] > done["usage"]["output_tokens"] > 0
    assert len(done["logprobs"]) == done["usage"]["output_tokens"]


def test_what_is_asked_for_beyond_the_text(told: dict[str, Any]) -> None:
    spelled = b"".join(bytes(map(int, each["bytes"])) for each in told["scored"]["logprobs"])
    assert spelled.decode().strip() == offline_digits().text
    assert told["delayed"] == offline(read(DIGITS), 960).text
    assert told["ignored"] == "prompt"
    assert told["models"] == ["embedded"]
    assert told["model"] == "voxwire"


def test_errors_are_the_sdks_own_with_code_and_parameter(told: dict[str, Any]) -> None:
    assert told["errors"] == {
        "no recording": ["BadRequestError", 400, "invalid_media", "file"],
        "speakers": ["BadRequestError", 400, "unsupported", "response_format"],
        "translation": ["BadRequestError", 400, "unsupported", None],
        "stream": ["BadRequestError", 400, "invalid_media", "file"],
    }
