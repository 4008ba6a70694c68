"""Find data that comes as a Python package: the parts of the teacher and of the natural voices."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def wheel_folder(package: str) -> Path:
    """Return an installed package's folder without importing it; ModuleNotFoundError tells how."""
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None:
        raise ModuleNotFoundError(f"the recipe needs {package}: install the training extra")
    return Path(found.origin).parent
