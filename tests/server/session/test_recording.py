"""Recordings: what was heard to the bit, for nobody else to read, bounded, and never in the way."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxwire.protocol.errors import NotFiniteError
from voxwire.protocol.session import (
    AudioFormat,
    CloseReason,
    Commit,
    Configure,
    Encoding,
    Ended,
    Event,
    Final,
    Lag,
    PadEndpoint,
    Partial,
    Score,
    SessionSettings,
    VadEndpoint,
)
from voxwire.server.media import Media
from voxwire.server.session import recording
from voxwire.server.session.recording import SETTINGS, Recordings
from voxwire.server.session.samples import Samples

SAMPLES = np.random.default_rng(3).uniform(-1, 1, 400_000).astype(np.float32)
ENDED = Ended(CloseReason.ERROR, 1.0, NotFiniteError("NaN"))
HEAD = {"session": "sess_1"}


class Folder:
    """Recordings whose thread can be waited for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recordings = Recordings(path)
        self.writer: ThreadPoolExecutor = self.recordings._writer

    def lines(self, name: str = "a") -> list[dict[str, Any]]:
        self.writer.shutdown()
        text = (self.path / f"{name}.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    def audio(self, name: str = "a") -> Samples:
        with Media(self.path / f"{name}.wav") as media:
            return np.concatenate([np.zeros(0, np.float32), *media.blocks()])


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "new" / "folder")


def record(folder: Folder, *told: Event, name: str = "a") -> None:
    """Record audio in pieces with a commit among them, and what is told at the end."""
    begun = folder.recordings.begin(name, HEAD)
    assert begun is not None
    for at in range(0, len(SAMPLES), 7001):
        begun.heard(SAMPLES[at : at + 7001])
        if at == 14002:
            begun.asked(Commit())
    for event in told:
        begun.told(event)


def test_the_audio_comes_back_to_the_bit_by_any_program_that_reads_wav(folder: Folder) -> None:
    record(folder, ENDED)
    folder.lines()
    np.testing.assert_array_equal(folder.audio(), SAMPLES)


def test_requests_and_events_stand_at_their_samples(folder: Folder) -> None:
    final = Final(0, CloseReason.COMMIT, "yes", (), 0.0, 1.0, (Score(b"\xe2", -0.1),))
    record(folder, Partial(0, "y", "y", 0.5), Lag(1, 2, 3, 0.1), final, ENDED)
    head, commit, partial, told, ended = folder.lines()
    assert head == HEAD
    assert commit == {"asked": "Commit", "n_samples": 21003}
    assert (partial["told"], partial["delta"]) == ("Partial", "y")
    assert "text" not in partial
    assert (told["text"], told["reason"], told["n_samples"]) == ("yes", "commit", len(SAMPLES))
    assert ended["error"] == {"code": "not_finite", "message": "NaN"}


def test_nobody_but_the_owner_can_read(folder: Folder) -> None:
    record(folder, ENDED)
    folder.lines()  # when all is written
    modes = {each.stat().st_mode & 0o777 for each in folder.path.iterdir()}
    assert modes == {0o600}
    assert folder.path.stat().st_mode & 0o077 == 0


def test_a_recording_is_cut_where_it_becomes_too_long_and_says_so(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MAX_RECORDING_BYTES", 1 << 20)
    record(folder, ENDED)
    *_, last = folder.lines()
    assert last["cut"] == "it is as long as it may be"
    assert (folder.path / "a.wav").stat().st_size < (1 << 20) + 50_000
    np.testing.assert_array_equal(folder.audio(), SAMPLES[: last["n_samples"]])


def test_a_disk_that_hangs_holds_up_nobody_and_memory_stays_bounded(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_MAX_CHUNKS", 2)
    is_free = threading.Event()
    folder.writer.submit(is_free.wait)
    record(folder, ENDED)
    is_free.set()
    *_, last = folder.lines()
    assert last["cut"] == "the disk is too slow"
    np.testing.assert_array_equal(folder.audio(), SAMPLES[: last["n_samples"]])


def test_a_disk_without_room_begins_no_recording(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recording, "MIN_FREE_BYTES", 1 << 60)
    assert folder.recordings.begin("a", HEAD) is None
    assert "recording=none" in caplog.text
    monkeypatch.undo()
    record(folder, ENDED)
    assert folder.recordings.begin("a", HEAD) is None  # never over another


@pytest.mark.parametrize(
    "settings",
    [
        SessionSettings(),
        SessionSettings(endpoint=PadEndpoint(640), delay_ms=240, wants_scores=True),
        SessionSettings(endpoint=VadEndpoint()),
        SessionSettings(endpoint=VadEndpoint(0.3, 200, 400)),
        SessionSettings(AudioFormat(Encoding.MULAW, 8000, 2), endpoint=None),
    ],
)
def test_settings_come_back_as_they_were(settings: SessionSettings, folder: Folder) -> None:
    begun = folder.recordings.begin("a", HEAD)
    assert begun is not None
    begun.asked(Configure(settings))
    begun.told(ENDED)
    assert SETTINGS.validate_python(folder.lines()[1]["settings"]) == settings
