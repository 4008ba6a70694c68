"""Real SDKs, each in a virtual environment of its own: their pins clash, with ours too.

Made at first use under .cache/sdk, and again when the requirements change. A test is skipped only
where no package index can be reached.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".cache/sdk"
INSTALL_S = 600.0
_UNREACHABLE = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError", "Max retries")


def sdk_python(name: str, *requirements: str) -> Path:
    """Return the Python of an environment that holds the requirements."""
    folder = CACHE / name
    python, ready = folder / "bin/python", folder / ".ready"
    wanted = "\n".join([sys.version, *requirements])
    if not ready.exists() or ready.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        _install(python, requirements)
        ready.write_text(wanted)
    return python


def run_client(python: Path, client: str, task: str, timeout_s: float = 120.0) -> str:
    """Run one of `clients/` in an environment with a task on its standard input.

    Returns what it printed; fails with what it complained of.
    """
    script = Path(__file__).parent / "clients" / client
    done = subprocess.run(
        [python, script],
        input=task,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={"PATH": "/usr/bin:/bin", "NO_PROXY": "127.0.0.1"},
    )
    assert done.returncode == 0, f"{client} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def _install(python: Path, requirements: tuple[str, ...]) -> None:
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *requirements], capture_output=True, text=True, timeout=INSTALL_S)
    if done.returncode and any(sign in done.stderr for sign in _UNREACHABLE):
        pytest.skip("no package index can be reached")
    assert done.returncode == 0, done.stderr[-4000:]
