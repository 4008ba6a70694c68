"""Read one checked checkpoint tensor by tensor, in canonical names, order and shapes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import numpy as np

from ..config import ModelConfig
from ..errors import CorruptFileError, NonFiniteTensorError
from ..tekken import Tekken
from .configs import read_config
from .files import CheckpointFiles, find_files
from .header import TensorInfo, read_header
from .layouts import Layout, recognise
from .quantised import PARTS, Quantisation
from .shapes import rope_heads
from .validate import index_tensors, plan_tensors

_MX_DTYPES = {"F32": mx.float32, "F16": mx.float16, "BF16": mx.bfloat16, "U32": mx.uint32}
# All exponent bits set: infinite or not a number.
_EXPONENTS = {mx.float32: 0x7F800000, mx.float16: 0x7C00, mx.bfloat16: 0x7F80}
_CHECK_ELEMENTS = 1 << 20  # looked at together; bounds the check's own memory to a few MB


class CheckpointReader:
    """A checkpoint whose headers, configuration and tokenizer have been found right.

    Opening reads no weights. Each tensor may be taken once and is released by whoever took it, so
    that there are never two copies of the model in memory. Model thread only.
    """

    def __init__(self, directory: Path) -> None:
        """Open and check the checkpoint in `directory`. Raises CheckpointError."""
        self.files: CheckpointFiles = find_files(directory)
        infos = [info for file in self.files.weights for info in read_header(file).values()]
        file = self.files.weights[0] if len(self.files.weights) == 1 else directory
        self.layout: Layout = recognise((info.name for info in infos), file)
        table = index_tensors(self.layout, infos)
        config = read_config(self.files.config, _ada_dim(self.layout, table))
        tekken = Tekken.load(self.files.tokenizer)
        tekken.check(config.decoder.vocab_size)
        # Mistral's configuration does not say the delay; the tokenizer always does.
        delay_tokens = round(tekken.default_delay_ms / config.ms_per_token)
        self.config: ModelConfig = replace(config, default_delay_tokens=delay_tokens)
        plan = plan_tensors(self.layout, table, self.config, file)
        self.quantised: dict[str, Quantisation] = plan.quantised
        self._tensors = plan.tensors
        self._lazy: dict[Path, dict[str, mx.array]] = {}

    @property
    def names(self) -> list[str]:
        """Canonical names of all tensors, `scales` and `biases` of quantised modules included."""
        return list(self._tensors)

    @property
    def n_float_elements(self) -> int:
        """Elements of all tensors that are not packed integers."""
        return sum(
            info.n_bytes // _MX_DTYPES[info.dtype].size
            for info in self._tensors.values()
            if info.dtype != "U32"
        )

    @property
    def stored_dtype(self) -> mx.Dtype:
        """The number format in which most bytes of the unpacked tensors are stored."""
        n_bytes: dict[str, int] = {}
        for info in self._tensors.values():
            if info.dtype != "U32":
                n_bytes[info.dtype] = n_bytes.get(info.dtype, 0) + info.n_bytes
        return _MX_DTYPES[max(n_bytes, key=lambda dtype: n_bytes[dtype])]

    @property
    def stored_dtypes(self) -> dict[str, mx.Dtype]:
        """The number format of every tensor by canonical name, packed ones uint32."""
        return {name: _MX_DTYPES[info.dtype] for name, info in self._tensors.items()}

    def take(self, name: str, dtype: mx.Dtype) -> mx.array:
        """Read one tensor, evaluated; floating ones become `dtype`. Once for each name.

        Raises NonFiniteTensorError, also for numbers that `dtype` cannot hold; CorruptFileError.
        """
        info = self._tensors[name]
        if info.file not in self._lazy:
            loaded = _load(info.file)
            self._lazy[info.file] = loaded
        stored = self._lazy[info.file].pop(info.name)
        mx.eval(stored)
        if stored.dtype != mx.uint32:
            _check_finite(info, stored)
        array = self._canonical(name, stored)
        if array.dtype == mx.uint32:
            mx.eval(array)
            return array
        return _rounded(info, array, dtype)

    def take_dense(self, module: str, dtype: mx.Dtype) -> mx.array:
        """Read the weight of a module, unpacked where it is quantised. Once for each module."""
        how = self.quantised.get(module)
        if how is None:
            return self.take(f"{module}.weight", dtype)
        # In float32, so that the only rounding is the one to `dtype`.
        packed, scales, biases = (self.take(f"{module}.{part}", mx.float32) for part in PARTS)
        dense = mx.dequantize(packed, scales, biases, group_size=how.group_size, bits=how.bits)
        return _rounded(self._tensors[f"{module}.scales"], dense, dtype)

    def _canonical(self, name: str, stored: mx.array) -> mx.array:
        if self.layout.conv_is_out_in_k and stored.ndim == 3:
            return mx.contiguous(stored.swapaxes(1, 2))
        n_heads = rope_heads(self.config, name) if self.layout.rope_is_half_split else None
        return stored if n_heads is None else interleave_rope(stored, n_heads)


def interleave_rope(rows: mx.array, n_heads: int) -> mx.array:
    """Return the rows of a half-split query or key projection in interleaved RoPE order.

    rows: [heads * head_dim, ...]. In half-split order row j of a head turns with row
    j + head_dim / 2; in interleaved order 2j turns with 2j + 1. Quantisation runs along the other
    axis, so packed rows, scales and biases move alike.
    """
    halves = rows.reshape(n_heads, 2, rows.shape[0] // n_heads // 2, -1)  # [H, 2, D/2, in]
    return mx.contiguous(halves.swapaxes(1, 2)).reshape(rows.shape)


def _ada_dim(layout: Layout, table: dict[str, TensorInfo]) -> int:
    """Return the delay conditioning's bottleneck as the weights have it; 1 if they lack it."""
    name = f"{layout.decoder_layer}{layout.ada_modules[0]}.weight".format(i=0)
    info = table.get(name)
    return info.shape[0] if info is not None and info.shape else 1


