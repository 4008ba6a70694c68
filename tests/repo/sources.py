"""What the tests of the repository itself share."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("model", "protocol", "server", "clients")


def python_files(*folders: str) -> list[Path]:
    """Return the Python files under folders of the repository, generated and hidden ones apart."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def absolute_imports(path: Path) -> Iterator[str]:
    """Yield the full name of every module that a file of the package imports, at any depth.

    Relative imports are resolved: `from ..model import cache` in server/ is `voxwire.model.cache`.
    """
    package = ["voxwire", *path.relative_to(ROOT).parent.parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            parts = [*base, *(node.module.split(".") if node.module else [])]
            yield from (".".join([*parts, alias.name]) for alias in node.names)
