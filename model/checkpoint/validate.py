"""Match the tensors of the files against those that the configuration calls for.

Works on headers only: a wrong checkpoint is refused before a byte of weights is read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..config import ModelConfig
from ..errors import (
    ExtraTensorError,
    MissingTensorError,
    TensorDtypeError,
    TensorShapeError,
)
from .header import TensorInfo
from .layouts import Layout
from .quantised import PARTS, Quantisation, infer
from .shapes import Shape, canonical_shapes

FLOATS = ("F32", "F16", "BF16")
PACKED = ("U32",)


@dataclass(slots=True)
class Plan:
    """Where each canonical tensor lies, and which modules are quantised."""

    tensors: dict[str, TensorInfo] = field(default_factory=dict)
    quantised: dict[str, Quantisation] = field(default_factory=dict)


def index_tensors(layout: Layout, infos: Iterable[TensorInfo]) -> dict[str, TensorInfo]:
    """Return the tensors under `layout`'s current names. Raises ExtraTensorError for a double."""
    table: dict[str, TensorInfo] = {}
    for info in infos:
        name = layout.current_name(info.name)
        if name in table:
            other = f"{table[name].name} in {table[name].file.name}"
            raise ExtraTensorError(info.file, info.name, "one tensor of this meaning", other)
        table[name] = info
    return table


def plan_tensors(
    layout: Layout, table: dict[str, TensorInfo], config: ModelConfig, file: Path
) -> Plan:
    """Find every tensor of `config` in `table` (as from `index_tensors`), and nothing else.

    `file` is named where a tensor is missing. Raises MissingTensorError, TensorShapeError,
    TensorDtypeError, ExtraTensorError.
    """
    n_layers = config.encoder.n_layers + config.decoder.n_layers
    if n_layers > len(table):  # checked first, as each has names and shapes to make
        got = f"{len(table)} tensors"
        raise MissingTensorError(file, None, f"the tensors of {n_layers} layers", got)
    return _Planner(layout, table, config, file).plan()


class _Planner:
    def __init__(
        self, layout: Layout, table: dict[str, TensorInfo], config: ModelConfig, file: Path
    ) -> None:
        self._layout = layout
        self._left = dict(table)
        self._config = config
        self._shapes = canonical_shapes(config)
        self._file = file
        self._plan = Plan()

    def plan(self) -> Plan:
        for module, theirs in self._layout.modules(self._config).items():
            if self._is_packed(theirs, self._shapes[f"{module}.weight"]):
                self._quantised(module, theirs)
            else:
                shape = self._stored_shape(self._shapes[f"{module}.weight"])
                self._take(f"{module}.weight", f"{theirs}.weight", shape, FLOATS)
            if f"{module}.bias" in self._shapes:
                self._take(
                    f"{module}.bias", f"{theirs}.bias", self._shapes[f"{module}.bias"], FLOATS
                )
        self._refuse_rest()
        return self._plan

    def _is_packed(self, theirs: str, dense: Shape) -> bool:
        """Tell whether any part of a matrix says so: the others are missing then."""
        weight = self._left.get(f"{theirs}.weight")
        is_packed = weight is not None and weight.dtype in PACKED and weight.shape != dense
        has_parts = any(f"{theirs}.{part}" in self._left for part in PARTS[1:])
        return len(dense) == 2 and (is_packed or has_parts)

    def _stored_shape(self, shape: Shape) -> Shape:
        """Return the shape in the file of a plain weight."""
        if len(shape) == 3 and self._layout.conv_is_out_in_k:
            return (shape[0], shape[2], shape[1])
        return shape

    def _quantised(self, module: str, theirs: str) -> None:
        for part, dtypes in zip(PARTS, (PACKED, FLOATS, FLOATS), strict=True):
            self._take(f"{module}.{part}", f"{theirs}.{part}", None, dtypes)
        weight, scales, biases = (self._plan.tensors[f"{module}.{part}"] for part in PARTS)
        self._plan.quantised[module] = infer(weight, scales, self._shapes[f"{module}.weight"])
        _check_shape(biases, scales.shape)

    def _take(self, name: str, theirs: str, shape: Shape | None, dtypes: tuple[str, ...]) -> None:
        info = self._left.pop(theirs, None)
        if info is None:
            wanted = f"{' or '.join(dtypes)} {list(shape)}" if shape else " or ".join(dtypes)
            raise MissingTensorError(self._file, theirs, wanted, "no such tensor")
        if shape is not None:
            _check_shape(info, shape)
        if info.dtype not in dtypes:
            raise TensorDtypeError(info.file, info.name, " or ".join(dtypes), info.dtype)
        self._plan.tensors[name] = info

    def _refuse_rest(self) -> None:
        for name, info in self._left.items():
            if name.rpartition(".")[0] not in self._layout.tied:
                got = f"{info.dtype} {list(info.shape)}"
                raise ExtraTensorError(info.file, info.name, "no such tensor", got)


def _check_shape(info: TensorInfo, shape: Shape) -> None:
    if info.shape != shape:
        raise TensorShapeError(info.file, info.name, str(list(shape)), str(list(info.shape)))
