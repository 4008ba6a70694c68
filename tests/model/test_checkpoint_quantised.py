"""Quantised files: bits and group sizes come from the shapes, module by module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file

from tests.other_layouts import half_split, quantise, write_hf, write_voxmlx
from tests.random_checkpoint import PARAMS, random_weights, write_json, write_safetensors
from voxwire.model.checkpoint.load import Checkpoint, load_checkpoint
from voxwire.model.checkpoint.quantised import BITS, GROUP_SIZES, PARTS, Quantisation
from voxwire.model.checkpoint.read import interleave_rope
from voxwire.model.errors import MissingTensorError, TensorDtypeError, TensorShapeError

GROUPED = PARAMS["grouped"]
Q_PROJ = "language_model.layers.0.attention.q_proj"


def dense(checkpoint: Checkpoint, module: str) -> npt.NDArray[Any]:
    """Return a quantised module's weight, unpacked by MLX."""
    how = checkpoint.quantised[module]
    packed, scales, biases = (checkpoint.weights[f"{module}.{part}"] for part in PARTS)
    return np.array(mx.dequantize(packed, scales, biases, group_size=how.group_size, bits=how.bits))


@pytest.mark.parametrize("group_size", GROUP_SIZES)
@pytest.mark.parametrize("bits", BITS)
def test_bits_and_group_size_are_inferred(tmp_path: Path, bits: int, group_size: int) -> None:
    weights = random_weights(GROUPED)
    directory = write_voxmlx(tmp_path, GROUPED, weights, bits=lambda _: (bits, group_size))
    checkpoint = load_checkpoint(directory)
    # Every matrix: the embedding, both projections, 7 a layer and 2 more for the decoder's.
    assert len(checkpoint.quantised) == 3 + 2 * 7 + 2 * 9
    assert set(checkpoint.quantised.values()) == {Quantisation(bits, group_size)}
    wanted = weights["layers.1.feed_forward.w2.weight"]
    got = dense(checkpoint, "layers.1.feed_forward.w2")
    _, scales, _ = quantise(wanted, bits, group_size)
    # Rounding to the nearest code is at most half a step off.
    assert np.abs(got - wanted).max() <= 0.5001 * scales.max()


def test_modules_may_differ_and_some_stay_plain(tmp_path: Path) -> None:
    weights = random_weights(GROUPED)
    choices = {"embed_tokens": (6, 64), "gate_proj": (4, 128), "q_proj": (3, 32)}

    def choose(name: str) -> tuple[int, int] | None:
        return next((how for part, how in choices.items() if part in name), None)

    checkpoint = load_checkpoint(write_voxmlx(tmp_path, GROUPED, weights, bits=choose))
    assert checkpoint.quantised["tok_embeddings"] == Quantisation(6, 64)
    assert checkpoint.quantised["layers.0.feed_forward.w1"] == Quantisation(4, 128)
    assert checkpoint.quantised["layers.1.attention.wq"] == Quantisation(3, 32)
    # 1 embedding, and one w1 and one wq in each of the four layers.
    assert len(checkpoint.quantised) == 1 + 4 + 4
    plain = checkpoint.weights["layers.0.attention.wk.weight"]
    np.testing.assert_array_equal(np.array(plain), weights["layers.0.attention.wk.weight"])


def test_half_split_rows_are_put_in_order_packed(tmp_path: Path) -> None:
    directory = write_hf(tmp_path, GROUPED)
    weights = random_weights(GROUPED)
    rows = weights["layers.0.attention.wq.weight"]
    file = directory / "model.safetensors"
    held = load_file(file)
    name = "language_model.model.layers.0.self_attn.q_proj"
    split = half_split(rows, GROUPED["n_heads"])
    np.testing.assert_array_equal(held[f"{name}.weight"], split)
    parts = quantise(split, 8, 32)
    held |= {f"{name}.{p}": a for p, a in zip(PARTS, parts, strict=True)}
    write_safetensors(file, held)
    checkpoint = load_checkpoint(directory)
    _, scales, _ = quantise(rows, 8, 32)
    got = dense(checkpoint, "layers.0.attention.wq")
    assert np.abs(got - rows).max() <= 0.5001 * scales.max()


