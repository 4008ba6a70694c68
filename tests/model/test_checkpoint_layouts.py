"""Every layout loads to the same canonical weights and configuration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import numpy.typing as npt
import pytest

from tests.other_layouts import HF_ADA_DIM, mlx_order, write_hf, write_mlx_audio, write_voxmlx
from tests.random_checkpoint import (
    EMBEDDING_MODULE,
    PARAMS,
    Params,
    Weights,
    random_weights,
    tiny_tekken,
    write_mistral,
    write_safetensors,
)
from voxwire.model.checkpoint import load
from voxwire.model.checkpoint.load import Checkpoint, load_checkpoint
from voxwire.model.config import ModelConfig

Writer = Callable[[Path, Params, Weights], Path]
PLAIN_WRITERS: dict[str, Writer] = {
    "mistral": write_mistral,
    "voxmlx": write_voxmlx,
    "mlx-audio": write_mlx_audio,
}
HF_WRITERS: dict[str, Writer] = {
    "as published": write_hf,
    "as in memory": lambda *args: write_hf(*args, prefix="model."),
    "in shards": lambda *args: write_hf(*args, n_shards=3),
}


def canonical(weights: Weights) -> dict[str, npt.NDArray[Any]]:
    """Return Mistral's tensors as the loader should give them."""
    return {name.removeprefix(EMBEDDING_MODULE): mlx_order(w) for name, w in weights.items()}


def assert_holds(checkpoint: Checkpoint, wanted: dict[str, npt.NDArray[Any]]) -> None:
    """Assert that `checkpoint` has exactly these float32 weights."""
    assert checkpoint.weights.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(np.array(checkpoint.weights[name]), array, err_msg=name)


@pytest.mark.parametrize("preset", PARAMS)
@pytest.mark.parametrize("layout", PLAIN_WRITERS)
def test_a_layout_loads_to_the_canonical_weights(tmp_path: Path, layout: str, preset: str) -> None:
    weights = random_weights(PARAMS[preset])
    checkpoint = load_checkpoint(PLAIN_WRITERS[layout](tmp_path, PARAMS[preset], weights))
    assert checkpoint.layout == layout
    assert checkpoint.quantised == {}
    assert checkpoint.config == ModelConfig.from_params(PARAMS[preset])
    assert_holds(checkpoint, canonical(weights))


@pytest.mark.parametrize("preset", PARAMS)
@pytest.mark.parametrize("form", HF_WRITERS)
def test_hugging_face_loads_with_rows_back_in_order(tmp_path: Path, form: str, preset: str) -> None:
    params = PARAMS[preset]
    weights = random_weights(params)
    checkpoint = load_checkpoint(HF_WRITERS[form](tmp_path, params, weights))
    ada_dim = max(HF_ADA_DIM, params["ada_rms_norm_t_cond_dim"])
    wanted = canonical(weights)
    for name in wanted:
        n_more = ada_dim - params["ada_rms_norm_t_cond_dim"]
        if "t_cond.0" in name:
            wanted[name] = np.pad(wanted[name], ((0, n_more), (0, 0)))
        if "t_cond.2" in name:
            wanted[name] = np.pad(wanted[name], ((0, 0), (0, n_more)))
    assert checkpoint.layout == "huggingface"
    padded = {**params, "ada_rms_norm_t_cond_dim": ada_dim}
    assert checkpoint.config == ModelConfig.from_params(padded)
    assert_holds(checkpoint, wanted)


def test_older_prefix_and_tied_output_are_understood(tmp_path: Path) -> None:
    weights = random_weights(PARAMS["tiny"])
    older = {
        name.replace("mm_streams_embeddings.", "mm_whisper_embeddings."): array
        for name, array in weights.items()
    }
    older["output.weight"] = weights[EMBEDDING_MODULE + "tok_embeddings.weight"]
    older = {name.replace("embedding_module.", ""): array for name, array in older.items()}
    directory = write_mistral(tmp_path, PARAMS["tiny"], older)
    assert_holds(load_checkpoint(directory), canonical(weights))


def test_the_layout_follows_tensor_names_not_file_names(tmp_path: Path) -> None:
    weights = random_weights(PARAMS["tiny"])
    directory = write_mistral(tmp_path, PARAMS["tiny"], weights)
    (directory / "consolidated.safetensors").rename(directory / "model.safetensors")
    (directory / "params.json").rename(directory / "config.json")
    checkpoint = load_checkpoint(directory)
    assert checkpoint.layout == "mistral"
    assert_holds(checkpoint, canonical(weights))


