"""`deepgram-sdk`, unmodified, transcribes with the offline model's text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sdk.audio import cut, offline_text, pause, recording, to_pcm
from tests.sdk.environments import run_client, sdk_python
from tests.server.live_server import LiveServer

RATE_HZ = 16000
OPTIONS = {"model": "nova-3", "encoding": "linear16", "sample_rate": RATE_HZ}

Messages = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def python() -> Path:
    return sdk_python("deepgram", "deepgram-sdk>=7,<8")


def run(
    python: Path, server: LiveServer, turns: list[bytes], *, is_async: bool = True, **options: Any
) -> Messages:
    """Return the messages of one connection, each with the SDK's name of its class."""
    task = {
        "url": server.ws,
        "options": {**OPTIONS, **options},
        "turns": [cut(turn, seed) for seed, turn in enumerate(turns)],
        "is_async": is_async,
    }
    printed = run_client(python, "deepgram_listen.py", json.dumps(task))
    return [tuple(json.loads(line)) for line in printed.splitlines()]


def results(messages: Messages, **wanted: bool) -> list[dict[str, Any]]:
    """Return the results with these flags."""
    found = [fields for kind, fields in messages if kind == "ListenV1Results"]
    return [one for one in found if all(one[name] is value for name, value in wanted.items())]


def transcript(result: dict[str, Any]) -> str:
    text: str = result["channel"]["alternatives"][0]["transcript"]
    return text


def joined(found: list[dict[str, Any]]) -> str:
    return " ".join(text for text in map(transcript, found) if text)


@pytest.mark.parametrize(("is_async", "rate_hz"), [(True, 16000), (False, 8000), (False, 44100)])
def test_a_stream_brings_the_offline_models_text_whatever_the_cuts(
    python: Path, server: LiveServer, is_async: bool, rate_hz: int
) -> None:
    pcm = to_pcm(recording("fsdd-george"), rate_hz)
    messages = run(
        python, server, [pcm], is_async=is_async, sample_rate=rate_hz, interim_results="true"
    )
    expected = offline_text([pcm], rate_hz)
    assert expected
    finals = results(messages, is_final=True)
    assert joined(finals) == expected
    words = [word for one in finals for word in one["channel"]["alternatives"][0]["words"]]
    assert [word["punctuated_word"] for word in words] == expected.split()
    times = [time for word in words for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert all(0 < word["confidence"] <= 1 for word in words)
    interim = results(messages, is_final=False)
    assert interim
    kind, summary = messages[-1]
    assert kind == "ListenV1Metadata"
    assert summary["duration"] == pytest.approx(len(pcm) / 2 / rate_hz, abs=0.01)
    assert {kind for kind, _ in messages} == {"ListenV1Results", "ListenV1Metadata"}


def test_interim_results_begin_the_final_ones(python: Path, server: LiveServer) -> None:
    pcm = to_pcm(recording("fsdd-jackson"), RATE_HZ)
    messages = run(python, server, [pcm], interim_results="true")
    open_text = ""
    for one in results(messages):
        assert transcript(one).startswith(open_text.rstrip())
        open_text = "" if one["is_final"] else transcript(one)


@pytest.mark.parametrize("is_async", [True, False])
def test_each_finalize_is_answered_and_the_stream_goes_on(
    python: Path, server: LiveServer, is_async: bool
) -> None:
    names = ("fsdd-george", "commands-stop", "fsdd-jackson")
    turns = [to_pcm(recording(name), RATE_HZ) for name in names]
    messages = run(python, server, turns, is_async=is_async, endpointing=60000)
    expected = [offline_text([turn], RATE_HZ) for turn in turns]
    finals = results(messages, is_final=True)
    assert [transcript(one) for one in finals] == expected
    assert [one["from_finalize"] for one in finals] == [True, True, False]


def test_pauses_end_utterances_and_speech_is_told_where_it_starts(
    python: Path, server: LiveServer
) -> None:
    parts = [pause(1), recording("fsdd-george"), pause(3), recording("fsdd-jackson"), pause(3)]
    pcm = to_pcm(np.concatenate(parts), RATE_HZ)
    messages = run(
        python,
        server,
        [pcm],
        vad_events="true",
        endpointing=800,
        interim_results="true",
        utterance_end_ms=1000,
    )
    kinds = [kind for kind, _ in messages]
    assert kinds.count("ListenV1SpeechStarted") == 2
    assert kinds.count("ListenV1UtteranceEnd") == 2
    starts = [one["timestamp"] for kind, one in messages if kind == "ListenV1SpeechStarted"]
    assert starts[0] == pytest.approx(1.0, abs=0.5)
    assert starts[1] == pytest.approx(4.0 + len(recording("fsdd-george")) / RATE_HZ, abs=0.5)
    ended = results(messages, speech_final=True)
    names = ("fsdd-george", "fsdd-jackson")
    spoken = [offline_text([to_pcm(recording(name), RATE_HZ)], RATE_HZ) for name in names]
    assert [transcript(one) for one in ended][:2] == spoken


def test_what_has_no_effect_is_named_in_the_metadata(python: Path, server: LiveServer) -> None:
    pcm = to_pcm(recording("commands-stop"), RATE_HZ)
    messages = run(python, server, [pcm], diarize="true", keyterm="stop")
    warned = [one["parameter"] for one in messages[-1][1]["warnings"]]
    assert sorted(warned) == ["diarize", "keyterm"]


def test_what_cannot_be_is_refused_before_the_stream_begins(
    python: Path, server: LiveServer
) -> None:
    with pytest.raises(AssertionError, match="400"):
        run(python, server, [b"\0\0"], encoding="opus")
