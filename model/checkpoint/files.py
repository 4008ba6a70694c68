"""Which files of a directory (or of a hub repository) make up one checkpoint."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..errors import (
    ConfigError,
    CorruptFileError,
    MissingFileError,
    TokenizerError,
    UnsafeFileError,
)
from .header import PICKLE_SUFFIXES, unreadable

TOKENIZER_FILE = "tekken.json"
CONFIG_FILES = ("params.json", "config.json")  # in order of preference
# One set of weights is taken, the first that is there: official repositories hold two.
WEIGHT_PATTERNS = ("consolidated*.safetensors", "model*.safetensors", "*.safetensors")
SHARD = re.compile(r"(.+)-\d{5}-of-(\d{5})\.safetensors")


@dataclass(frozen=True, slots=True)
class CheckpointFiles:
    """The files of one checkpoint; `weights` holds one file, or all the shards."""

    directory: Path
    config: Path
    weights: tuple[Path, ...]
    tokenizer: Path


def select_weights(names: Iterable[str]) -> list[str]:
    """Return the file names of one set of weights among `names`, sorted; empty if none.

    Mistral's own file is preferred, then Hugging Face's or MLX's. Shards beside a whole file hold
    the same weights once more and are left out.
    """
    ordered = sorted(names)
    for pattern in WEIGHT_PATTERNS:
        chosen = [name for name in ordered if fnmatchcase(name, pattern)]
        whole = [name for name in chosen if not SHARD.fullmatch(name)]
        if chosen:
            return whole[:1] or chosen
    return []


def select_files(names: Iterable[str]) -> list[str]:
    """Return the files among `names` that a checkpoint needs: configuration, weights, tokenizer.

    Names in sub-folders are left out. The index comes along where the weights are sharded.
    """
    top = {name for name in names if "/" not in name}
    weights = select_weights(top)
    wanted = {*CONFIG_FILES, TOKENIZER_FILE, _index_name(weights)}
    return sorted([*weights, *(top & wanted)])


def _index_name(weights: list[str]) -> str:
    """Return the name of the index that goes with these shards; empty for a whole file."""
    match = SHARD.fullmatch(weights[0]) if weights else None
    return f"{match.group(1)}.safetensors.index.json" if match else ""


def find_files(directory: Path) -> CheckpointFiles:
    """Return the files of the checkpoint in `directory`.

    Raises MissingFileError, UnsafeFileError (pickled weights only), TokenizerError,
    CorruptFileError (an index that names no plain files).
    """
    try:
        if not directory.is_dir():
            raise MissingFileError(directory, None, "a directory with a checkpoint", "none there")
        names = [entry.name for entry in directory.iterdir() if entry.is_file()]
    except OSError as error:
        raise unreadable(directory, error) from None
    config = next((name for name in CONFIG_FILES if name in names), None)
    weights = select_weights(names)
    if not weights:
        _refuse_without_weights(directory, names)
    if config is None:
        raise MissingFileError(directory, None, " or ".join(CONFIG_FILES), "neither")
    if TOKENIZER_FILE not in names:
        raise TokenizerError(directory / TOKENIZER_FILE, None, "a tokenizer", "no such file")
    return CheckpointFiles(
        directory=directory,
        config=directory / config,
        weights=tuple(directory / name for name in _indexed(directory, weights)),
        tokenizer=directory / TOKENIZER_FILE,
    )


def _refuse_without_weights(directory: Path, names: list[str]) -> None:
    pickles = sorted(name for name in names if Path(name).suffix in PICKLE_SUFFIXES)
    if pickles:
        got = "a pickle, which can run code when read"
        raise UnsafeFileError(directory / pickles[0], None, "safetensors", got)
    raise MissingFileError(directory, None, " or ".join(WEIGHT_PATTERNS), "no weights")


def _indexed(directory: Path, weights: list[str]) -> list[str]:
    """Return the shards that the index of `weights` names, all of them there.

    Without an index, `weights` themselves, if they are as many as their names say. Other shards
    may be left of an older download.
    """
    index = directory / _index_name(weights)
    if not index.is_file():
        match = SHARD.fullmatch(weights[0])
        n_shards = int(match.group(2)) if match else 1
        if len(weights) < n_shards:
            wanted = f"{n_shards} shards, as {weights[0]} says"
            raise MissingFileError(directory, None, wanted, str(len(weights)))
        return weights
    table = read_json(index).get("weight_map")
    if not isinstance(table, Mapping) or not all(isinstance(n, str) for n in table.values()):
        raise CorruptFileError(index, None, "a weight_map from tensors to files", repr(table)[:60])
    named = sorted(set(table.values()))
    for name in named:
        if name not in weights:
            raise MissingFileError(directory / name, None, f"a shard, as {index.name} says", "none")
    return named


def read_json(file: Path) -> dict[str, Any]:
    """Return the JSON object in `file`. Raises ConfigError."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(file, None, "a JSON object", f"{error}") from error
    if not isinstance(data, dict):
        raise ConfigError(file, None, "a JSON object", type(data).__name__)
    return data
