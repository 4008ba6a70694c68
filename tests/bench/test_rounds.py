"""A driver that fails says so in its row, beside what it had done before."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench.peers import harness
from tests.bench.peers.harness import OneByOne, Samples
from tests.bench.peers.rounds import Driver, drive, rates
from tests.bench.recording import record, write_wav


class FakeStream:
    """Counts chunks; breaks at one of them."""

    def __init__(self, breaks_at: int) -> None:
        self.tokens: list[int] = []
        self._breaks_at = breaks_at

    def push(self, chunk: Samples) -> None:
        assert chunk.shape == (1280,)
        self.tokens.append(len(self.tokens))
        if len(self.tokens) == self._breaks_at:
            raise ValueError("too many")

    def finish(self) -> None:
        self.tokens.append(-1)


class FakeEngine:
    """A peer that breaks where there are 16 streams."""

    def __init__(self, checkpoint: str) -> None:
        assert checkpoint == "here"

    def group(self, n_streams: int) -> OneByOne:
        return OneByOne([FakeStream(5 if n_streams == 16 else -1) for _ in range(n_streams)])

    def file(self, wav: str) -> list[int]:
        return [len(harness.read_wav(wav))]


def test_what_a_peer_cannot_do_is_told_beside_what_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wav(tmp_path / "a.wav", record(2).samples)
    job = {"checkpoint": "here", "wav": str(tmp_path / "a.wav"), "groups": {"1": 0.8, "16": 0.8}}
    (tmp_path / "job.json").write_text(json.dumps(job))
    out = tmp_path / "result.json"
    monkeypatch.setattr(sys, "argv", ["driver", str(tmp_path / "job.json"), str(out)])
    harness.main(FakeEngine)
    result: dict[str, Any] = json.loads(out.read_text())
    assert result["groups"]["1"]["tokens"] == [*range(10), -1]
    assert result["file"]["tokens"] == [32000]
    assert result["errors"] == {"16 streams": "ValueError: too many"}
    assert rates([result], "1") == [result["groups"]["1"]["audio_s_per_s"]]
    assert rates([result], "16") == [None]


def test_a_driver_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    driver = Driver("none", "no_such_driver", Path(sys.executable), tmp_path, {1: 1.0})
    result = drive(driver, tmp_path / "a.wav", tmp_path)
    assert "no_such_driver" in result["errors"]["run"]
    assert result["groups"] == {}
