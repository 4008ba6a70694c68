"""`voxwire full-size` on a small shape: the same way, in seconds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.random_checkpoint import PARAMS
from voxwire.model.config import ModelConfig
from voxwire.model.errors import ModelError
from voxwire.model.measure import Cost
from voxwire.server.cli import full_size
from voxwire.server.cli.full_size import Report, TooSmallError, full_size_command

app = typer.Typer()
app.command()(full_size_command)
N_MATRICES = 35  # the embedding, both projections, 7 a layer and 2 more for the decoder's


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> ModelConfig:
    """Make the full size a small one."""
    config = ModelConfig.from_params(PARAMS["grouped"])
    monkeypatch.setattr(full_size, "FULL_SIZE", config)
    monkeypatch.setattr(full_size, "NEEDED_MEMORY_BYTES", 0)
    monkeypatch.setattr(full_size, "NEEDED_DISK_BYTES", 0)
    return config


def test_both_checkpoints_are_made_loaded_and_stepped(small: ModelConfig, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--dir", str(tmp_path)])
    assert result.exit_code == 0, result.output
    document = json.loads(result.output.splitlines()[-1])
    plain, packed = document["costs"]
    assert (plain["layout"], packed["layout"]) == ("mistral", "voxmlx")
    assert (plain["n_quantised"], packed["n_quantised"]) == (0, N_MATRICES)
    n_weights = plain["n_weight_bytes"] / 4  # float32: so small a model is widened
    assert plain["n_file_bytes"] == pytest.approx(2 * n_weights, rel=0.01)
    assert packed["n_file_bytes"] < plain["n_file_bytes"] / 2
    assert min(plain["load_s"], plain["step_s"], packed["step_cpu_s"]) > 0
    assert plain["peak_bytes"] >= plain["load_peak_bytes"] > plain["n_weight_bytes"]
    assert "one copy of the weights in memory" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_second_copy_is_found() -> None:
    cost = Cost("mistral", "bfloat16", 0, 9, 8_900_000_000, 1, 1, 0, 1, 1, 1, 0)
    assert Report([], [replace(cost, load_peak_bytes=10_500_000_000)]).is_bounded
    assert not Report([], [replace(cost, load_peak_bytes=17_800_000_000)]).is_bounded


def test_too_small_a_machine_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(full_size, "NEEDED_DISK_BYTES", 10**18)
    result = CliRunner().invoke(app, ["--dir", str(tmp_path)])
    assert isinstance(result.exception, TooSmallError)
    assert "of free disk, got" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["--dir", str(tmp_path / "file" / "x")])
    assert isinstance(result.exception, ModelError)
    assert "expected a folder to write into" in str(result.exception)
