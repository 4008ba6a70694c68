"""Write a checkpoint of any layout as a Mistral-layout or an MLX (voxmlx) checkpoint.

One tensor is in memory at a time, and what was written is read back and compared before it gets
its name: an interrupted or failed conversion leaves nothing behind.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx

from ..errors import ConversionError
from .compare import Comparison, compare
from .download import Progress
from .files import TOKENIZER_FILE, read_json
from .layouts import MISTRAL, VOXMLX, Layout
from .place import check_disk, check_place, under_another_name
from .quantised import BITS, GROUP_SIZES, PARTS, WORD_BITS, Quantisation, can_quantise
from .read import CheckpointReader
from .shapes import Shape, canonical_shapes
from .write import TensorSpec, write_safetensors

LAYOUTS = {"mistral": MISTRAL, "mlx": VOXMLX}
DTYPES = {"float32": mx.float32, "float16": mx.float16, "bfloat16": mx.bfloat16}
_FILES = {MISTRAL.name: ("consolidated.safetensors", "params.json")}
_MLX_FILES = ("model.safetensors", "config.json")


@dataclass(frozen=True, slots=True)
class Target:
    """What to write. `quantisation` None keeps modules as the source has them (MLX), or plain.

    dtype: of everything that is not packed; None keeps that of each tensor of the source, and
    what is unpacked gets that of its scales.
    """

    layout: Layout = MISTRAL
    quantisation: Quantisation | None = None
    dtype: mx.Dtype | None = None

    @classmethod
    def named(cls, layout: str, bits: int | None, group_size: int, dtype: str | None) -> Target:
        """Return the target of these words. Raises ConversionError for a word it does not know."""
        if layout not in LAYOUTS:
            raise ConversionError(None, None, f"layout {' or '.join(LAYOUTS)}", layout)
        if dtype is not None and dtype not in DTYPES:
            raise ConversionError(None, None, "dtype float32, float16 or bfloat16", dtype)
        how = None if bits is None else Quantisation(bits, group_size)
        return cls(LAYOUTS[layout], how, None if dtype is None else DTYPES[dtype])


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written and how it compares with its source.

    n_unfit: matrices that were to be quantised, and whose rows are not whole groups.
    """

    directory: Path
    n_tensors: int
    n_quantised: int
    n_unfit: int
    n_bytes: int
    comparison: Comparison


