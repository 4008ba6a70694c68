"""`voxwire doctor` tells what is wrong and which command mends it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from voxwire.model import blas, machine
from voxwire.model.errors import MissingFileError
from voxwire.server.cli import doctor
from voxwire.server.cli.main import app
from voxwire.server.cli.speed import slow_blas

HEALTHY = doctor.Check("memory", "8 GiB", numbers={"cores": 4})
BROKEN = doctor.Check("BLAS", "not installed", fix="sudo apt-get install -y libopenblas0-pthread")


def report_of(monkeypatch: pytest.MonkeyPatch, *checks: doctor.Check) -> tuple[int, str]:
    monkeypatch.setattr(doctor, "examine", lambda: iter(checks))
    result = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "100"})
    return result.exit_code, result.output


def test_all_well_is_status_0(monkeypatch: pytest.MonkeyPatch) -> None:
    status, shown = report_of(monkeypatch, HEALTHY)
    assert status == 0
    assert "8 GiB" in shown


def test_what_is_wrong_is_status_1_and_shown_with_its_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    status, shown = report_of(monkeypatch, HEALTHY, BROKEN)
    assert status == 1
    assert BROKEN.fix in shown


def test_json_says_the_same() -> None:
    document = doctor.as_document([HEALTHY, BROKEN])
    assert document["healthy"] is False
    assert json.loads(json.dumps(document))["checks"][0] == {
        "name": "memory",
        "value": "8 GiB",
        "fix": "",
        "numbers": {"cores": 4},
        "healthy": True,
    }


def test_it_measures_this_machine_and_transcribes_with_the_embedded_model() -> None:
    checks = {check.name: check for check in doctor.examine()}
    assert checks["device"].is_healthy
    assert checks["memory"].numbers["memory_bytes"] > 0
    assert checks["BLAS"].numbers["mlx_gflops"] > 0
    assert checks["embedded model"].is_healthy, checks["embedded model"].value
    assert checks["speed"].numbers["times_real_time"] > 0
    assert checks["speed"].numbers["live_step_ms"] > 0


def test_an_embedded_model_that_is_gone_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(spec: str) -> None:
        raise MissingFileError(None, None, "params.json", "nothing")

    monkeypatch.setattr(doctor, "open_model", fail)
    last = list(doctor.examine())[-1]
    assert last.name == "embedded model"
    assert last.fix == "git checkout -- model/embedded"


@pytest.mark.parametrize(
    ("pip", "installer"), [(object(), "{} -m pip install"), (None, "uv pip install --python {}")]
)
def test_a_back_end_that_is_missing_is_added_to_this_environment(
    pip: object, installer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise ImportError("libmlx.so: cannot open shared object file")

    monkeypatch.setattr(machine, "describe", fail)
    monkeypatch.setattr(doctor, "find_spec", lambda name: pip)
    monkeypatch.setattr(sys, "executable", "/here/python")
    last = list(doctor.examine())[-1]
    assert last.name == "device"
    assert last.fix == installer.format("/here/python") + " 'mlx[cpu]'"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux needs OpenBLAS")
def test_a_machine_without_openblas_is_unhealthy() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "voxwire", "doctor", "--json"],
        env=os.environ | {blas.ENVIRONMENT_VARIABLE: "none"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    found = {check["name"]: check for check in json.loads(run.stdout)["checks"]}
    assert found["BLAS"]["fix"] == f"unset {blas.ENVIRONMENT_VARIABLE}"


def test_the_warning_names_rates_and_reason() -> None:
    status = blas.BlasStatus(None, True, "OpenBLAS is not installed", "sudo install it")
    speed = blas.BlasSpeed(mlx_gflops=1.5, numpy_gflops=120.0)
    complaint = slow_blas(status, speed)
    assert complaint is not None
    assert "1.5 GFLOP/s" in complaint
    assert complaint.endswith("OpenBLAS is not installed")
