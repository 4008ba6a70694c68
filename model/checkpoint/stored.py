"""In which number format a checkpoint holds each of its tensors."""

from __future__ import annotations

import mlx.core as mx

from .header import read_header
from .read import CheckpointReader
from .validate import index_tensors, plan_tensors
from .write import DTYPE_NAMES

_DTYPES = {name: dtype for dtype, name in DTYPE_NAMES.items()}


def stored_dtypes(reader: CheckpointReader) -> dict[str, mx.Dtype]:
    """Return the number format of every tensor by canonical name, packed ones uint32.

    Reads headers only. Raises CheckpointError.
    """
    files = reader.files
    infos = (info for file in files.weights for info in read_header(file).values())
    table = index_tensors(reader.layout, infos)
    plan = plan_tensors(reader.layout, table, reader.config, files.directory)
    return {name: _DTYPES[info.dtype] for name, info in plan.tensors.items()}
