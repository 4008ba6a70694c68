"""What MLX keeps of freed memory is bounded."""

from __future__ import annotations

import mlx.core as mx

from voxwire.model.device import bound_unused_memory


def test_freed_memory_that_is_kept_is_bounded() -> None:
    bound_unused_memory()
    bound = mx.set_cache_limit(0)  # tells the one before
    mx.set_cache_limit(bound)
    assert 0 < bound <= 1 << 30
