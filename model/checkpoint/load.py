"""Load a checkpoint of any known layout into canonical weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx

from ..config import ModelConfig
from ..machine import usable_memory_bytes
from .quantised import Quantisation
from .read import CheckpointReader


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One checkpoint in memory, every weight evaluated.

    weights: canonical name -> array; convolutions [out, k, in], query and key rows in interleaved
    RoPE order. A module X in `quantised` has X.weight (uint32), X.scales and X.biases.
    """

    config: ModelConfig
    weights: dict[str, mx.array]
    quantised: dict[str, Quantisation]
    tokenizer_file: Path
    layout: str
    path: Path
    dtype: mx.Dtype  # of every tensor that is not packed


def load_checkpoint(path: Path, *, dtype: mx.Dtype | None = None) -> Checkpoint:
    """Load the checkpoint in the directory `path`, one tensor at a time.

    dtype: of all weights that are not packed integers. None chooses: bfloat16 on a GPU; float32
    on the CPU, whose fast matrix products are float32 only, unless that would fill more than half
    of the machine's memory: then as stored.

    MLX reads each tensor straight from the file into its own buffer, so that beside the model only
    one tensor as stored is in memory. Model thread only. Raises CheckpointError.
    """
    reader = CheckpointReader(path)
    chosen = default_dtype(reader) if dtype is None else dtype
    weights = {name: reader.take(name, chosen) for name in reader.names}
    mx.clear_cache()  # MLX keeps the buffers of converted tensors for reuse; nobody will
    return Checkpoint(
        config=reader.config,
        weights=weights,
        quantised=reader.quantised,
        tokenizer_file=reader.files.tokenizer,
        layout=reader.layout.name,
        path=path,
        dtype=chosen,
    )


def default_dtype(reader: CheckpointReader) -> mx.Dtype:
    """Choose the compute dtype by device and memory, as `load_checkpoint` tells."""
    if mx.default_device().type == mx.DeviceType.gpu:
        return mx.bfloat16
    fits = reader.n_float_elements * mx.float32.size <= usable_memory_bytes() / 2
    return mx.float32 if fits else reader.stored_dtype
