"""Load OpenBLAS before MLX on Linux."""

from __future__ import annotations

import ctypes
import sys


def load() -> None:
    """Load OpenBLAS into the global symbol scope."""
    if sys.platform == "linux":
        ctypes.CDLL("libopenblas.so.0", ctypes.RTLD_GLOBAL)
