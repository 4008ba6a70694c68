"""Headers of safetensors files: right ones are read, wrong ones refused before any data is."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.random_checkpoint import PARAMS, random_weights, write_safetensors
from voxwire.model.checkpoint.header import read_header
from voxwire.model.errors import (
    CheckpointError,
    CorruptFileError,
    MissingFileError,
    TruncatedFileError,
    UnsafeFileError,
)

ARRAYS = {"a": np.ones((2, 3), np.float32), "b": np.ones(5, np.uint32)}


def write_raw(file: Path, header: Any, data: bytes = b"", *, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(text) if length is None else length
    file.write_bytes(length.to_bytes(8, "little") + text + data)
    return file


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def refused(file: Path, kind: type[CheckpointError] = CorruptFileError) -> CheckpointError:
    with pytest.raises(CheckpointError) as caught:
        read_header(file)
    assert type(caught.value) is kind
    assert caught.value.file == file
    return caught.value


def test_names_dtypes_and_shapes_are_read(tmp_path: Path) -> None:
    weights = random_weights(PARAMS["tiny"])
    file = tmp_path / "a.safetensors"
    write_safetensors(file, weights, "BF16")
    infos = read_header(file)
    assert {name: info.shape for name, info in infos.items()} == {
        name: array.shape for name, array in weights.items()
    }
    assert {info.dtype for info in infos.values()} == {"BF16"}
    assert all(info.n_bytes == 2 * weights[name].size for name, info in infos.items())


@pytest.mark.parametrize("n_lost", [1, 20, 43])
def test_lost_data_names_the_first_tensor_that_is_cut(tmp_path: Path, n_lost: int) -> None:
    file = tmp_path / "a.safetensors"
    write_safetensors(file, ARRAYS)  # 24 bytes of a, then 20 of b
    file.write_bytes(file.read_bytes()[:-n_lost])
    error = refused(file, TruncatedFileError)
    assert error.tensor == ("b" if n_lost <= 20 else "a")
    last = 44 if n_lost <= 20 else 24
    assert error.expected == f"data up to byte {last} after the header"
    assert error.got == f"{44 - n_lost} bytes"


def test_a_cut_header_or_length(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    write_safetensors(file, ARRAYS)
    whole = file.read_bytes()
    file.write_bytes(whole[:50])
    error = refused(file, TruncatedFileError)
    n_wanted = 8 + int.from_bytes(whole[:8], "little")
    assert (error.expected, error.got) == (f"at least {n_wanted} bytes", "50 bytes")
    file.write_bytes(whole[:7])
    assert refused(file, TruncatedFileError).got == "7 bytes"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "a.safetensors", MissingFileError).got == "no such file"


@pytest.mark.parametrize(
    ("header", "tensor", "got"),
    [
        (b"{", None, "Expecting property name"),
        (b"[]", None, "list"),
        (b'{"a": 1}', "a", "1"),
        (b'{"a": {}, "a": {}}', "a", "several"),
        (b"[" * 100_000, None, "recursion"),
        ({"a": entry(dtype="F31")}, "a", "'F31'"),
        ({"a": entry(dtype=["F32"])}, "a", "['F32']"),
        ({"a": entry(shape=[-2])}, "a", "[-2]"),
        ({"a": entry(shape=[True, 2])}, "a", "[True, 2]"),
        ({"a": entry(shape="22")}, "a", "'22'"),
        ({"a": entry(shape=[10**4000] * 2)}, "a", "1000"),  # more digits than Python writes
        ({"a": entry(offsets=[0])}, "a", "[0]"),
        ({"a": entry(offsets=[0, 4])}, "a", "4 bytes"),
        ({"a": entry(offsets=[8, 0])}, "a", "-8 bytes"),
        ({"a": entry(offsets=[4, 12])}, "a", "offset 4"),
        ({"a": entry(), "b": entry(offsets=[4, 12])}, "b", "offset 4"),
        ({"a": entry(shape=[1], offsets=[0, 4])}, None, "12 bytes"),
    ],
)
def test_a_header_that_cannot_be_right(
    tmp_path: Path, header: Any, tensor: str | None, got: str
) -> None:
    error = refused(write_raw(tmp_path / "a.safetensors", header, bytes(12)))
    assert error.tensor == tensor
    assert got in error.got


def test_a_length_beyond_the_formats_limit(tmp_path: Path) -> None:
    error = refused(write_raw(tmp_path / "a.safetensors", {}, length=1 << 62))
    assert error.got == f"{1 << 62} bytes"


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    position=st.integers(0, 199), byte=st.integers(0, 255), n_kept=st.integers(0, 250) | st.none()
)
def test_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, position: int, byte: int, n_kept: int | None
) -> None:
    """Whatever one byte or a cut does, there is a typed error or a header that fits the file."""
    file = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    write_safetensors(file, ARRAYS)
    content = bytearray(file.read_bytes())
    content[position % len(content)] = byte
    file.write_bytes(content[:n_kept])
    with contextlib.suppress(CheckpointError):
        infos = read_header(file)
        assert sum(info.n_bytes for info in infos.values()) <= len(content[:n_kept]) - 8


@pytest.mark.parametrize("length", [640, 896, 1152, 1408, 66176])
def test_a_length_whose_bytes_begin_like_a_pickle_is_a_length(tmp_path: Path, length: int) -> None:
    text = json.dumps({"a": entry()}).encode().ljust(length)
    assert list(read_header(write_raw(tmp_path / "a.safetensors", text, bytes(8)))) == ["a"]


def test_a_large_pickle_with_a_small_first_frame_is_a_pickle(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    start = b"\x80\x04\x95" + (7).to_bytes(8, "little")  # as a length: 123 MB
    file.write_bytes(start)
    os.truncate(file, 1 << 27)  # sparse
    refused(file, UnsafeFileError)


@pytest.mark.parametrize(
    "header",
    [
        json.dumps({"a": entry()}).encode("utf-16"),
        b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], "x": NaN}}',
        json.dumps({"a": entry(), "__metadata__": {"format": "pt", "step": 1}}),
        json.dumps({"a": entry(), "__metadata__": ["pt"]}),
    ],
    ids=["utf-16", "nan", "number", "list"],
)
def test_what_mlx_would_not_read_is_refused(tmp_path: Path, header: bytes | str) -> None:
    raw = header if isinstance(header, bytes) else header.encode()
    refused(write_raw(tmp_path / "a.safetensors", raw, bytes(8)))


@pytest.mark.parametrize("call", ["open", "is_file"])  # of the file, or of its folder
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, call: str) -> None:
    file = write_raw(tmp_path / "a.safetensors", {"a": entry()}, bytes(8))
    error = PermissionError(errno.EACCES, "Permission denied")
    with mock.patch.object(Path, call, side_effect=error):
        assert refused(file, MissingFileError).got == "Permission denied"


def test_what_mlx_writes_without_metadata_is_read(tmp_path: Path) -> None:
    mx.save_safetensors(str(tmp_path / "a.safetensors"), {"a": mx.zeros(2)})
    assert list(read_header(tmp_path / "a.safetensors")) == ["a"]
