"""What is shipped is what the sources build."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.clients.web.conftest import WEB


def test_the_committed_page_is_what_the_sources_build(node_tools: Path, tmp_path: Path) -> None:
    subprocess.run(["node", "build.mjs", tmp_path], cwd=node_tools, check=True)
    built = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    shipped = {path.name: path.read_bytes() for path in (WEB / "dist").iterdir()}
    assert shipped.keys() == built.keys()
    stale = [name for name, content in built.items() if shipped[name] != content]
    assert not stale, "make web"


def test_the_page_needs_nothing_at_run_time() -> None:
    assert '"dependencies"' not in (WEB / "package.json").read_text()
