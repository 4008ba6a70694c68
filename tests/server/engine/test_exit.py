"""A process that used the engine ends, whatever was going on, and never by an abort."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("exits.py")
N_RUNS = int(os.environ.get("VOXWIRE_EXIT_RUNS", "2"))  # of each way; more to hunt a rare abort
TIMEOUT_S = 120


@pytest.mark.parametrize(
    ("way", "status"),
    [
        ("stopped", 0),
        ("stopped-in-a-session", 0),
        ("forgotten", 0),
        ("raised", 3),
        ("failed", 70),
    ],
)
def test_a_process_ends_without_an_abort(checkpoint: Path, way: str, status: int) -> None:
    def run(_: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(SCRIPT), str(checkpoint), way]
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)

    with ThreadPoolExecutor(2) as pool:
        for ended in pool.map(run, range(N_RUNS)):
            assert ended.returncode == status, ended.stderr
            assert ended.stdout.startswith("19\n")
            assert "terminate" not in ended.stderr
