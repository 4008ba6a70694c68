"""What a thread that used MLX must do before it ends."""

from __future__ import annotations

import gc

import mlx.core as mx

from .machine import usable_memory_bytes

# What the device calls its memory: Metal its share of the machine's, CUDA its own.
_MEMORY_KEYS = ("max_recommended_working_set_size", "total_memory", "memory_size")
# Freed buffers that MLX keeps: steps of one size use the same ones again, and others grow them.
_CACHE_BYTES = 1 << 30
_USABLE_SHARE = 0.8  # the rest is for what a step needs besides, and for others


def release_thread() -> None:
    """Finish what this thread has started on the device, and give up its streams.

    Last act of every thread that used MLX, after its arrays are dropped: without it the process
    may abort when it exits.
    """
    gc.collect()
    mx.synchronize()
    mx.clear_streams()


def free_memory_bytes() -> int:
    """Return how much more memory MLX may take on its device."""
    total = usable_memory_bytes()
    if mx.default_device().type == mx.DeviceType.gpu:
        info = mx.device_info()
        total = next((int(info[key]) for key in _MEMORY_KEYS if key in info), total)
    return max(0, int(_USABLE_SHARE * total) - mx.get_active_memory())


def free_unused_memory() -> None:
    """Return to the system what MLX keeps for later allocations. The thread that owns MLX."""
    mx.clear_cache()


def bound_unused_memory() -> None:
    """Keep what MLX holds for later allocations within a gigabyte. The thread that owns MLX.

    Its own bound is most of the device's memory, which on a Mac is everybody's.
    """
    mx.set_cache_limit(_CACHE_BYTES)
