"""Linear maps and embeddings, plain or quantised, and the activations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import mlx.core as mx

from . import cpu

_INVERSE_SQRT_2 = 1 / math.sqrt(2)
# Where the two ways cost the same: 9216 x 3072 in 4 bits with OpenBLAS took 0.2 s a row packed,
# 1.8 s unpacked for up to 31 rows (two x86-64 cores, 2026-11-22).
_PACKED_ROWS_ON_CPU = 8


def gelu(x: mx.array) -> mx.array:
    """Apply the exact (erf) GELU."""
    if cpu.serves(x.dtype):
        return cpu.gelu(x)
    return 0.5 * x * (1 + mx.erf(x * _INVERSE_SQRT_2))


def swiglu(gate_up: mx.array) -> mx.array:
    """Return silu(gate) * up of the two halves of the last axis."""
    gate, up = mx.split(gate_up, 2, axis=-1)
    if cpu.serves(gate_up.dtype):
        return cpu.swiglu(gate, up)
    return gate * mx.sigmoid(gate) * up


def attention_mask(visible: mx.array, dtype: mx.Dtype, n_groups: int, n_sharing: int) -> mx.array:
    """Return in the form that `attend` takes which keys are visible, bool [B, 1, L, keys].

    dtype: of the queries. n_groups: heads of keys. n_sharing: query heads to one of them.
    """
    if cpu.serves(dtype):
        return cpu.attention_mask(visible, n_groups, n_sharing)
    return visible


def attend(
    queries: mx.array, keys: mx.array, values: mx.array, scale: float, mask: mx.array
) -> mx.array:
    """Return softmax(queries keys^T scale) values where the mask allows, [B, H, L, D].

    queries: [B, H, L, D]. keys, values: [B, G, keys, D] with H a multiple of G. mask: from
    `attention_mask`.
    """
    if cpu.serves(queries.dtype):
        return cpu.attend(queries, keys, values, scale, mask)
    return mx.fast.scaled_dot_product_attention(queries, keys, values, scale=scale, mask=mask)


@dataclass(frozen=True, slots=True)
class Packing:
    """How the rows of a quantised weight are packed: MLX's affine groups.

    scales, biases: [rows, columns / group_size].
    """

    scales: mx.array
    biases: mx.array
    bits: int
    group_size: int

    def take(self, rows: mx.array) -> Packing:
        """Return the packing of some rows."""
        return Packing(self.scales[rows], self.biases[rows], self.bits, self.group_size)


@dataclass(frozen=True, slots=True)
class Linear:
    """x -> x W^T + b. Weight [out, in] in any float dtype, or packed uint32.

    A weight stored in another dtype than x is converted at each use: a model too large for
    float32 stays as it is stored.
    """

    weight: mx.array
    packing: Packing | None = None
    bias: mx.array | None = None

    across: mx.array = field(init=False)  # [in, out], a view made once: each view costs a step

    def __post_init__(self) -> None:
        """Turn the weight over."""
        object.__setattr__(self, "across", self.weight.T)

    def __call__(self, x: mx.array) -> mx.array:
        """Map x [..., in] to [..., out], in the dtype of x."""
        if self.packing is not None:
            y = _packed_product(x, self.weight, self.packing)
            return y if self.bias is None else y + self.bias
        weight = self.across.astype(x.dtype)
        return x @ weight if self.bias is None else mx.addmm(self.bias, x, weight)

    @property
    def arrays(self) -> list[mx.array]:
        """What it keeps in memory."""
        packing = self.packing
        parts = [] if packing is None else [packing.scales, packing.biases]
        return [self.weight, *parts, *([] if self.bias is None else [self.bias])]

    def laid_out(self) -> Linear:
        """Return the map with its weight in memory as [in, out], if it is plain.

        OpenBLAS packs that for a product of a few dozen rows in half the time.
        """
        if self.packing is not None:
            return self
        return replace(self, weight=mx.contiguous(self.across).T)

    def take(self, rows: mx.array) -> Linear:
        """Return the map to some of the outputs, or to all in another order."""
        return Linear(
            self.weight[rows],
            None if self.packing is None else self.packing.take(rows),
            None if self.bias is None else self.bias[rows],
        )


@dataclass(frozen=True, slots=True)
class Parallel:
    """Several maps of one input, side by side, where they cannot be one product."""

    parts: tuple[Linear, ...]

    def __call__(self, x: mx.array) -> mx.array:
        """Map x [..., in] to the outputs of all parts, concatenated."""
        return mx.concatenate([part(x) for part in self.parts], axis=-1)

    @property
    def arrays(self) -> list[mx.array]:
        """What they keep in memory."""
        return [array for part in self.parts for array in part.arrays]

    def laid_out(self) -> Parallel:
        """Return the maps with their weights in memory as [in, out], those that are plain."""
        return Parallel(tuple(part.laid_out() for part in self.parts))


Product = Linear | Parallel


def stack(parts: Sequence[Linear]) -> Product:
    """Return one map with the outputs of all parts, as one product where their formats agree."""
    if len({_format(part) for part in parts}) > 1:
        return Parallel(tuple(parts))
    weight = mx.concatenate([part.weight for part in parts])
    return Linear(weight, _stack_packings(parts), _stack_biases(parts))


def _format(part: Linear) -> tuple[mx.Dtype, int, int]:
    packing = part.packing
    return (
        (part.weight.dtype, 0, 0)
        if packing is None
        else (
            part.weight.dtype,
            packing.bits,
            packing.group_size,
        )
    )


def _stack_packings(parts: Sequence[Linear]) -> Packing | None:
    packings = [part.packing for part in parts if part.packing is not None]
    if not packings:
        return None
    scales = mx.concatenate([packing.scales for packing in packings])
    biases = mx.concatenate([packing.biases for packing in packings])
    return Packing(scales, biases, packings[0].bits, packings[0].group_size)


def _stack_biases(parts: Sequence[Linear]) -> mx.array | None:
    """Concatenate the biases; a part without one gets zeros."""
    known = [part.bias for part in parts if part.bias is not None]
    if not known:
        return None
    zeros = [mx.zeros(part.weight.shape[0], known[0].dtype) for part in parts]
    return mx.concatenate(
        [zero if part.bias is None else part.bias for part, zero in zip(parts, zeros, strict=True)]
    )


@dataclass(frozen=True, slots=True)
class Embedding:
    """Token vectors, and the tied output head. Weight [vocabulary, dim], plain or packed."""

    weight: mx.array
    packing: Packing | None
    dtype: mx.Dtype
    head: Linear = field(init=False)

    def __post_init__(self) -> None:
        """Make the head."""
        object.__setattr__(self, "head", Linear(self.weight, self.packing))

    def __call__(self, ids: mx.array) -> mx.array:
        """Return the vectors of `ids` [...], as [..., dim]."""
        rows = self.weight[ids]
        if self.packing is None:
            return rows.astype(self.dtype)
        packing = self.packing.take(ids)
        vectors = mx.dequantize(
            rows, packing.scales, packing.biases, packing.group_size, packing.bits
        )
        return vectors.astype(self.dtype)

    def logits(self, x: mx.array) -> mx.array:
        """Return the scores of all tokens, [..., vocabulary]."""
        return self.head(x)


def _packed_product(x: mx.array, weight: mx.array, packing: Packing) -> mx.array:
    scales, biases, bits, size = packing.scales, packing.biases, packing.bits, packing.group_size
    if _prefers_unpacked(x):
        return x @ mx.dequantize(weight, scales, biases, size, bits).astype(x.dtype).T
    return mx.quantized_matmul(x, weight, scales, biases, True, size, bits)


def _prefers_unpacked(x: mx.array) -> bool:
    """On the CPU packed products do not use BLAS: past a few rows, unpacking first is faster."""
    n_rows = x.size // x.shape[-1]
    return n_rows > _PACKED_ROWS_ON_CPU and mx.default_device().type == mx.DeviceType.cpu
