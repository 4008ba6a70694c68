"""A wrong checkpoint is refused by a typed error that names file, tensor, wanted and got."""

from __future__ import annotations

import errno
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import mlx.core as mx
import numpy as np
import pytest

from tests.other_layouts import write_hf, write_voxmlx
from tests.random_checkpoint import (
    EMBEDDING_MODULE,
    PARAMS,
    Params,
    Weights,
    random_weights,
    tiny_tekken,
    write_json,
    write_mistral,
    write_safetensors,
)
from voxwire.model.checkpoint.load import load_checkpoint
from voxwire.model.errors import (
    CheckpointError,
    ConfigError,
    CorruptFileError,
    ExtraTensorError,
    MissingFileError,
    MissingTensorError,
    NonFiniteTensorError,
    TensorDtypeError,
    TensorShapeError,
    TokenizerError,
    UnknownLayoutError,
    UnsafeFileError,
)

TINY = PARAMS["tiny"]
CONV = EMBEDDING_MODULE + "whisper_encoder.conv_layers.0.conv.weight"
W1 = "layers.1.feed_forward.w1.weight"


def refused(directory: Path, kind: type[CheckpointError]) -> CheckpointError:
    """Load `directory`, which must fail with exactly `kind`; return the error."""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(directory)
    assert type(caught.value) is kind
    error = caught.value
    named = [str(error.file), error.tensor or "", error.expected, error.got]
    assert all(part in str(error) for part in named)
    return error


def with_weights(directory: Path, change: Callable[[Weights], object]) -> Path:
    """Write a Mistral checkpoint whose weights went through `change`."""
    weights = random_weights(TINY)
    change(weights)
    return write_mistral(directory, TINY, weights)


def test_a_missing_tensor(tmp_path: Path) -> None:
    error = refused(with_weights(tmp_path, lambda w: w.pop(W1)), MissingTensorError)
    assert error.file == tmp_path / "consolidated.safetensors"
    assert (error.tensor, error.got) == (W1, "no such tensor")
    assert error.expected == "F32 or F16 or BF16 [96, 48]"


def test_an_extra_tensor(tmp_path: Path) -> None:
    name = "layers.2.attention_norm.weight"
    directory = with_weights(tmp_path, lambda w: w.update({name: np.ones(48, np.float32)}))
    error = refused(directory, ExtraTensorError)
    assert error.file == tmp_path / "consolidated.safetensors"
    assert (error.tensor, error.expected, error.got) == (name, "no such tensor", "F32 [48]")


def test_a_misshapen_tensor(tmp_path: Path) -> None:
    error = refused(with_weights(tmp_path, lambda w: w.update({W1: w[W1].T})), TensorShapeError)
    assert (error.tensor, error.expected, error.got) == (W1, "[96, 48]", "[48, 96]")


def test_a_convolution_in_another_layouts_order(tmp_path: Path) -> None:
    directory = with_weights(tmp_path, lambda w: w.update({CONV: w[CONV].swapaxes(1, 2)}))
    error = refused(directory, TensorShapeError)
    assert (error.tensor, error.expected, error.got) == (CONV, "[32, 128, 3]", "[32, 3, 128]")


def test_a_tensor_of_another_number_format(tmp_path: Path) -> None:
    directory = with_weights(tmp_path, lambda w: w.update({W1: w[W1].astype(np.uint32)}))
    error = refused(directory, TensorDtypeError)
    assert (error.tensor, error.expected, error.got) == (W1, "F32 or F16 or BF16", "U32")


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_tensor_that_is_not_finite(tmp_path: Path, value: float, dtype: str) -> None:
    weights = random_weights(TINY)
    weights[W1][95, 47] = value
    error = refused(write_mistral(tmp_path, TINY, weights, dtype=dtype), NonFiniteTensorError)
    assert (error.tensor, error.expected) == (W1, "finite numbers")
    assert error.got == "NaN or infinity at flat index 4607"


