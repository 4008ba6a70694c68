"""A recording sent over REST becomes the text that the offline model writes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import numpy as np
import pytest
import srt
import webvtt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.media_files import write_audio
from tests.server.uploads.rest import (
    DIGITS,
    events_of,
    offline,
    offline_digits,
    post,
)
from tests.server.voices import FOLDER, Voice, read, voices
from voxwire.protocol.openai_rest.answers import TextDone, VerboseTranscription


def verbose(client: httpx2.Client, voice: Voice) -> VerboseTranscription:
    answer = post(
        client,
        FOLDER / voice.name,
        response_format="verbose_json",
        timestamp_granularities_list=["word"],
    )
    assert answer.status_code == 200, answer.text
    return VerboseTranscription.model_validate_json(answer.text)


def test_every_bundled_recording_has_its_offline_text_and_times(client: httpx2.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda voice: verbose(client, voice), voices()))
    for voice, answer in zip(voices(), answers, strict=True):
        expected = offline(voice.samples)
        assert answer.text == expected.text, voice.name
        times = [(word.word, word.start, word.end) for word in answer.words or []]
        assert times == [(word.text, word.start_s, word.end_s) for word in expected.words]
        assert answer.duration == expected.duration_s


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    voice=st.sampled_from([voice for voice in voices() if voice.words]),
    container=st.sampled_from(["wav", "flac", "mkv", "mov", "caf", "aiff"]),
    n_channels=st.integers(1, 2),
    packet_samples=st.integers(64, 4000),
    delay_ms=st.sampled_from([160, 480, 960]),
)
def test_any_container_of_the_same_samples_gives_the_same_text(
    client: httpx2.Client,
    tmp_path: Path,
    voice: Voice,
    container: str,
    n_channels: int,
    packet_samples: int,
    delay_ms: int,
) -> None:
    codec = {"flac": "flac", "aiff": "pcm_s16be"}.get(container, "pcm_s16le")
    channels = [voice.samples] * n_channels
    file = write_audio(tmp_path / f"a.{container}", channels, 16000, codec, packet_samples)
    wav = write_audio(tmp_path / "b.wav", [voice.samples], 16000, "pcm_s16le")
    samples = read(wav)
    np.testing.assert_array_equal(read(file), samples)
    answer = post(client, file, delay_ms=delay_ms)
    assert answer.json()["text"] == offline(samples, delay_ms).text


def test_text_and_subtitles(client: httpx2.Client) -> None:
    text = offline_digits().text
    assert text
    answer = post(client, response_format="text")
    assert (answer.text, answer.headers["content-type"]) == (
        text + "\n",
        "text/plain; charset=utf-8",
    )
    subtitles = post(client, response_format="srt")
    assert " ".join(cue.content for cue in srt.parse(subtitles.text)) == text
    web = post(client, response_format="vtt")
    assert web.headers["content-type"] == "text/vtt; charset=utf-8"
    assert " ".join(cue.text for cue in webvtt.from_string(web.text).captions) == text


def test_verbose_json_has_no_words_unless_asked_for(client: httpx2.Client) -> None:
    body = post(client, response_format="verbose_json").json()
    assert "words" not in body
    segments = [(each["text"], each["start"], each["end"]) for each in body["segments"]]
    expected = offline_digits().segments
    assert segments == [(each.text, each.start_s, each.end_s) for each in expected]
    body = post(
        client, response_format="verbose_json", timestamp_granularities_list=["word"]
    ).json()
    assert body["words"]
    assert "segments" not in body


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("form", ["json", "verbose_json"])
def test_a_stream_brings_the_text_as_it_is_found(
    client: httpx2.Client, form: str, scored: bool
) -> None:
    more = ["logprobs"] if scored else []
    answer = post(client, stream="true", response_format=form, include_list=more)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events, progress = events_of(answer.text)
    assert {event["type"] for event in events[:-1]} == {"transcript.text.delta"}
    assert "".join(event["delta"] for event in events[:-1]).rstrip() == offline_digits().text
    done = TextDone.model_validate(events[-1])
    assert done.text == offline_digits().text
    assert (done.segments is not None) == (form == "verbose_json")
    pieces = [score["bytes"] for event in events[:-1] for score in event.get("logprobs", [])]
    assert pieces == [score.bytes for score in done.logprobs or []]
    assert bool(pieces) == scored
    times = [report["done_s"] for report in progress]
    assert times == sorted(times)
    assert progress[-1]["done_s"] == progress[-1]["total_s"] == offline_digits().duration_s


def test_log_probabilities_spell_the_text(client: httpx2.Client) -> None:
    body = post(client, include_list="logprobs").json()
    spelled = b"".join(bytes(score["bytes"]) for score in body["logprobs"])
    assert spelled.decode().strip() == body["text"] == offline_digits().text
    assert all(score["logprob"] <= 0 for score in body["logprobs"])


def test_what_was_ignored_and_what_was_served_stand_in_the_head(client: httpx2.Client) -> None:
    answer = post(client, model="whisper-1", language="en", prompt="digits", seed="1")
    assert answer.headers["x-voxwire-ignored"] == "language, prompt, seed"
    assert answer.headers["x-voxwire-model"] == "embedded"
    assert answer.headers["x-voxwire-delay-ms"] == "480"
    assert "x-voxwire-ignored" not in post(client, model="voxtral").headers


def test_damage_is_told(client: httpx2.Client, tmp_path: Path) -> None:
    samples = np.tile(read(DIGITS), 2)
    file = write_audio(tmp_path / "a.flac", [samples], 16000, "flac")
    cut_off = file.read_bytes()[:-3000]
    answer = post(client, cut_off)
    assert answer.json()["damaged_packets"] >= 1
    assert answer.headers["x-voxwire-damaged-packets"] == str(answer.json()["damaged_packets"])
    events, _ = events_of(post(client, cut_off, stream="true").text)
    assert events[-1]["damaged_packets"] == answer.json()["damaged_packets"]


def test_silence_has_no_text(client: httpx2.Client, tmp_path: Path) -> None:
    file = write_audio(tmp_path / "a.wav", [np.zeros(1600, np.float32)], 16000, "pcm_s16le")
    body = post(client, file, response_format="verbose_json").json()
    assert body["text"] == ""
    assert body["segments"] == []
    assert body["duration"] == pytest.approx(0.1)


def test_the_served_model_is_listed(client: httpx2.Client) -> None:
    listed = client.get("/v1/models").json()
    assert [model["id"] for model in listed["data"]] == ["embedded"]
    for name in ("embedded", "whisper-1", "org/name"):  # any name stands for it
        assert client.get(f"/v1/models/{name}").json() == listed["data"][0]
    named = {"id", "object", "created", "owned_by"}
    assert set(listed["data"][0]) == named | {"type", "capabilities"}  # Mistral's


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/v1/models", "/docs"])
def test_who_asks_for_the_head_alone_gets_it(client: httpx2.Client, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == client.get(path).headers["content-type"]


def test_the_documentation_needs_no_other_host(client: httpx2.Client) -> None:
    page = client.get("/docs").text
    assert "https://" not in page
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"):
        assert f"./static/docs/{name}" in page
        assert client.get(f"/static/docs/{name}").status_code == 200
    assert client.get("/static/docs/other.js").status_code == 404
