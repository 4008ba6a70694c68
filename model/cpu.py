"""What MLX's CPU back-end does slowly, in operations that it does fast.

Its exp, erf, sigmoid and softmax cost 9 to 21 ns an element, `power` 3 and arithmetic 0.2 (two
x86-64 cores, 2026-11-25; tests/bench/LOG.md): exponentials are taken as powers of two, and all
that needs one is built on them. Float32 only, which is what the CPU computes in.
"""

from __future__ import annotations

import math

import mlx.core as mx

_LOG2_E = math.log2(math.e)
_FEW_SCORES = 1 << 11  # so few cost softmax less than five operations do
_MASK_SIZE = 1 << 20  # of a mask for all heads; of a long block, one serves them all
_MASKED = -1e30  # finite: a row that sees nothing must not become NaN

# erfc(z) = t (A[0] + A[1] t + ... + A[4] t^4) exp(-z^2), t = 1 / (1 + P z), for z >= 0, within
# 1.5e-7. Source: Abramowitz and Stegun, formula 7.1.26.
_ERFC = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
_ERFC_P = 0.3275911


def serves(dtype: mx.Dtype) -> bool:
    """Say whether the functions of this module are the fast ones for arrays of a dtype."""
    return dtype == mx.float32 and mx.default_device().type == mx.DeviceType.cpu


def gelu(x: mx.array) -> mx.array:
    """Apply the erf GELU, within 2e-7 |x|: max(x, 0) less the weight of the tail beyond |x|."""
    size = mx.abs(x)
    t = 1 / (1 + (_ERFC_P * math.sqrt(0.5)) * size)
    polynomial = 0.5 * _ERFC[4]
    for factor in reversed(_ERFC[:4]):
        polynomial = polynomial * t + 0.5 * factor
    tail = polynomial * t * mx.power(2.0, x * x * (-0.5 * _LOG2_E))
    return mx.maximum(x, 0) - size * tail


def swiglu(gate: mx.array, up: mx.array) -> mx.array:
    """Return silu(gate) * up."""
    return gate * up / (1 + mx.power(2.0, gate * -_LOG2_E))


def attention_mask(visible: mx.array, n_groups: int, n_sharing: int) -> mx.array:
    """Return what `attend` adds to its scores, [B, n_groups or 1, n_sharing * L, keys].

    visible: bool [B, 1, L, keys]. n_groups: heads of keys. n_sharing: query heads to one of them.
    """
    # Each layer's product copies the mask, far faster where it need not be broadcast over heads.
    is_little = visible.size * n_groups * n_sharing <= _MASK_SIZE
    mask = mx.where(visible, 0.0, _MASKED)
    return mx.tile(mask, (1, n_groups if is_little else 1, n_sharing, 1))


def attend(
    queries: mx.array, keys: mx.array, values: mx.array, scale: float, mask: mx.array
) -> mx.array:
    """Return what `mx.fast.scaled_dot_product_attention` does.

    queries: [B, H, L, D]. keys, values: [B, G, keys, D] with H a multiple of G. mask: from
    `attention_mask`.
    """
    n_rows, n_groups, _, size = keys.shape
    # The heads that share keys are rows of one product.
    grouped, across = queries.reshape(n_rows, n_groups, -1, size), keys.swapaxes(-1, -2)
    if queries.size // size * keys.shape[2] < _FEW_SCORES:
        mixed = mx.softmax(mx.addmm(mask, grouped, across, alpha=scale), axis=-1) @ values
    else:
        scores = mx.addmm(mask, grouped, across, alpha=scale * _LOG2_E)
        weights = mx.power(2.0, scores - scores.max(axis=-1, keepdims=True))
        mixed = (weights @ values) / weights.sum(axis=-1, keepdims=True)
    return mixed.reshape(queries.shape)
