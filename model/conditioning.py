"""The delay conditioning: one gain per delay, decoder layer and channel, computed once."""

from __future__ import annotations

import math
from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from .delay import DELAYS_TOKENS
from .layers import Linear, gelu

_LONGEST_PERIOD = 10000.0


def delay_embedding(dim: int) -> mx.array:
    """Return the embedding of every delay in DELAYS_TOKENS, [n_delays, dim]: cosines, sines."""
    half = dim // 2
    frequencies = np.exp(-math.log(_LONGEST_PERIOD) * np.arange(half) / half)
    angles = np.array(DELAYS_TOKENS)[:, None] * frequencies
    return mx.array(np.concatenate([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))


def layer_gain(embedding: mx.array, down: Linear, up: Linear, norm: mx.array) -> mx.array:
    """Return one layer's gains, [n_delays, dim]: the norm weight times 1 + the delay's scale."""
    return norm.astype(mx.float32) * (1 + up(gelu(down(embedding))))


def delay_rows(delays_tokens: Sequence[int]) -> list[int]:
    """Return the places of some delays in DELAYS_TOKENS."""
    return [DELAYS_TOKENS.index(delay) for delay in delays_tokens]
