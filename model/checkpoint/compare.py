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

    n_exact: tensors in the source's own number format, equal bit for bit.
    n_cast: tensors in another one, or unpacked: equal to the source's values as it rounds them.
    n_bounded: quantised modules within their bound.
    worst_steps: the largest error of a quantised value, in steps of its own group.
    """

    n_exact: int
    n_cast: int
    n_bounded: int
    worst_steps: float


def compare(source: Path, written: Path, progress: Progress | None = None) -> Comparison:
    """Load both checkpoints tensor by tensor and compare them in the formats of `written`.

    Plain tensors, and modules quantised alike, must be equal; newly quantised ones may be off by
    one step of their group, and by what rounding scale and bias adds. Model thread only.
    Raises ConversionError.
    """
    pair = _Pair(source, written)
    is_exact, steps = [], []
    for index, module in enumerate(pair.modules):
        how = pair.new.quantised.get(module)
        if how is None:
            is_exact.append(pair.compare_dense(module))
        elif how == pair.old.quantised.get(module):
            is_exact += [pair.compare_tensor(f"{module}.{part}") for part in PARTS]
        else:
            steps.append(pair.compare_quantised(module, how))
        if f"{module}.bias" in pair.shapes:
            is_exact.append(pair.compare_tensor(f"{module}.bias"))
        if progress is not None:
            progress("verify", index + 1, len(pair.modules))
    n_exact = sum(is_exact)
    return Comparison(n_exact, len(is_exact) - n_exact, len(steps), max(steps, default=0.0))


class _Pair:
    """A checkpoint, the one it was made from, and the number formats of both."""

    def __init__(self, source: Path, written: Path) -> None:
        self.old, self.new = CheckpointReader(source), CheckpointReader(written)
        if self.old.config != self.new.config:
            wanted, got = str(self.old.config), str(self.new.config)
            raise ConversionError(self.new.files.config, None, wanted, got)
        self._old_dtypes, self._new_dtypes = self.old.stored_dtypes, self.new.stored_dtypes
        self.shapes = canonical_shapes(self.new.config)
        self.modules = list(dict.fromkeys(name.rpartition(".")[0] for name in self.shapes))

    def compare_tensor(self, name: str) -> bool:
        """Require equal values; return whether their number format is equal too."""
        return self._require_equal(name, self.old.take(name, self._new_dtypes[name]))

    def compare_dense(self, module: str) -> bool:
        """Require the values of a weight, unpacked; return whether it was plain and in its format.

        A packed one's own format is uint32.
        """
        name = f"{module}.weight"
        return self._require_equal(name, self.old.take_dense(module, self._new_dtypes[name]))

    def compare_quantised(self, module: str, how: Quantisation) -> float:
        """Return the largest error in steps; raise ConversionError where one is over its bound."""
        dtype = self._new_dtypes[f"{module}.scales"]
        wanted = self.old.take_dense(module, dtype)
        packed, scales, biases = (self.new.take(f"{module}.{part}", dtype) for part in PARTS)
        worst = 0.0
        for start in range(0, wanted.shape[0], _ROWS):
            rows = slice(start, start + _ROWS)
            steps, excess = _errors(
                wanted[rows], packed[rows], scales[rows], biases[rows], how, dtype
            )
            if excess > 0:
                got = f"{steps:.3g} steps off"
                raise self._error(f"{module}.weight", "at most about one step off", got)
            worst = max(worst, steps)
        return worst

    def _require_equal(self, name: str, wanted: mx.array) -> bool:
        dtype = self._new_dtypes[name]
        got = self.new.take(name, dtype)
        for start in range(0, wanted.shape[0], _ROWS):
            rows = slice(start, start + _ROWS)
            if not mx.array_equal(wanted[rows], got[rows]).item():
                raise self._error(name, "the source's values", "other values")
        return dtype == self._old_dtypes[name]

    def _error(self, name: str, expected: str, got: str) -> ConversionError:
        return ConversionError(self.new.files.directory, name, expected, got)


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
    step so that zero stays zero (MLX's affine mode); scale and bias are rounded to `dtype`,
    as `wanted` has been.
    """
    scales, biases = scales.astype(mx.float32), biases.astype(mx.float32)
    dense = mx.dequantize(packed, scales, biases, group_size=how.group_size, bits=how.bits)
    error = mx.abs(dense - wanted.astype(mx.float32))
    error = mx.max(error.reshape(*scales.shape, how.group_size), axis=-1)
    step = mx.abs(scales)
    bound = step + _HALF_ULP[dtype] * (step * 2**how.bits + mx.abs(biases))
    steps = np.array(mx.max(error / mx.maximum(step, TINY_STEP)))
    return float(steps), float(np.array(mx.max(error - bound)))