def test_names_of_no_known_layout(tmp_path: Path) -> None:
    weights = {f"model.{name}": np.ones(3, np.float32) for name in ("a", "b", "c", "d")}
    error = refused(write_mistral(tmp_path, TINY, weights), UnknownLayoutError)
    assert error.file == tmp_path / "consolidated.safetensors"
    assert error.expected.endswith("mistral, huggingface, voxmlx, mlx-audio")
    assert error.got == "4 tensors such as model.a, model.b, model.c"


def test_names_of_two_layouts(tmp_path: Path) -> None:
    directory = with_weights(
        tmp_path, lambda w: w.update({"audio_tower.norm.weight": np.ones(32, np.float32)})
    )
    assert refused(directory, UnknownLayoutError).got == "mistral and huggingface at once"


def test_one_tensor_under_two_names(tmp_path: Path) -> None:
    directory = write_hf(tmp_path, TINY, prefix="model.")
    norm = {"language_model.model.norm.weight": np.ones(48, np.float32)}
    (directory / "model.safetensors").rename(directory / "model-00001-of-00002.safetensors")
    write_safetensors(directory / "model-00002-of-00002.safetensors", norm)
    error = refused(directory, ExtraTensorError)
    assert error.file == tmp_path / "model-00002-of-00002.safetensors"
    assert error.tensor == "language_model.model.norm.weight"
    assert error.got.startswith("model.language_model.norm.weight in model-00001")


def test_a_shard_that_is_not_there(tmp_path: Path) -> None:
    write_hf(tmp_path, TINY, n_shards=3)
    lost = tmp_path / "model-00002-of-00003.safetensors"
    lost.unlink()
    error = refused(tmp_path, MissingFileError)
    assert (error.file, error.got) == (lost, "none")
    (tmp_path / "model.safetensors.index.json").unlink()
    error = refused(tmp_path, MissingFileError)
    assert error.expected == "3 shards, as model-00001-of-00003.safetensors says"
    assert error.got == "2"


def test_an_index_that_names_no_files(tmp_path: Path) -> None:
    write_hf(tmp_path, TINY, n_shards=2)
    index = tmp_path / "model.safetensors.index.json"
    for table in ({"weight_map": ["a"]}, {"weight_map": {"a": 1}}, {}):
        write_json(index, table)
        assert refused(tmp_path, CorruptFileError).file == index
    write_json(index, {"weight_map": {"a": "../outside.safetensors"}})
    assert refused(tmp_path, MissingFileError).file == tmp_path / "../outside.safetensors"


