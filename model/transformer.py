"""The pre-norm transformer that encoder and decoder share.

A layer is h += attention(norm(h)); h += swiglu(norm(h) * gain). The gain is the decoder's delay
conditioning; the encoder's is its norm weight alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx

from .cache import RingCache, RingStep
from .layers import Product, attend, attention_mask, swiglu


@dataclass(frozen=True, slots=True)
class Heads:
    """Head counts and size of one stack."""

    n_heads: int
    n_kv_heads: int
    head_dim: int


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one layer. Rows of queries and keys in `qkv` are in half-split order."""

    attention_norm: mx.array  # [dim]
    qkv: Product  # dim -> (n_heads + 2 n_kv_heads) * head_dim
    out: Product  # n_heads * head_dim -> dim
    ffn_norm: mx.array  # [dim]
    gate_up: Product  # dim -> 2 * hidden
    down: Product  # hidden -> dim


@dataclass(frozen=True, slots=True)
class Transformer:
    """A stack of layers with its final norm, over the rings of a cache."""

    heads: Heads
    layers: tuple[Layer, ...]
    norm: mx.array  # [dim]
    norm_eps: float

    def __call__(
        self, x: mx.array, cache: RingCache, step: RingStep, gains: mx.array | None = None
    ) -> mx.array:
        """Run all layers over new positions x [B, L, dim]; returns the same shape, normed.

        gains: [B, n_layers, dim], what multiplies the normed input of each layer's feed-forward
        in place of the layer's own `ffn_norm`, which it includes.
        """
        shape, x = x.shape, x.reshape(-1, x.shape[-1])  # plain matrices take fewer operations
        n_groups = self.heads.n_kv_heads
        mask = attention_mask(step.mask, x.dtype, n_groups, self.heads.n_heads // n_groups)
        if gains is not None:
            gains = mx.repeat(gains, step.n_new, axis=0)
        for index, layer in enumerate(self.layers):
            x = x + self._attend(layer, index, x, cache, step, mask)
            if gains is None:
                z = mx.fast.rms_norm(x, layer.ffn_norm, self.norm_eps)
            else:
                z = mx.fast.rms_norm(x, None, self.norm_eps) * gains[:, index]
            x = x + layer.down(swiglu(layer.gate_up(z)))
        return mx.fast.rms_norm(x, self.norm, self.norm_eps).reshape(shape)

    def _attend(
        self,
        layer: Layer,
        index: int,
        x: mx.array,
        cache: RingCache,
        step: RingStep,
        mask: mx.array,
    ) -> mx.array:
        heads = self.heads
        n_turned = heads.n_heads + heads.n_kv_heads
        qkv = layer.qkv(mx.fast.rms_norm(x, layer.attention_norm, self.norm_eps))
        qkv = qkv.reshape(-1, step.n_new, n_turned + heads.n_kv_heads, heads.head_dim)
        turnable, values = mx.split(qkv, [n_turned], axis=2)
        queries, keys = mx.split(step.turn(turnable), [heads.n_heads], axis=2)
        keys, values = cache.extend(index, step, keys, values)
        queries = queries.transpose(0, 2, 1, 3)
        mixed = attend(queries, keys, values, heads.head_dim**-0.5, mask)
        return layer.out(mixed.transpose(0, 2, 1, 3).reshape(len(x), -1))