def _load(file: Path) -> dict[str, mx.array]:
    """Return what MLX reads of a file, not yet evaluated. Raises CorruptFileError."""
    try:
        loaded = mx.load(str(file))
    except (RuntimeError, ValueError) as error:  # of a format that it does not know, say
        raise CorruptFileError(file, None, "tensors that MLX reads", str(error)) from error
    assert isinstance(loaded, dict)
    return loaded


def _rounded(info: TensorInfo, array: mx.array, dtype: mx.Dtype) -> mx.array:
    """Return finite numbers as `dtype`, evaluated. Raises NonFiniteTensorError for its overflow."""
    rounded = array.astype(dtype)
    mx.eval(rounded)
    if dtype.size < array.dtype.size or dtype == mx.float16:
        name = str(dtype).rpartition(".")[2]
        _check_finite(info, rounded, f"numbers that {name} holds", "larger ones")
    return rounded


def _check_finite(
    info: TensorInfo,
    stored: mx.array,
    expected: str = "finite numbers",
    got: str = "NaN or infinity",
) -> None:
    """Raise NonFiniteTensorError where `stored` holds a NaN or an infinity.

    By exponent bits in NumPy, chunk by chunk: MLX's own `isfinite` and `max` are ten times slower
    on the CPU back-end (5 to 13 ns an element against 0.5), and the former allocates.
    """
    mask = _EXPONENTS[stored.dtype]
    unsigned = mx.uint32 if stored.dtype == mx.float32 else mx.uint16
    bits = np.array(stored.view(unsigned), copy=False).reshape(-1)
    for start in range(0, bits.size, _CHECK_ELEMENTS):
        bad = (bits[start : start + _CHECK_ELEMENTS] & mask) == mask
        if bad.any():
            got = f"{got} at flat index {start + int(bad.argmax())}"
            raise NonFiniteTensorError(info.file, info.name, expected, got)
