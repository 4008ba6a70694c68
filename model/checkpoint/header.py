"""Read safetensors headers in plain Python, and distrust them.

Every length and offset is checked against the real file size before any data is read, so that a
truncated or lying file gives a typed error instead of a crash, garbage weights or a huge
allocation. Format: https://huggingface.co/docs/safetensors (8 bytes little-endian length, JSON,
data).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CorruptFileError, MissingFileError, TruncatedFileError, UnsafeFileError

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000  # the format's own limit
ITEM_BYTES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "U16": 2,
    "I16": 2,
    "F16": 2,
    "BF16": 2,
    "U32": 4,
    "I32": 4,
    "F32": 4,
    "U64": 8,
    "I64": 8,
    "F64": 8,
}
PICKLE_SUFFIXES = frozenset({".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"})
_ZIP_MAGIC = b"PK\x03\x04"  # of what torch.save writes
_PICKLE_MAGIC = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One entry of a header. `dtype` is safetensors' word for it, as in `ITEM_BYTES`."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    n_bytes: int


def refuse_pickle(file: Path) -> None:
    """Raise UnsafeFileError where `file` is, by name or by its first bytes, a pickle.

    Raises MissingFileError where it is not there or may not be read.
    """
    try:
        if not file.is_file():
            raise MissingFileError(file, None, "a safetensors file", "no such file")
        with file.open("rb") as stream:
            magic = stream.read(LENGTH_BYTES)
    except OSError as error:
        raise unreadable(file, error) from None
    # Some headers' lengths begin with the same two bytes; a pickle's other six make it absurd.
    longest = min(file.stat().st_size, MAX_HEADER_BYTES)
    is_length = int.from_bytes(magic, "little") <= longest
    is_pickle = magic.startswith(_PICKLE_MAGIC) and not is_length
    if file.suffix in PICKLE_SUFFIXES or magic.startswith(_ZIP_MAGIC) or is_pickle:
        raise UnsafeFileError(file, None, "safetensors", "a pickle, which can run code when read")


def unreadable(file: Path, error: OSError) -> MissingFileError:
    """Return the error of a file or directory that the system does not let us read."""
    return MissingFileError(file, None, "one that can be read", error.strerror or str(error))


def read_header(file: Path) -> dict[str, TensorInfo]:
    """Return the tensors of one safetensors file by name, in the file's order.

    Reads the header only. Raises MissingFileError, UnsafeFileError, CorruptFileError,
    TruncatedFileError.
    """
    refuse_pickle(file)
    size = file.stat().st_size
    entries, data_start = _read_json(file, size)
    _check_metadata(file, entries.pop("__metadata__", {}))
    spans = {name: _span(file, name, entry) for name, entry in entries.items()}
    _check_spans(file, spans, size - data_start)
    return {
        name: TensorInfo(name, entry["dtype"], tuple(entry["shape"]), file, end - start)
        for (name, entry), (start, end) in zip(entries.items(), spans.values(), strict=True)
    }


def _read_json(file: Path, size: int) -> tuple[dict[str, Any], int]:
    """Return the header's entries and the offset at which the data starts."""
    if size < LENGTH_BYTES:
        raise TruncatedFileError(file, None, f"at least {LENGTH_BYTES} bytes", f"{size} bytes")
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(LENGTH_BYTES), "little")
        if length > MAX_HEADER_BYTES:
            raise CorruptFileError(
                file, None, f"a header of at most {MAX_HEADER_BYTES} bytes", f"{length} bytes"
            )
        if LENGTH_BYTES + length > size:
            raise TruncatedFileError(
                file, None, f"at least {LENGTH_BYTES + length} bytes", f"{size} bytes"
            )
        text = stream.read(length)
    return _parse(file, text), LENGTH_BYTES + length


def _parse(file: Path, text: bytes) -> dict[str, Any]:
    def refuse_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            names = [name for name, _ in pairs]
            double = next(name for name in names if names.count(name) > 1)
            raise CorruptFileError(file, double, "one entry in the header", "several")
        return table

    def refuse_constant(name: str) -> None:
        raise ValueError(f"{name} is no JSON")

    try:
        # As text: from bytes, Python would guess UTF-16, and MLX would not.
        decoded = text.decode()
        entries = json.loads(
            decoded, object_pairs_hook=refuse_doubles, parse_constant=refuse_constant
        )
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(file, None, "a JSON header", f"{error}") from error
    if not isinstance(entries, dict):
        raise CorruptFileError(file, None, "a JSON object as header", type(entries).__name__)
    return entries


def _check_metadata(file: Path, metadata: Any) -> None:
    is_text = isinstance(metadata, dict) and all(isinstance(v, str) for v in metadata.values())
    if metadata is not None and not is_text:  # MLX writes null where there is none
        raise CorruptFileError(file, "__metadata__", "an object of strings", repr(metadata)[:100])


def _span(file: Path, name: str, entry: Any) -> tuple[int, int]:
    """Check one entry by itself; return its byte span relative to the data."""
    if not isinstance(entry, dict):
        raise CorruptFileError(file, name, "an object with dtype, shape, data_offsets", repr(entry))
    dtype = entry.get("dtype")
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise CorruptFileError(file, name, f"a dtype among {', '.join(ITEM_BYTES)}", repr(dtype))
    shape, offsets = _sizes(entry, "shape"), _sizes(entry, "data_offsets")
    if shape is None or math.prod(shape) >> 64:  # more than the format counts
        raise CorruptFileError(file, name, "a shape of sizes", repr(entry.get("shape")))
    if offsets is None or len(offsets) != 2:
        got = repr(entry.get("data_offsets"))
        raise CorruptFileError(file, name, "data_offsets: a start and an end", got)
    start, end = offsets
    n_bytes = math.prod(shape) * ITEM_BYTES[dtype]
    if end - start != n_bytes:
        raise CorruptFileError(
            file, name, f"{n_bytes} bytes for {dtype} {list(shape)}", f"{end - start} bytes"
        )
    return start, end


def _sizes(entry: dict[str, Any], key: str) -> list[int] | None:
    """Return a list of non-negative integers, None if `key` holds anything else."""
    value = entry.get(key)
    if isinstance(value, list) and all(type(n) is int and n >= 0 for n in value):
        return value
    return None


def _check_spans(file: Path, spans: dict[str, tuple[int, int]], n_data_bytes: int) -> None:
    """Refuse spans that overlap, leave holes, or do not end where the file ends."""
    position = 0
    for name, (start, end) in sorted(spans.items(), key=lambda item: item[1]):
        if end > n_data_bytes:
            raise TruncatedFileError(
                file, name, f"data up to byte {end} after the header", f"{n_data_bytes} bytes"
            )
        if start != position:
            raise CorruptFileError(file, name, f"data at offset {position}", f"offset {start}")
        position = end
    if position != n_data_bytes:
        raise CorruptFileError(
            file, None, f"{position} bytes after the header", f"{n_data_bytes} bytes"
        )
