"""`voxwire serve` as it is run: what it says when it is ready, and when it cannot start."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.server.certificates import make_certificate
from tests.server.serve_process import COMMAND, serving
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.server.cli.serve import capacity_state, key_state
from voxwire.server.settings import ServeSettings

KEY = "the-key-of-this-server"


def test_a_server_says_where_it_is_who_may_come_and_how_many(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path, "-nodes", "-addext", "subjectAltName=IP:127.0.0.1")
    keys = tmp_path / "keys"
    keys.write_text(f"{KEY}\n")
    flags = ["--tls-cert", str(cert), "--tls-key", str(key), "--wyoming-port", "0"]
    with serving(*flags, "--api-keys-file", str(keys), VOXWIRE_DRAIN_S="7") as process:
        told = "\n".join(process.lines)
        context = ssl.create_default_context(cafile=str(cert))
        url = f"https://127.0.0.1:{process.port}/v1/models"
        answer = httpx2.get(url, verify=context, headers={"X-Api-Key": KEY})
        wyoming_port = int(told.partition("tcp://127.0.0.1:")[2].split()[0])
        socket.create_connection(("127.0.0.1", wyoming_port), timeout=5).close()
        process.signal()
        assert process.wait() == 0
    assert answer.status_code == 200
    assert f"serves embedded at https://127.0.0.1:{process.port}" in told
    assert f"wss://127.0.0.1:{process.port}/v1/realtime" in told
    assert "/v1/stream as our own" in told
    assert "keys      one opens every door" in told
    assert re.search(
        r"up to \d+ live sessions?, as (set|measured on this machine); delay 480 ms", told
    )
    assert "open sessions have 7 s to finish" in told
    assert KEY not in "\n".join(process.lines)


@pytest.mark.parametrize(
    ("settings", "n_keys", "told"),
    [
        (ServeSettings(), 0, "none is needed; only this machine can connect"),
        (ServeSettings(host="0.0.0.0", insecure=True), 0, "NONE IS NEEDED: everybody"),
        (ServeSettings(), 3, "3 of them open every door"),
    ],
)
def test_who_may_come_is_told_in_words(settings: ServeSettings, n_keys: int, told: str) -> None:
    assert told in key_state(settings, n_keys)


@pytest.mark.parametrize(
    ("max_sessions", "n_free", "real_time_factor", "told"),
    [
        (128, 128, 0.1, "up to 128 live sessions, as set"),
        (128, 7, 0.3, "up to 7 live sessions, as measured on this machine"),
        (128, 1, 0.9, "up to 1 live session, as measured on this machine"),
        (1, 1, 2.53, "THIS MACHINE IS 2.53 TIMES TOO SLOW for live speech with this model"),
    ],
)
def test_how_many_may_speak_is_told_in_words(
    max_sessions: int, n_free: int, real_time_factor: float, told: str
) -> None:
    settings = ServeSettings(max_sessions=max_sessions)
    assert capacity_state(settings, n_free, real_time_factor).startswith(told)


def test_a_model_that_cannot_be_loaded_is_one_line_and_status_2(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(EMBEDDED, broken, ignore=shutil.ignore_patterns("demo"))
    weights = broken / "consolidated.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    run = subprocess.run(
        [*COMMAND, "--port", "0", "--model", str(broken)], capture_output=True, text=True
    )
    assert run.returncode == 2
    assert run.stderr.splitlines()[-1].startswith("voxwire: ")
    assert "Traceback (most recent call last):\n" not in run.stderr


def test_debug_is_for_the_server_too(tmp_path: Path) -> None:
    command = [*COMMAND[:-1], "--debug", COMMAND[-1], "--port", "0", "--model", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Traceback (most recent call last):\n" in run.stderr


def test_one_port_for_two_doors_is_refused_before_the_model_is_loaded() -> None:
    command = [*COMMAND, "--port", "18000", "--wyoming-port", "18000"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert "--wyoming-port: expected another port than --port" in run.stdout + run.stderr
    assert "Traceback" not in run.stderr
