"""Warn before a command computes slowly for want of an optimised BLAS."""

from __future__ import annotations

from ...model import blas, machine
from .progress import complain, errors


def slow_blas(status: blas.BlasStatus, speed: blas.BlasSpeed) -> str | None:
    """Say why MLX is slower than it could be on this CPU; None where it runs as it should."""
    if blas.took_effect(status, speed):
        return None
    rates = f"{speed.mlx_gflops:.1f} GFLOP/s where NumPy makes {speed.numpy_gflops:.0f}"
    is_other = f"{status.library} was loaded before MLX, which does not compute with it"
    reason = is_other if status.library else status.reason
    return f"MLX computes without an optimised BLAS ({rates}): {reason}"


def warn_if_slow() -> None:
    """Print one warning, with what mends it, where MLX computes on this CPU without OpenBLAS."""
    status = blas.load()
    if not status.needed or machine.describe().is_gpu:
        return
    complaint = slow_blas(status, blas.measure())
    if complaint:
        mend = f"; mend it with: {status.fix}" if status.fix else ""
        complain(errors(), f"{complaint}{mend}", "yellow")
