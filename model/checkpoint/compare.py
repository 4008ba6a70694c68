"""Compare a written checkpoint with the one it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx
import numpy as np

from ..errors import ConversionError
from .download import Progress
from .quantised import PARTS, Quantisation
from .read import CheckpointReader
from .shapes import canonical_shapes

_ROWS = 4096  # of a matrix, compared together: bounds memory to a few hundred MB
TINY_STEP = 1e-30  # a group of equal values has no step to count in
_HALF_ULP = {mx.float32: 2.0**-24, mx.float16: 2.0**-11, mx.bfloat16: 2.0**-8}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Outcome of a comparison that found nothing wrong.

    n_exact: tensors equal bit for bit. n_bounded: quantised modules within their bound.
    worst_steps: the largest error of a quantised value, in steps of its own group.
    """

    n_exact: int
    n_bounded: int
    worst_steps: float


def compare(
    source: Path, written: Path, dtype: mx.Dtype, progress: Progress | None = None
) -> Comparison:
    """Load both checkpoints tensor by tensor and compare them in `dtype`.

    Plain tensors, and modules quantised alike, must be equal; newly quantised ones may be off by
    one step of their group, and by what rounding scale and bias to `dtype` adds. Model thread
    only. Raises ConversionError.
    """
    old, new = CheckpointReader(source), CheckpointReader(written)
    if old.config != new.config:
        raise ConversionError(new.files.config, None, str(old.config), str(new.config))
    shapes = canonical_shapes(new.config)
    modules = list(dict.fromkeys(name.rpartition(".")[0] for name in shapes))
    n_exact, steps = 0, []
    for index, module in enumerate(modules):
        how = new.quantised.get(module)
        if how is not None and how != old.quantised.get(module):
            steps.append(_compare_quantised(old, new, module, how, dtype))
        elif how is not None:
            n_exact += sum(_compare_exact(old, new, f"{module}.{part}", dtype) for part in PARTS)
        else:
            n_exact += _compare_dense(old, new, module, dtype)
        if f"{module}.bias" in shapes:
            n_exact += _compare_exact(old, new, f"{module}.bias", dtype)
        if progress is not None:
            progress("verify", index + 1, len(modules))
    return Comparison(n_exact, len(steps), max(steps, default=0.0))


def _compare_exact(old: CheckpointReader, new: CheckpointReader, name: str, dtype: mx.Dtype) -> int:
    _require_equal(new, name, old.take(name, dtype), new.take(name, dtype))
    return 1


def _compare_dense(
    old: CheckpointReader, new: CheckpointReader, module: str, dtype: mx.Dtype
) -> int:
    name = f"{module}.weight"
    _require_equal(new, name, old.take_dense(module, dtype), new.take(name, dtype))
    return 1


def _require_equal(new: CheckpointReader, name: str, wanted: mx.array, got: mx.array) -> None:
    for start in range(0, wanted.shape[0], _ROWS):
        rows = slice(start, start + _ROWS)
        if not mx.array_equal(wanted[rows], got[rows]).item():
            raise ConversionError(new.files.directory, name, "the source's values", "other values")


def _compare_quantised(
    old: CheckpointReader, new: CheckpointReader, module: str, how: Quantisation, dtype: mx.Dtype
) -> float:
    """Return the largest error in steps; raise ConversionError where one is over its bound."""
    wanted = old.take_dense(module, dtype)
    packed, scales, biases = (new.take(f"{module}.{part}", dtype) for part in PARTS)
    worst = 0.0
    for start in range(0, wanted.shape[0], _ROWS):
        rows = slice(start, start + _ROWS)
        steps, excess = _errors(wanted[rows], packed[rows], scales[rows], biases[rows], how, dtype)
        if excess > 0:
            name = f"{module}.weight"
            got = f"{steps:.3g} steps off"
            raise ConversionError(new.files.directory, name, "at most about one step off", got)
        worst = max(worst, steps)
    return worst


def _errors(
    wanted: mx.array,
    packed: mx.array,
    scales: mx.array,
    biases: mx.array,
    how: Quantisation,
    dtype: mx.Dtype,
) -> tuple[float, float]:
    """Return the largest error in steps, and by how much the worst value exceeds its bound.

    A value is rounded to the nearest of the codes, and the outermost is moved by less than a
    step so that zero stays zero (MLX's affine mode); scale and bias are rounded to `dtype`.
    """
    scales, biases = scales.astype(mx.float32), biases.astype(mx.float32)
    dense = mx.dequantize(packed, scales, biases, group_size=how.group_size, bits=how.bits)
    error = mx.abs(dense - wanted.astype(mx.float32))
    error = mx.max(error.reshape(*scales.shape, how.group_size), axis=-1)
    step = mx.abs(scales)
    bound = step + _HALF_ULP[dtype] * (step * 2**how.bits + mx.abs(biases))
    steps = np.array(mx.max(error / mx.maximum(step, TINY_STEP)))
    return float(steps), float(np.array(mx.max(error - bound)))