def test_of_two_sets_of_weights_mistrals_is_read(tmp_path: Path) -> None:
    # The official repository holds both files; reading both would double everything.
    write_hf(tmp_path, PARAMS["tiny"], random_weights(PARAMS["tiny"], seed=1))
    weights = random_weights(PARAMS["tiny"], seed=2)
    checkpoint = load_checkpoint(write_mistral(tmp_path, PARAMS["tiny"], weights))
    assert checkpoint.layout == "mistral"
    assert_holds(checkpoint, canonical(weights))


def test_shards_that_the_index_does_not_name_are_left_alone(tmp_path: Path) -> None:
    write_hf(tmp_path, PARAMS["tiny"], n_shards=2)
    wanted = load_checkpoint(tmp_path).weights
    older = tmp_path / "model-00001-of-00007.safetensors"
    write_safetensors(older, {"audio_tower.norm.weight": np.ones(3, np.float32)})
    assert load_checkpoint(tmp_path).weights.keys() == wanted.keys()


@pytest.mark.parametrize("stored", ["F16", "BF16"])
def test_stored_half_precision_becomes_float32_on_the_cpu(tmp_path: Path, stored: str) -> None:
    directory = write_voxmlx(tmp_path, PARAMS["tiny"], dtype=stored)
    held = mx.load(str(directory / "model.safetensors"))
    checkpoint = load_checkpoint(directory, dtype=mx.float32)
    assert checkpoint.dtype == mx.float32
    name = "language_model.embed_tokens.weight"
    assert isinstance(held, dict)
    assert held[name].dtype == {"F16": mx.float16, "BF16": mx.bfloat16}[stored]
    wanted = np.array(held[name].astype(mx.float32))
    np.testing.assert_array_equal(np.array(checkpoint.weights["tok_embeddings.weight"]), wanted)


def test_a_model_over_half_of_the_memory_stays_as_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = write_mistral(tmp_path, PARAMS["tiny"], dtype="BF16")
    assert load_checkpoint(directory).dtype == mx.float32
    # 155 024 weights: 0.6 MB in float32, against half of a megabyte.
    monkeypatch.setattr(load, "usable_memory_bytes", lambda: 1 << 20)
    checkpoint = load_checkpoint(directory)
    assert {array.dtype for array in checkpoint.weights.values()} == {mx.bfloat16}


@pytest.mark.parametrize("stored", ["BF16", "F32"])
def test_loading_holds_one_copy_and_one_tensor(tmp_path: Path, stored: str) -> None:
    directory = write_hf(tmp_path, PARAMS["grouped"], dtype=stored)
    mx.clear_cache()
    mx.reset_peak_memory()
    n_before_bytes = mx.get_active_memory()
    weights = load_checkpoint(directory, dtype=mx.float32).weights
    n_bytes = [array.nbytes for array in weights.values()]
    peak_bytes = mx.get_peak_memory() - n_before_bytes
    # Of one tensor, as stored, put in order and converted; small ones take whole pages.
    assert sum(n_bytes) <= peak_bytes < 1.1 * sum(n_bytes) + 2 * max(n_bytes)


def test_mixed_number_formats_become_one(tmp_path: Path) -> None:
    weights = random_weights(PARAMS["tiny"])
    directory = write_mistral(tmp_path, PARAMS["tiny"], weights)
    (directory / "consolidated.safetensors").unlink()
    names = list(weights)
    for index, (dtype, part) in enumerate((("F16", names[::2]), ("F32", names[1::2]))):
        file = directory / f"model-{index + 1:05d}-of-00002.safetensors"
        write_safetensors(file, {name: weights[name] for name in part}, dtype)
    checkpoint = load_checkpoint(directory, dtype=mx.bfloat16)
    assert {array.dtype for array in checkpoint.weights.values()} == {mx.bfloat16}


def test_the_default_delay_comes_from_the_tokenizer(tmp_path: Path) -> None:
    tekken = tiny_tekken(delay_ms=960)
    checkpoint = load_checkpoint(write_mistral(tmp_path, PARAMS["tiny"], tekken=tekken))
    assert checkpoint.config.default_delay_tokens == 12
    assert checkpoint.tokenizer_file == tmp_path / "tekken.json"
