"""Where a conversion goes: a new directory, or in place of a checkpoint and of nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import ConversionError
from .files import CONFIG_FILES, TOKENIZER_FILE, CheckpointFiles

_WEIGHTS = ("consolidated*.safetensors", "model*.safetensors")
# What may be thrown away: any other file may be somebody's own.
_REPLACEABLE = (
    *_WEIGHTS,
    "consolidated*.safetensors.index.json",
    "model*.safetensors.index.json",
    *CONFIG_FILES,
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    TOKENIZER_FILE,
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "README.md",
    "LICENSE",
    "LICENSE.md",
    "LICENSE.txt",
    ".gitattributes",
    ".DS_Store",  # the Finder's
)
# What the hub's download command keeps in .cache/huggingface: others would be a cache of models.
_HUB_NOTES = frozenset({"download", "CACHEDIR.TAG", ".gitignore", ".gitignore.lock"})


def check_place(source: CheckpointFiles, out_dir: Path, overwrite: bool) -> None:
    """Refuse to write over the source, or over anything that is no checkpoint.

    Raises ConversionError.
    """
    with _typed(out_dir):
        if out_dir.exists():
            _check_existing(source, out_dir, overwrite)


def _check_existing(source: CheckpointFiles, out_dir: Path, overwrite: bool) -> None:
    if out_dir.samefile(source.directory):
        raise ConversionError(out_dir, None, "another directory than the source", "the source")
    for file in (source.config, *source.weights, source.tokenizer):
        # By identity, as a path may lead here by a link or in other case.
        if any(out_dir.samefile(parent) for parent in file.resolve().parents):
            raise ConversionError(out_dir, None, "a directory without the source", f"{file} in it")
    if not overwrite:
        raise ConversionError(out_dir, None, "a new directory (or --overwrite)", "one that exists")
    _require_checkpoint(out_dir)


def check_disk(out_dir: Path, n_bytes: int) -> None:
    """Raise ConversionError where the disk of `out_dir` has no room for `n_bytes`."""
    with _typed(out_dir):
        place = Path(os.path.realpath(out_dir))
        present = next(parent for parent in place.parents if parent.exists())
        n_free_bytes = shutil.disk_usage(present).free
    if n_free_bytes < n_bytes:
        raise ConversionError(present, None, f"{n_bytes} bytes of free disk", f"{n_free_bytes}")


@contextmanager
def under_another_name(out_dir: Path, overwrite: bool) -> Iterator[Path]:
    """Yield a directory beside `out_dir` that takes its name at the end, or is removed.

    overwrite: a checkpoint that has the name already goes, once the new one has it.
    Raises ConversionError.
    """
    place = Path(os.path.realpath(out_dir))
    partial = place.with_name(f".{place.name}.partial-{os.getpid()}")
    with _typed(out_dir), _made(place.parent):
        partial.mkdir()
        try:
            yield partial
            if overwrite and place.exists():
                _require_checkpoint(place)  # something may have been put there meanwhile
                _replace(place, partial)
            else:
                partial.rename(place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _typed(out_dir: Path) -> Iterator[None]:
    """Turn what the system refuses into ConversionError."""
    try:
        yield
    except OSError as error:
        where = f": {error.filename}" if error.filename else ""
        got = f"{error.strerror or error}{where}"
        raise ConversionError(out_dir, None, "a place to write a checkpoint", got) from error


@contextmanager
def _made(directory: Path) -> Iterator[None]:
    """Make `directory`, and remove what was made for it where the work fails."""
    missing = [each for each in (directory, *directory.parents) if not each.exists()]
    try:
        directory.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:  # Ctrl-C too
        with suppress(OSError):  # not made at all, or in use meanwhile
            for each in missing:
                each.rmdir()
        raise


def _replace(place: Path, partial: Path) -> None:
    """Give `partial` the name of the directory `place`, which is put back where that fails."""
    replaced = place.with_name(f".{place.name}.replaced-{os.getpid()}")
    try:
        place.rename(replaced)
        partial.rename(place)
    finally:  # Ctrl-C may come at any line
        if not partial.exists():
            shutil.rmtree(replaced, ignore_errors=True)
        elif replaced.exists():
            replaced.rename(place)


def _require_checkpoint(directory: Path) -> None:
    """Raise ConversionError where `directory` is no checkpoint, or holds anything else besides."""
    if not directory.is_dir():
        raise ConversionError(directory, None, "a checkpoint to overwrite", "no directory")
    entries = sorted(directory.iterdir())
    strangers = [entry.name for entry in entries if not _is_replaceable(entry)]
    if strangers:
        wanted = "only weights, configuration, tokenizer and model card to overwrite"
        got = f"{', '.join(strangers[:8])} too: move that away, or give another directory"
        raise ConversionError(directory, None, wanted, got)
    names = [entry.name for entry in entries]
    has_config = any(name in names for name in CONFIG_FILES)
    if not has_config or not any(_fits(name, _WEIGHTS) for name in names):
        got = "no configuration with weights: remove it, or give another directory"
        raise ConversionError(directory, None, "a checkpoint to overwrite", got)


def _is_replaceable(entry: Path) -> bool:
    if entry.name == ".cache" and entry.is_dir():
        is_hubs = [inner.name for inner in entry.iterdir()] == ["huggingface"]
        return is_hubs and all(note.name in _HUB_NOTES for note in entry.glob("huggingface/*"))
    return entry.is_file() and _fits(entry.name, _REPLACEABLE)


def _fits(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
