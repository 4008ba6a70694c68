"""`make audit`: what it says and how it ends, with tools that say what they might."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.repo.sources import ROOT

SATISFIED = "echo 'Would make no changes' >&2"
CLEAN = "echo 'No known vulnerabilities found'"


def audit(folder: Path, uv: str, pip_audit: str) -> subprocess.CompletedProcess[str]:
    (folder / "bin").mkdir()
    for name, body in (("uv", uv), ("pip-audit", pip_audit)):
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
        (folder / "bin" / name).chmod(0o755)
    command = ["sh", str(ROOT / ".dev/audit"), str(folder), str(folder)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("uv", "pip_audit", "status", "said"),
    [
        (SATISFIED, CLEAN, 0, "no fault is known"),
        ("echo 'Would install 1 package'", CLEAN, 1, "is not what .dev/requirements.lock names"),
        ("echo 'no wheel in the cache'; exit 1", CLEAN, 1, "no wheel in the cache"),
        (SATISFIED, "echo 'Found 2 known vulnerabilities in 1 package'; exit 1", 1, "Found 2"),
        (SATISFIED, "echo 'no address for the name'; exit 1", 0, "cannot be had here"),
    ],
)
def test_a_fault_or_another_version_fails_and_only_missing_data_does_not(
    tmp_path: Path, uv: str, pip_audit: str, status: int, said: str
) -> None:
    done = audit(tmp_path, uv, pip_audit)
    assert said in done.stdout + done.stderr
    assert done.returncode == status