def convert(
    source: Path,
    out_dir: Path,
    target: Target,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Conversion:
    """Convert the checkpoint in `source` into a new directory `out_dir`, and verify it.

    overwrite: replace `out_dir` where it is a checkpoint and nothing else. Model thread only.
    Raises ConversionError, and CheckpointError for a source that cannot be read.
    """
    _check_target(target)
    reader = CheckpointReader(source)
    check_place(reader.files, out_dir, overwrite)
    plan = _Plan(reader, target)
    check_disk(out_dir, plan.n_bytes)
    with under_another_name(out_dir, overwrite) as directory:
        weights_file, config_file = _FILES.get(target.layout.name, _MLX_FILES)
        arrays = plan.arrays()
        write_safetensors(directory / weights_file, plan.specs, arrays, progress)
        (directory / config_file).write_text(json.dumps(plan.configuration(), indent=2) + "\n")
        shutil.copyfile(reader.files.tokenizer, directory / TOKENIZER_FILE)
        comparison = compare(source, directory, progress)
    n_quantised = sum(how is not None for how in plan.modules.values())
    return Conversion(out_dir, len(plan.specs), n_quantised, plan.n_unfit, plan.n_bytes, comparison)


class _Plan:
    """Which tensors to write in which form, decided before any is read."""

    def __init__(self, reader: CheckpointReader, target: Target) -> None:
        self._reader = reader
        self._target = target
        self._shapes = canonical_shapes(reader.config)
        self._names = target.layout.modules(reader.config)
        self._stored = reader.stored_dtypes
        self.modules = {module: self._quantisation(module) for module in self._names}
        self.specs = [spec for module in self._names for spec in self._specs(module)]

    @property
    def n_bytes(self) -> int:
        """Bytes of all tensors."""
        return sum(spec.n_bytes for spec in self.specs)

    @property
    def n_unfit(self) -> int:
        """Matrices that the target would have quantised, if their rows were whole groups."""
        if self._target.quantisation is None:
            return 0
        return sum(
            how is None and len(self._shapes[f"{module}.weight"]) == 2
            for module, how in self.modules.items()
        )

    def arrays(self) -> Iterator[mx.array]:
        """Yield the tensors in the order of `specs`, evaluated."""
        for module, how in self.modules.items():
            yield from self._weight(module, how)
            if f"{module}.bias" in self._shapes:
                yield self._reader.take(f"{module}.bias", self._dtype(f"{module}.bias"))

    def configuration(self) -> dict[str, Any]:
        """Return what belongs into params.json or config.json.

        A source in the same form keeps the keys that this package has no use for.
        """
        source = read_json(self._reader.files.config)
        params = source if "multimodal" in source else self._reader.config.to_params()
        params.pop("quantization", None)
        used = Counter(how for how in self.modules.values() if how is not None)
        if not used:
            return params
        usual = used.most_common(1)[0][0]
        others = {
            self._names[module]: asdict(how)
            for module, how in self.modules.items()
            if how not in (None, usual) and how is not None
        }
        return {**params, "quantization": {**asdict(usual), **others}}

    def _quantisation(self, module: str) -> Quantisation | None:
        wanted = self._target.quantisation
        if self._target.layout is MISTRAL:
            return None
        if wanted is None:
            return self._reader.quantised.get(module)
        name = f"{module}.weight"
        return wanted if can_quantise(name, self._shapes[name], wanted.group_size) else None

    def _dtype(self, name: str) -> mx.Dtype:
        return self._target.dtype or self._stored[name]

    def _dense_dtype(self, module: str) -> mx.Dtype:
        part = "scales" if module in self._reader.quantised else "weight"
        return self._dtype(f"{module}.{part}")

    def _keeps(self, module: str) -> bool:
        """Say whether a module stays packed as it is."""
        how = self.modules[module]
        return how is not None and how == self._reader.quantised.get(module)

    def _specs(self, module: str) -> Iterator[TensorSpec]:
        name, shape, how = (
            self._names[module],
            self._shapes[f"{module}.weight"],
            self.modules[module],
        )
        dtype = self._dense_dtype(module)
        if how is None:
            yield TensorSpec(f"{name}.weight", dtype, self._stored_shape(shape))
        else:
            rows, n_in = shape
            groups = (rows, n_in // how.group_size)
            biases_dtype = self._dtype(f"{module}.biases") if self._keeps(module) else dtype
            yield TensorSpec(f"{name}.weight", mx.uint32, (rows, n_in * how.bits // WORD_BITS))
            yield TensorSpec(f"{name}.scales", dtype, groups)
            yield TensorSpec(f"{name}.biases", biases_dtype, groups)
        bias = f"{module}.bias"
        if bias in self._shapes:
            yield TensorSpec(f"{name}.bias", self._dtype(bias), self._shapes[bias])

    def _stored_shape(self, shape: Shape) -> Shape:
        if len(shape) == 3 and self._target.layout.conv_is_out_in_k:
            return (shape[0], shape[2], shape[1])
        return shape

    def _weight(self, module: str, how: Quantisation | None) -> Iterator[mx.array]:
        if self._keeps(module):
            for name in (f"{module}.{part}" for part in PARTS):
                yield self._reader.take(name, self._dtype(name))
            return
        dense = self._reader.take_dense(module, self._dense_dtype(module))
        if how is not None:
            packed = mx.quantize(dense, group_size=how.group_size, bits=how.bits)
            mx.eval(*packed)
            yield from packed
        elif dense.ndim == 3 and self._target.layout.conv_is_out_in_k:
            yield mx.contiguous(dense.swapaxes(1, 2))
        else:
            yield dense


def _check_target(target: Target) -> None:
    how = target.quantisation
    if target.layout not in LAYOUTS.values():
        raise ConversionError(None, None, f"layout {' or '.join(LAYOUTS)}", target.layout.name)
    if how is None:
        return
    if target.layout is MISTRAL:
        raise ConversionError(None, None, "no bits, as Mistral's layout is plain", f"{how.bits}")
    if how.bits not in BITS or how.group_size not in GROUP_SIZES:
        wanted = f"bits among {BITS} and group size among {GROUP_SIZES}"
        raise ConversionError(None, None, wanted, f"{how.bits} and {how.group_size}")
