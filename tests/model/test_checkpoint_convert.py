"""Conversions: what is written loads to what was read, and nothing is left of a failed one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.other_layouts import write_hf, write_mlx_audio, write_voxmlx
from tests.random_checkpoint import PARAMS, Params, random_weights, write_mistral
from voxwire.model.checkpoint import convert as convert_module
from voxwire.model.checkpoint.compare import compare
from voxwire.model.checkpoint.convert import Target, convert
from voxwire.model.checkpoint.layouts import HUGGING_FACE, MISTRAL, VOXMLX, Layout
from voxwire.model.checkpoint.load import Checkpoint, load_checkpoint
from voxwire.model.checkpoint.quantised import BITS, GROUP_SIZES, PARTS, Quantisation
from voxwire.model.errors import ConversionError, NonFiniteTensorError

TINY = PARAMS["tiny"]
GROUPED = PARAMS["grouped"]
SOURCES: dict[str, Callable[[Path, Params], Path]] = {
    "mistral": write_mistral,
    "huggingface": write_hf,
    "voxmlx": write_voxmlx,
    "mlx-audio": write_mlx_audio,
}


def assert_same(left: Checkpoint, right: Checkpoint) -> None:
    assert left.config == right.config
    assert left.quantised == right.quantised
    assert left.weights.keys() == right.weights.keys()
    for name, array in left.weights.items():
        assert mx.array_equal(array, right.weights[name]).item(), name


@pytest.mark.parametrize("layout", [MISTRAL, VOXMLX], ids=lambda layout: layout.name)
@pytest.mark.parametrize("source", SOURCES)
def test_a_plain_conversion_is_exact(tmp_path: Path, source: str, layout: Layout) -> None:
    directory = SOURCES[source](tmp_path / "in", PARAMS["wide-heads"])
    conversion = convert(directory, tmp_path / "out", Target(layout))
    assert (conversion.comparison.n_exact, conversion.n_quantised) == (conversion.n_tensors, 0)
    written = load_checkpoint(tmp_path / "out")
    assert written.layout == layout.name
    assert_same(load_checkpoint(directory), written)


def test_mistral_to_mistral_gives_the_same_bytes(tmp_path: Path) -> None:
    weights = random_weights(TINY)
    directory = write_mistral(tmp_path / "in", TINY, weights)
    convert(directory, tmp_path / "out", Target(MISTRAL))
    written = load_file(tmp_path / "out" / "consolidated.safetensors")
    assert written.keys() == weights.keys()
    assert all(np.array_equal(written[name], array) for name, array in weights.items())
    assert json.loads((tmp_path / "out" / "params.json").read_text()) == TINY
    tekken = (directory / "tekken.json").read_bytes()
    assert (tmp_path / "out" / "tekken.json").read_bytes() == tekken


@pytest.mark.parametrize("stored", ["BF16", "F16"])
def test_the_stored_number_format_is_kept(tmp_path: Path, stored: str) -> None:
    directory = write_mistral(tmp_path / "in", TINY, dtype=stored)
    convert(directory, tmp_path / "out", Target(VOXMLX))
    kept = {"BF16": mx.bfloat16, "F16": mx.float16}[stored]
    arrays = load_checkpoint(tmp_path / "out", dtype=kept)
    assert_same(load_checkpoint(directory, dtype=kept), arrays)
    convert(directory, tmp_path / "wide", Target(MISTRAL, dtype=mx.float32))
    assert_same(
        load_checkpoint(directory, dtype=mx.float32),
        load_checkpoint(tmp_path / "wide", dtype=mx.float32),
    )


def write_mixed(directory: Path) -> Path:
    """Write float32 norms and biases beside float16 convolutions and bfloat16 matrices."""
    formats = {1: mx.float32, 2: mx.bfloat16, 3: mx.float16}
    weights = {
        name: mx.array(w).astype(formats[w.ndim]) for name, w in random_weights(GROUPED).items()
    }
    write_mistral(directory, GROUPED)
    mx.save_safetensors(str(directory / "consolidated.safetensors"), weights, {"format": "mlx"})
    return directory


def load_mlx(file: Path) -> dict[str, mx.array]:
    held = mx.load(str(file))
    assert isinstance(held, dict)
    return held


def test_every_tensor_keeps_its_own_number_format(tmp_path: Path) -> None:
    directory = write_mixed(tmp_path / "in")
    conversion = convert(directory, tmp_path / "out", Target(MISTRAL))
    assert conversion.comparison.n_exact == conversion.n_tensors
    assert conversion.comparison.n_cast == 0
    old, new = (load_mlx(tmp_path / at / "consolidated.safetensors") for at in ("in", "out"))
    for name, array in old.items():
        assert new[name].dtype == array.dtype
        assert mx.array_equal(new[name], array).item()
    for dtype in (mx.float32, mx.bfloat16):
        assert_same(
            load_checkpoint(directory, dtype=dtype),
            load_checkpoint(tmp_path / "out", dtype=dtype),
        )


def test_what_is_rounded_or_unpacked_is_counted_apart(tmp_path: Path) -> None:
    directory = write_mixed(tmp_path / "in")
    n_matrices = 35
    rounded = convert(directory, tmp_path / "half", Target(MISTRAL, dtype=mx.bfloat16))
    assert rounded.comparison.n_exact == n_matrices
    assert rounded.comparison.n_cast == rounded.n_tensors - n_matrices

    packed = convert(directory, tmp_path / "packed", Target(VOXMLX, Quantisation(4, 32)))
    n_plain = rounded.n_tensors - n_matrices
    assert (packed.comparison.n_exact, packed.comparison.n_bounded) == (n_plain, n_matrices)
    held = load_mlx(tmp_path / "packed" / "model.safetensors")
    dtypes = {name.rpartition(".")[2]: array.dtype for name, array in held.items()}
    assert dtypes["scales"] == dtypes["biases"] == mx.bfloat16
    assert dtypes["bias"] == held["language_model.norm.weight"].dtype == mx.float32

    plain = convert(tmp_path / "packed", tmp_path / "plain", Target(MISTRAL))
    assert (plain.comparison.n_exact, plain.comparison.n_cast) == (n_plain, n_matrices)


def test_numbers_that_the_wanted_format_cannot_hold_are_named(tmp_path: Path) -> None:
    weights = random_weights(PARAMS["tiny"])
    weights["norm.weight"][3] = 1e6
    source = write_mistral(tmp_path / "in", PARAMS["tiny"], weights)
    with pytest.raises(NonFiniteTensorError) as caught:
        convert(source, tmp_path / "out", Target(MISTRAL, dtype=mx.float16))
    assert caught.value.file == source / "consolidated.safetensors"
    assert caught.value.tensor == "norm.weight"
    assert "numbers that float16 holds, got larger ones at flat index 3" in str(caught.value)


def test_a_kept_module_keeps_the_formats_of_scales_and_biases(tmp_path: Path) -> None:
    directory = write_voxmlx(tmp_path / "in", GROUPED, bits=lambda _: (4, 32))
    file = directory / "model.safetensors"
    held = load_mlx(file)
    mixed = {
        name: array.astype(mx.float16) if name.endswith(".biases") else array
        for name, array in held.items()
    }
    mx.eval(mixed)
    mx.save_safetensors(str(file), mixed, {"format": "mlx"})
    kept = convert(directory, tmp_path / "out", Target(VOXMLX))
    assert kept.comparison.n_exact == kept.n_tensors
    assert_same(load_checkpoint(directory), load_checkpoint(tmp_path / "out"))


@pytest.mark.parametrize("bits", BITS)
def test_quantising_stays_within_a_step(tmp_path: Path, bits: int) -> None:
    group_size = GROUP_SIZES[bits % 3]
    directory = write_mistral(tmp_path / "in", GROUPED, dtype="BF16")
    target = Target(VOXMLX, Quantisation(bits, group_size))
    conversion = convert(directory, tmp_path / "out", target)
    # Every matrix: the embedding, both projections, 7 a layer and 2 more for the decoder's.
    assert conversion.n_quantised == conversion.comparison.n_bounded == 3 + 2 * 7 + 2 * 9
    assert 0.4 < conversion.comparison.worst_steps < 1.5
    written = load_checkpoint(tmp_path / "out")
    assert set(written.quantised.values()) == {Quantisation(bits, group_size)}
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config == {**GROUPED, "quantization": {"bits": bits, "group_size": group_size}}


def test_the_file_is_what_voxmlx_would_write(tmp_path: Path) -> None:
    """Matrices with whole groups are packed, narrow ones and norms and convolutions are not."""
    directory = write_mistral(tmp_path / "in", PARAMS["all-heads"], dtype="F16")
    convert(directory, tmp_path / "out", Target(VOXMLX, Quantisation(4, 64)))
    held = load_file(tmp_path / "out" / "model.safetensors")
    packed = {name.removesuffix(".scales") for name in held if name.endswith(".scales")}
    assert "language_model.embed_tokens" in packed
    assert "language_model.layers.0.ada_norm.linear_in" in packed
    assert "language_model.layers.0.ada_norm.linear_out" not in packed  # 32 inputs
    assert held["encoder.conv1.weight"].shape == (64, 3, 128)
    assert held["encoder.layers.0.attn_norm.weight"].dtype == np.float16
    name = "language_model.layers.1.mlp.down_proj"
    weight = random_weights(PARAMS["all-heads"])["layers.1.feed_forward.w2.weight"]
    wanted = mx.quantize(mx.array(weight).astype(mx.float16), group_size=64, bits=4)
    for part, array in zip(PARTS, wanted, strict=True):
        assert np.array_equal(held[f"{name}.{part}"], np.array(array))


def test_quantised_sources_are_kept_unpacked_or_packed_anew(tmp_path: Path) -> None:
    def choose(name: str) -> tuple[int, int] | None:
        return (6, 64) if "embed_tokens" in name else (4, 32) if "mlp" in name else None

    directory = write_voxmlx(tmp_path / "in", GROUPED, bits=choose)
    source = load_checkpoint(directory)

    kept = convert(directory, tmp_path / "kept", Target(VOXMLX))
    assert_same(source, load_checkpoint(tmp_path / "kept"))
    assert kept.comparison.n_bounded == 0
    named = json.loads((tmp_path / "kept" / "config.json").read_text())["quantization"]
    assert named.pop("language_model.embed_tokens") == {"bits": 6, "group_size": 64}
    assert named == {"bits": 4, "group_size": 32}

    convert(directory, tmp_path / "plain", Target(MISTRAL))
    plain = load_checkpoint(tmp_path / "plain")
    assert plain.quantised == {}
    name = "layers.0.feed_forward.w1"
    packed, scales, biases = (source.weights[f"{name}.{part}"] for part in PARTS)
    unpacked = mx.dequantize(packed, scales, biases, group_size=32, bits=4)
    assert mx.array_equal(plain.weights[f"{name}.weight"], unpacked).item()

    anew = convert(directory, tmp_path / "anew", Target(VOXMLX, Quantisation(8, 128)))
    assert anew.comparison.n_bounded == anew.n_quantised == 35


def test_what_differs_from_the_source_is_found(tmp_path: Path) -> None:
    weights = random_weights(GROUPED)
    one = write_mistral(tmp_path / "one", GROUPED, weights)
    weights["layers.0.attention.wq.weight"][3, 5] += 1e-3
    other = write_mistral(tmp_path / "other", GROUPED, weights)
    with pytest.raises(ConversionError, match=r"layers.0.attention.wq.weight: expected the source"):
        compare(one, other)
    weights["layers.0.attention.wq.weight"][3, 5] += 5
    far = write_mistral(tmp_path / "far", GROUPED, weights)
    convert(far, tmp_path / "packed", Target(VOXMLX, Quantisation(4, 32)))
    with pytest.raises(ConversionError, match=r"attention.wq.weight: expected at most about one"):
        compare(one, tmp_path / "packed")


def test_a_failed_conversion_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = random_weights(TINY)
    weights["norm.weight"][0] = np.nan  # the last tensor
    directory = write_mistral(tmp_path / "in", TINY, weights)
    with pytest.raises(NonFiniteTensorError):
        convert(directory, tmp_path / "out", Target(MISTRAL))
    assert [path.name for path in tmp_path.iterdir()] == ["in"]

    def differ(*args: object) -> None:
        raise ConversionError(None, "norm.weight", "equal", "different")

    monkeypatch.setattr(convert_module, "compare", differ)
    with pytest.raises(ConversionError, match="got different"):
        convert(write_mistral(directory, TINY), tmp_path / "out", Target(MISTRAL))
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_targets_go_by_name() -> None:
    assert Target.named("mistral", None, 64, None) == Target(MISTRAL)
    quantised = Target(VOXMLX, Quantisation(4, 32), mx.float16)
    assert Target.named("mlx", 4, 32, "float16") == quantised
    with pytest.raises(ConversionError, match="layout mistral or mlx, got gguf"):
        Target.named("gguf", None, 64, None)
    with pytest.raises(ConversionError, match="dtype float32, float16 or bfloat16, got int8"):
        Target.named("mlx", None, 64, "int8")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target(MISTRAL, Quantisation(4, 64)), "no bits, as Mistral's layout is plain"),
        (Target(VOXMLX, Quantisation(7, 64)), "bits among"),
        (Target(VOXMLX, Quantisation(4, 48)), "group size among"),
        (Target(HUGGING_FACE), "layout mistral or mlx"),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(
    tmp_path: Path, target: Target, expected: str
) -> None:
    with pytest.raises(ConversionError, match=expected):
        convert(tmp_path / "nowhere", tmp_path / "out", target)


def test_progress_goes_up_to_all_bytes(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    directory = write_mistral(tmp_path / "in", TINY)
    convert(directory, tmp_path / "out", Target(), progress=lambda *step: seen.append(step))
    written = [step for step in seen if step[0] == "consolidated.safetensors"]
    assert [step[1] for step in written] == sorted(step[1] for step in written)
    assert written[-1][1:] == (155024 * 4, 155024 * 4)
    assert seen[-1][0] == "verify"