class Trap:
    """Runs code when unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("a pickle was evaluated",))


@pytest.mark.parametrize("name", ["consolidated.00.pth", "pytorch_model.bin"])
def test_a_directory_with_pickled_weights_only(tmp_path: Path, name: str) -> None:
    write_mistral(tmp_path, TINY)
    (tmp_path / "consolidated.safetensors").unlink()
    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    error = refused(tmp_path, UnsafeFileError)
    assert (error.file, error.expected) == (tmp_path / name, "safetensors")


@pytest.mark.parametrize("magic", [b"PK\x03\x04", b""])
def test_a_pickle_by_the_name_of_safetensors(tmp_path: Path, magic: bytes) -> None:
    write_mistral(tmp_path, TINY)
    file = tmp_path / "consolidated.safetensors"
    file.write_bytes(magic + pickle.dumps(Trap()))
    assert refused(tmp_path, UnsafeFileError).file == file


@pytest.mark.parametrize("method", ["is_dir", "iterdir"])
def test_a_directory_that_may_not_be_read_is_named(tmp_path: Path, method: str) -> None:
    error = PermissionError(errno.EACCES, "Permission denied")
    with mock.patch.object(Path, method, side_effect=error):
        refusal = refused(tmp_path, MissingFileError)
    assert (refusal.file, refusal.got) == (tmp_path, "Permission denied")


def test_a_format_that_mlx_does_not_read_is_refused(tmp_path: Path) -> None:
    write_mistral(tmp_path, TINY)
    with mock.patch.object(mx, "load", side_effect=RuntimeError("unsupported dtype F64")):
        assert "F64" in refused(tmp_path, CorruptFileError).got


@pytest.mark.parametrize("value", [10**400, float("inf")])
def test_a_number_that_no_float_holds_is_refused(tmp_path: Path, value: float) -> None:
    write_json(write_mistral(tmp_path, TINY) / "params.json", {**TINY, "rope_theta": value})
    assert refused(tmp_path, ConfigError).expected == "rope_theta: a number that a float holds"


@pytest.mark.parametrize("n_layers", [10**9, 2**31 - 1])
def test_more_layers_than_tensors_are_refused_at_once(tmp_path: Path, n_layers: int) -> None:
    write_json(write_mistral(tmp_path, TINY) / "params.json", {**TINY, "n_layers": n_layers})
    error = refused(tmp_path, MissingTensorError)
    assert error.expected == f"the tensors of {n_layers + 2} layers"


def test_files_that_are_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "nowhere", MissingFileError).got == "none there"
    assert refused(tmp_path, MissingFileError).got == "no weights"
    write_mistral(tmp_path, TINY)
    (tmp_path / "params.json").unlink()
    assert refused(tmp_path, MissingFileError).expected == "params.json or config.json"


@pytest.mark.parametrize(
    ("change", "expected", "got"),
    [
        ({"dim": "48"}, "dim: a positive integer", "'48'"),
        ({"n_layers": True}, "n_layers: a positive integer", "True"),
        ({"rope_theta": None}, "rope_theta: a positive number", "no such key"),
        ({"norm_eps": float("nan")}, "norm_eps: a positive number", "nan"),
        ({"multimodal": {}}, "multimodal.whisper_model_args: an object", "no such key"),
        ({"n_kv_heads": 3}, "n_kv_heads: a divisor of n_heads 4", "3"),
        ({"tied_embeddings": False}, "tied_embeddings: True", "False"),
    ],
)
def test_a_wrong_configuration(tmp_path: Path, change: Params, expected: str, got: str) -> None:
    directory = write_mistral(tmp_path, TINY)
    write_json(directory / "params.json", {**TINY, **change})
    error = refused(directory, ConfigError)
    assert error.file == directory / "params.json"
    assert (error.expected, error.got) == (expected, got)


def test_a_configuration_of_other_sizes(tmp_path: Path) -> None:
    directory = write_voxmlx(tmp_path, TINY)
    write_json(directory / "config.json", {**TINY, "hidden_dim": 100})
    error = refused(directory, TensorShapeError)
    assert error.tensor == "language_model.layers.0.mlp.gate_proj.weight"
    assert (error.expected, error.got) == ("[100, 48]", "[96, 48]")


@pytest.mark.parametrize("text", ["", "[1]", "{", "\x80"])
def test_a_configuration_that_is_no_object(tmp_path: Path, text: str) -> None:
    directory = write_mistral(tmp_path, TINY)
    (directory / "params.json").write_bytes(text.encode("latin-1"))
    assert refused(directory, ConfigError).file == directory / "params.json"


def test_a_missing_or_foreign_tokenizer(tmp_path: Path) -> None:
    directory = write_mistral(tmp_path, TINY, tekken=tiny_tekken(1280))
    error = refused(directory, TokenizerError)
    assert error.expected.startswith("1300 ids")
    assert error.got.startswith("1280 ids")
    tekken = tiny_tekken()
    tekken["special_tokens"][32]["token_str"] = "<SPECIAL_32>"
    write_json(directory / "tekken.json", tekken)
    assert refused(directory, TokenizerError).expected == "special_tokens: [STREAMING_PAD]"
    (directory / "tekken.json").unlink()
    assert refused(directory, TokenizerError).file == directory / "tekken.json"


def test_nothing_is_read_of_weights_that_do_not_fit(tmp_path: Path) -> None:
    # A header may promise more memory than there is; it must be refused by its length alone.
    directory = write_mistral(tmp_path, TINY)
    file = directory / "consolidated.safetensors"
    entry = {"dtype": "F32", "shape": [1 << 40, 48], "data_offsets": [0, (1 << 40) * 48 * 4]}
    header = json.dumps({EMBEDDING_MODULE + "tok_embeddings.weight": entry}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(CheckpointError, match="got 0 bytes"):
        load_checkpoint(directory)
