"""Write a safetensors file tensor by tensor, in the memory of one tensor.

The format's header comes first and tells all sizes, which are known before any data is. So a
file of any size is written in one pass, and needs no shards.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import mlx.core as mx
import numpy as np

from .download import Progress
from .header import ITEM_BYTES, LENGTH_BYTES

_NAMES = {mx.float32: "F32", mx.float16: "F16", mx.bfloat16: "BF16", mx.uint32: "U32"}
_ALIGNMENT_BYTES = 8


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, number format and shape of one tensor to write."""

    name: str
    dtype: mx.Dtype
    shape: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """Bytes of the tensor's data."""
        return math.prod(self.shape) * ITEM_BYTES[_NAMES[self.dtype]]


def write_safetensors(
    file: Path,
    specs: Sequence[TensorSpec],
    arrays: Iterable[mx.array],
    progress: Progress | None = None,
) -> None:
    """Write `arrays`, which must come in the order and form of `specs`, to a new file.

    Each array is dropped before the next is asked for. Model thread only.
    Raises ValueError where an array is not as its spec says, OSError.
    """
    n_all_bytes = sum(spec.n_bytes for spec in specs)
    with file.open("xb") as stream:
        _write_header(stream, specs)
        n_done_bytes = 0
        for spec, array in zip(specs, arrays, strict=True):
            _write_array(stream, spec, array)
            n_done_bytes += spec.n_bytes
            if progress is not None:
                progress(file.name, n_done_bytes, n_all_bytes)
        stream.flush()
        os.fsync(stream.fileno())


def _write_header(stream: BinaryIO, specs: Sequence[TensorSpec]) -> None:
    # "pt" is what transformers insists on; MLX does not look at it.
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for spec in specs:
        start, end = end, end + spec.n_bytes
        header[spec.name] = {
            "dtype": _NAMES[spec.dtype],
            "shape": spec.shape,
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT_BYTES)
    stream.write(len(text).to_bytes(LENGTH_BYTES, "little") + text)


def _write_array(stream: BinaryIO, spec: TensorSpec, array: mx.array) -> None:
    if array.dtype != spec.dtype or tuple(array.shape) != spec.shape:
        got = f"{array.dtype} {list(array.shape)}"
        raise ValueError(f"{spec.name}: expected {spec.dtype} {list(spec.shape)}, got {got}")
    # NumPy has no bfloat16, and needs none to see the bytes.
    words = array.view(mx.uint16) if spec.dtype == mx.bfloat16 else array
    stream.write(np.ascontiguousarray(np.array(words, copy=False)).data.cast("B"))
