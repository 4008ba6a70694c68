"""Affine quantisation as MLX stores it, inferred from shapes alone.

A quantised module X has `X.weight` (uint32, values packed along the input axis), `X.scales` and
`X.biases` (one pair for each group of inputs). Bits and group size may differ from module to
module, and what a configuration says about them is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import TensorShapeError
from .header import TensorInfo
from .shapes import Shape

BITS = (2, 3, 4, 5, 6, 8)
GROUP_SIZES = (32, 64, 128)  # what MLX has kernels for
WORD_BITS = 32
PARTS = ("weight", "scales", "biases")


@dataclass(frozen=True, slots=True)
class Quantisation:
    """`bits` a value, one scale and bias for every `group_size` values along the input axis."""

    bits: int
    group_size: int


def infer(weight: TensorInfo, scales: TensorInfo, shape: Shape) -> Quantisation:
    """Return how a module of dense [out, in] `shape` was quantised.

    Raises TensorShapeError where no supported number of bits and group size gives these shapes.
    """
    rows, n_in = shape
    for bits in BITS:
        if weight.shape == (rows, n_in * bits // WORD_BITS) and n_in * bits % WORD_BITS == 0:
            break
    else:
        words = ", ".join(str(n_in * bits // WORD_BITS) for bits in BITS)
        raise TensorShapeError(
            weight.file, weight.name, f"[{rows}, one of {words}]", str(list(weight.shape))
        )
    for group_size in GROUP_SIZES:
        if scales.shape == (rows, n_in // group_size) and n_in % group_size == 0:
            return Quantisation(bits, group_size)
    groups = ", ".join(str(n_in // size) for size in GROUP_SIZES if n_in % size == 0)
    raise TensorShapeError(
        scales.file, scales.name, f"[{rows}, one of {groups}]", str(list(scales.shape))
    )


def can_quantise(name: str, shape: Shape, group_size: int) -> bool:
    """Say whether voxmlx quantises a tensor of this canonical name: linear, whole groups."""
    return name.endswith(".weight") and len(shape) == 2 and shape[-1] % group_size == 0
