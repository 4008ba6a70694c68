"""What a thread that used MLX must do before it ends."""

from __future__ import annotations

import gc

import mlx.core as mx


def release_thread() -> None:
    """Finish what this thread has started on the device, and give up its streams.

    Last act of every thread that used MLX, after its arrays are dropped: without it the process
    may abort when it exits.
    """
    gc.collect()
    mx.synchronize()
    mx.clear_streams()


def free_unused_memory() -> None:
    """Return to the system what MLX keeps for later allocations. The thread that owns MLX."""
    mx.clear_cache()
