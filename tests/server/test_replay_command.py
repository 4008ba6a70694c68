"""`voxwire replay`: what a server recorded is written again, and what differs is shown."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result
from websockets.asyncio.client import connect

from tests.server.live_server import LiveServer, live_server
from voxwire.server.cli.main import app
from voxwire.server.replaying import RecordingError, Written, compare, read_recording

PCM = np.random.default_rng(8).integers(-16000, 16000, 100_000).astype("<i2").tobytes()
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def server(checkpoint: Path, folder: Path) -> Iterator[LiveServer]:
    with live_server(str(checkpoint), record_audio_dir=folder) as it:
        yield it


def speak(server: LiveServer, query: str, *, commits: bool = False, leaves: bool = False) -> Path:
    """Speak for a while over the native dialect; return the recording of it."""

    async def talk() -> str:
        async with asyncio.timeout(TIMEOUT_S), connect(f"{server.ws}/v1/stream?{query}") as socket:
            ready = json.loads(await socket.recv())
            for at in range(0, len(PCM), 9001):
                await socket.send(PCM[at : at + 9001])
                if commits and at == 9001 * 6:
                    await socket.send(json.dumps({"type": "commit"}))
            if leaves:
                socket.transport.abort()
            else:
                await socket.send(json.dumps({"type": "end"}))
            async for _ in socket:
                pass
            session: str = ready["session"]
            return session

    session = asyncio.run(talk())
    path = server.service.settings.record_audio_dir / f"{session}.jsonl"  # type: ignore[operator]
    until_s = time.monotonic() + TIMEOUT_S
    while '"Ended"' not in path.read_text():
        assert time.monotonic() < until_s
        time.sleep(0.01)
    return path


def replayed(path: Path, checkpoint: Path) -> Result:
    command = ["replay", str(path), "--model", str(checkpoint)]
    return CliRunner().invoke(app, command, env={"COLUMNS": "4000"})


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("silence_ms=160", {}),
        ("silence_ms=160&sample_rate=44100&encoding=pcm_s16le", {}),
        ("endpoint=none", {"commits": True}),
    ],
)
def test_a_session_is_written_again_as_it_was(
    server: LiveServer, checkpoint: Path, query: str, options: dict[str, Any]
) -> None:
    path = speak(server, query, **options)
    recorded = read_recording(path)
    assert recorded.is_whole
    assert recorded.is_cut is bool(options)
    assert any(final.text for final in recorded.finals)
    result = replayed(path.with_suffix(".wav"), checkpoint)
    assert result.exit_code == 0, result.output
    n = len(recorded.finals)
    assert f"{n} of {n} segments are the same." in result.output
    assert options or "As a whole file: the same text." in result.output


def test_a_transcript_that_is_not_what_the_model_writes_is_shown(
    server: LiveServer, checkpoint: Path
) -> None:
    path = speak(server, "silence_ms=160")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    final = next(each for each in lines if each.get("told") == "Final" and each["text"])
    final["text"] = "nobody said this"
    forged = path.with_name("forged.jsonl")
    forged.write_text("".join(json.dumps(line) + "\n" for line in lines))
    path.with_suffix(".wav").rename(forged.with_suffix(".wav"))
    result = replayed(forged, checkpoint)
    assert result.exit_code == 1
    assert "nobody said this" in next(x for x in result.output.splitlines() if "differs" in x)


@pytest.mark.parametrize(
    "content", ["", "[]\n", "{}\n", '{"settings": {}}\n{"asked": "Nothing"}\n']
)
def test_what_is_no_recording_is_refused(tmp_path: Path, checkpoint: Path, content: str) -> None:
    path = tmp_path / "a.jsonl"
    (tmp_path / "a.wav").write_bytes(bytes(44))
    path.write_text(content)
    with pytest.raises(RecordingError, match=r"a\.jsonl: expected a recording"):
        read_recording(path)
    assert replayed(path, checkpoint).exit_code == 2
    assert replayed(tmp_path / "none.wav", checkpoint).exit_code == 2


def test_of_what_was_broken_off_the_beginning_must_be_the_same(server: LiveServer) -> None:
    recorded = read_recording(speak(server, "silence_ms=160"))
    last = recorded.finals[-1]
    beginning = Written(last.segment, last.text[:3], "disconnect")
    more = Written(last.segment + 1, "more", "end")

    def are_equal(before: list[Written], now: list[Written], *, is_whole: bool) -> bool:
        changed = replace(recorded, finals=tuple(before), is_whole=is_whole)
        return all(each.is_equal for each in compare(changed, now))

    assert are_equal([beginning], [last], is_whole=False)
    assert are_equal([beginning], [last, more], is_whole=False)
    assert not are_equal([last], [last, more], is_whole=True)
    assert not are_equal([Written(last.segment, "!", "error")], [last], is_whole=False)
    assert not are_equal([last, more], [last], is_whole=True)
