"""What a server tells of its sessions: to whom, how much, for how long; and what faults leave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.server.engine.fakes import FakeModel
from tests.server.live_server import LiveServer, live_server
from tests.server.uploads.rest import post, wait_until
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.model.delay import NOT_FINITE
from voxwire.model.mel import Floats
from voxwire.server import flights
from voxwire.server.doors.doorman import TOKENS_PATH
from voxwire.server.engine.backend import Backend, Batch, load_backend
from voxwire.server.engine.messages import Ids
from voxwire.server.flights import check_folders
from voxwire.server.settings import ServeSettings, SettingsError

KEY = "the-key-of-this-server"
BEARER = {"Authorization": f"Bearer {KEY}"}
PCM = np.random.default_rng(8).integers(-16000, 16000, 64_000).astype("<i2").tobytes()
TIMEOUT_S = 60


def load() -> Backend:
    return replace(FakeModel().load(), tokenizer_file=EMBEDDED / "tekken.json")


class SpoilingBatch:
    """A batch whose numbers become NaN."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def advance(self, slots: Sequence[int], mel: Floats) -> Ids:
        return np.full_like(self._batch.advance(slots, mel), NOT_FINITE)

    advance_guessing = advance


@pytest.fixture(scope="module")
def server(checkpoint: Path) -> Iterator[LiveServer]:
    """A server with a key, and a model that writes much."""
    with live_server(str(checkpoint), api_keys=(KEY,)) as it:
        yield it


def speak(server: LiveServer) -> list[Any]:
    """Speak over the native dialect; return what was told."""

    async def talk() -> list[Any]:
        async with asyncio.timeout(TIMEOUT_S):
            async with connect(f"{server.ws}/v1/stream", additional_headers=BEARER) as socket:
                told = []
                with contextlib.suppress(ConnectionClosed):
                    await socket.send(PCM)
                    await socket.send(json.dumps({"type": "no-such-thing"}))
                    await socket.send(json.dumps({"type": "end"}))
                    while True:
                        told.append(json.loads(await socket.recv()))
                return told

    return asyncio.run(talk())


def get(server: LiveServer, path: str, **headers: str) -> httpx2.Response:
    return httpx2.get(server.http + path, headers=headers)


def test_a_session_is_found_by_the_id_that_its_client_was_told(server: LiveServer) -> None:
    told = speak(server)
    session = told[0]["session"]
    finals = [each for each in told if each["type"] == "final"]
    listed = get(server, "/debug/sessions", **BEARER).json()
    assert [each["id"] for each in listed["ended"]][-1] == session
    assert listed["open"] == []
    answer = get(server, f"/debug/sessions/{session}", **BEARER)
    report = answer.json()
    assert (report["dialect"], report["end"], report["is_fault"]) == ("native", "end", False)
    assert report["audio_s"] == 4.0
    whats = [each["what"] for each in report["decisions"]]
    assert whats[:2] == ["opened", "connected"]
    assert {"asked_finish", "refused", "final", "ended"} <= set(whats)
    assert whats[-1] == "disconnected"
    assert sum(each["n_passes"] for each in report["timings"]) > 1
    for final in finals:
        assert not final["text"] or final["text"] not in answer.text


def test_nobody_looks_without_a_key_and_no_token_does(server: LiveServer) -> None:
    session = speak(server)[0]["session"]
    token = httpx2.post(server.http + TOKENS_PATH, json={}, headers=BEARER).json()["value"]
    for path in ("/debug/sessions", f"/debug/sessions/{session}", "/debug/sessions/none"):
        assert get(server, path).status_code == 401
        assert get(server, path, **{"X-Api-Key": "another-key"}).status_code == 401
        refused = get(server, path, Authorization=f"Bearer {token}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
        both = get(server, path, **{"X-Api-Key": KEY, "Authorization": f"Bearer {token}"})
        assert both.status_code == 403


def test_without_keys_only_this_machine_looks() -> None:
    with live_server(load=load) as local:
        assert get(local, "/debug/sessions").json() == {"open": [], "ended": []}
    with live_server(load=load, host="0.0.0.0", insecure=True) as wide_open:
        refused = get(wide_open, "/debug/sessions")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")


@pytest.mark.parametrize("name", ["none", "..", "%2e%2e%2fetc", "a%0d%0ab", "x" * 3000, "%00"])
def test_an_unknown_id_is_an_error_of_its_own_kind(server: LiveServer, name: str) -> None:
    answer = get(server, f"/debug/sessions/{name}", **BEARER)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_few_ended_sessions_are_kept(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flights, "MAX_ENDED", 2)
    first, *rest = (speak(server)[0]["session"] for _ in range(3))
    assert get(server, f"/debug/sessions/{first}", **BEARER).status_code == 404
    ended = get(server, "/debug/sessions", **BEARER).json()["ended"]
    assert [each["id"] for each in ended] == rest


def test_a_fault_is_written_down_without_being_asked_for(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flights, "MAX_FAULT_FILES", 2)

    def load_spoilt() -> Backend:
        backend = load_backend(checkpoint)
        return replace(backend, make_batch=lambda n: SpoilingBatch(backend.make_batch(n)))

    with live_server(load=load_spoilt, debug_dir=tmp_path) as spoilt:
        sessions = [speak(spoilt)[0]["session"] for _ in range(3)]
        until_s = time.monotonic() + TIMEOUT_S
        while not (tmp_path / f"{sessions[-1]}.json").exists() or len(names(tmp_path)) > 2:
            assert time.monotonic() < until_s
            time.sleep(0.01)
    assert names(tmp_path) == sorted(sessions[-2:])
    path = tmp_path / f"{sessions[-1]}.json"
    assert path.stat().st_mode & 0o077 == 0
    report = json.loads(path.read_text())
    assert (report["end"], report["is_fault"]) == ("not_finite", True)
    assert report["decisions"][-1]["facts"]["code"] == "not_finite"


@pytest.mark.parametrize(
    ("is_spoilt", "status", "level", "end"),
    [(True, 500, logging.ERROR, "not_finite"), (False, 200, logging.INFO, "done")],
)
def test_what_became_of_an_upload_is_logged_under_the_id_that_its_client_was_told(
    checkpoint: Path,
    caplog: pytest.LogCaptureFixture,
    is_spoilt: bool,
    status: int,
    level: int,
    end: str,
) -> None:
    def load_it() -> Backend:
        backend = load_backend(checkpoint)
        if not is_spoilt:
            return backend
        return replace(backend, make_batch=lambda n: SpoilingBatch(backend.make_batch(n)))

    caplog.set_level(logging.INFO)
    with live_server(load=load_it) as server, httpx2.Client(base_url=server.http) as client:
        answer = post(client)
        wait_until(lambda: any("end=" in line for line in _uploads_of(caplog)))
    assert answer.status_code == status
    (line,) = _uploads_of(caplog)
    assert line.startswith(f"upload={answer.headers['x-request-id']} end={end} heard_s=")
    assert [each.levelno for each in caplog.records if each.getMessage() == line] == [level]


def _uploads_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [line for line in caplog.messages if line.startswith("upload=")]


def names(folder: Path) -> list[str]:
    return sorted(each.stem for each in folder.iterdir())


def test_folders_that_cannot_be_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("debug_dir", "record_audio_dir"):
        wrong: dict[str, Any] = {name: tmp_path / "file"}
        with pytest.raises(SettingsError, match="file"):
            check_folders(ServeSettings(**wrong))
        right: dict[str, Any] = {name: tmp_path / "new" / name}
        check_folders(ServeSettings(**right))
        assert (tmp_path / "new" / name).is_dir()