@pytest.mark.parametrize("n_heads", [1, 3])
def test_interleaving_undoes_half_splitting(n_heads: int) -> None:
    for shape in ((24, 5), (24,)):
        rows = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        back = interleave_rope(mx.array(half_split(rows, n_heads)), n_heads)
        np.testing.assert_array_equal(np.array(back), rows)


def broken(tmp_path: Path, changes: dict[str, npt.NDArray[Any] | None]) -> Path:
    """Write a 4-bit checkpoint with some tensors replaced, or dropped where None."""
    directory = write_voxmlx(tmp_path, GROUPED, bits=lambda _: (4, 64))
    file = directory / "model.safetensors"
    changed = load_file(file) | changes
    write_safetensors(file, {name: w for name, w in changed.items() if w is not None})
    return directory


def test_scales_of_no_known_group_size_are_refused(tmp_path: Path) -> None:
    odd = np.ones((256, 5), np.float32)
    directory = broken(tmp_path, {f"{Q_PROJ}.scales": odd, f"{Q_PROJ}.biases": odd})
    with pytest.raises(TensorShapeError) as caught:
        load_checkpoint(directory)
    assert caught.value.tensor == f"{Q_PROJ}.scales"
    assert caught.value.expected == "[256, one of 4, 2, 1]"
    assert caught.value.got == "[256, 5]"


def test_packing_of_no_known_width_is_refused(tmp_path: Path) -> None:
    directory = broken(tmp_path, {f"{Q_PROJ}.weight": np.ones((256, 28), np.uint32)})
    with pytest.raises(TensorShapeError) as caught:
        load_checkpoint(directory)
    assert caught.value.tensor == f"{Q_PROJ}.weight"
    assert caught.value.expected == "[256, one of 8, 12, 16, 20, 24, 32]"
    assert caught.value.got == "[256, 28]"


def test_scales_and_biases_must_go_together(tmp_path: Path) -> None:
    directory = broken(tmp_path, {f"{Q_PROJ}.biases": np.ones((256, 1), np.float32)})
    with pytest.raises(TensorShapeError, match=r"q_proj.biases: expected \[256, 2\], got \[256, 1"):
        load_checkpoint(directory)
    directory = broken(tmp_path, {f"{Q_PROJ}.biases": None})
    with pytest.raises(MissingTensorError, match=f"tensor {Q_PROJ}.biases"):
        load_checkpoint(directory)
    directory = broken(tmp_path, {f"{Q_PROJ}.scales": None})
    with pytest.raises(MissingTensorError, match=f"tensor {Q_PROJ}.scales"):
        load_checkpoint(directory)
    directory = broken(tmp_path, {f"{Q_PROJ}.scales": np.ones((256, 5), np.float32)})
    with pytest.raises(TensorShapeError, match=r"q_proj.scales: expected"):
        load_checkpoint(directory)


def test_packed_values_must_be_unsigned_words(tmp_path: Path) -> None:
    directory = broken(tmp_path, {f"{Q_PROJ}.weight": np.ones((256, 16), np.float32)})
    with pytest.raises(TensorDtypeError, match=f"{Q_PROJ}.weight: expected U32, got F32"):
        load_checkpoint(directory)


def test_what_the_configuration_says_of_quantisation_is_not_needed(tmp_path: Path) -> None:
    directory = write_voxmlx(tmp_path, GROUPED, bits=lambda _: (5, 32))
    write_json(directory / "config.json", GROUPED)  # without its "quantization"
    checkpoint = load_checkpoint(directory)
    assert set(checkpoint.quantised.values()) == {Quantisation(5, 32)}
