"""The matrix products of one step: what no implementation on the same BLAS can leave out."""

from __future__ import annotations

from dataclasses import dataclass

from voxwire.model.config import CONV_STRIDE, ModelConfig
from voxwire.model.conv import N_TAIL_FRAMES

_TAPS = 3


@dataclass(frozen=True, slots=True)
class Product:
    """`n_batch` products [m, k] x [k, n]. is_weight: the right side is a weight, else a window."""

    n_batch: int
    m: int
    k: int
    n: int
    is_weight: bool = True

    @property
    def n_flops(self) -> int:
        """Multiplications and additions."""
        return 2 * self.n_batch * self.m * self.k * self.n


def step_products(config: ModelConfig, n_rows: int) -> list[Product]:
    """Return the products by which `n_rows` rows advance one position, with full windows."""
    encoder, decoder, n_mels = config.encoder, config.decoder, config.audio.n_mels
    frames = config.downsample
    n_hidden = (frames - 1) * CONV_STRIDE + _TAPS  # frames of the first convolution
    assert n_hidden + _TAPS - 1 == config.frames_per_token + N_TAIL_FRAMES
    products = [
        Product(1, n_rows * n_hidden, _TAPS * n_mels, encoder.dim),
        Product(1, n_rows * frames, _TAPS * encoder.dim, encoder.dim),
    ]
    for _ in range(encoder.n_layers):
        width = encoder.n_heads * encoder.head_dim
        products += _layer(n_rows * frames, encoder.dim, width, width, encoder.hidden_dim)
        n_keys = encoder.window + frames - 1
        products += _attention(n_rows * encoder.n_heads, frames, encoder.head_dim, n_keys)
    products += [
        Product(1, n_rows, encoder.dim * frames, decoder.dim),
        Product(1, n_rows, decoder.dim, decoder.dim),
    ]
    for _ in range(decoder.n_layers):
        width, kv_width = (n * decoder.head_dim for n in (decoder.n_heads, decoder.n_kv_heads))
        products += _layer(n_rows, decoder.dim, width, kv_width, decoder.hidden_dim)
        n_shared = decoder.n_heads // decoder.n_kv_heads  # queries of one key
        n_pairs = n_rows * decoder.n_kv_heads
        products += _attention(n_pairs, n_shared, decoder.head_dim, decoder.window)
    return [*products, Product(1, n_rows, decoder.dim, decoder.vocab_size)]


def _layer(m: int, dim: int, width: int, kv_width: int, hidden: int) -> list[Product]:
    return [
        Product(1, m, dim, width + 2 * kv_width),
        Product(1, m, width, dim),
        Product(1, m, dim, 2 * hidden),
        Product(1, m, hidden, dim),
    ]


def _attention(n_batch: int, n_queries: int, head_dim: int, n_keys: int) -> list[Product]:
    return [
        Product(n_batch, n_queries, head_dim, n_keys, is_weight=False),
        Product(n_batch, n_queries, n_keys, head_dim, is_weight=False),
    ]
