"""Where a conversion goes: nothing but a checkpoint is replaced, and never for nothing."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.random_checkpoint import PARAMS, write_json, write_mistral
from voxwire.model.checkpoint import convert as convert_module
from voxwire.model.checkpoint.convert import Target, convert
from voxwire.model.errors import ConversionError

TINY = PARAMS["tiny"]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


WRITTEN = ["consolidated.safetensors", "params.json", "tekken.json"]


def test_a_checkpoint_is_replaced_only_when_told(tmp_path: Path) -> None:
    source = write_mistral(tmp_path / "in", TINY)
    out = write_mistral(tmp_path / "out", TINY, seed=1)
    for name in ("README.md", ".gitattributes", "model.safetensors.index.json"):
        (out / name).write_text("of the hub")
    (out / ".cache" / "huggingface" / "download").mkdir(parents=True)
    (out / ".cache" / "huggingface" / "CACHEDIR.TAG").write_text("of the hub")
    with pytest.raises(ConversionError, match="expected a new directory"):
        convert(source, out, Target())
    convert(source, out, Target(), overwrite=True)
    assert names(out) == WRITTEN
    old, new = (load_file(path / "consolidated.safetensors") for path in (source, out))
    assert all(np.array_equal(new[name], array) for name, array in old.items())
    assert names(tmp_path) == ["in", "out"]


def test_a_link_is_followed_to_what_is_replaced(tmp_path: Path) -> None:
    source = write_mistral(tmp_path / "in", TINY)
    out = write_mistral(tmp_path / "out", TINY, seed=1)
    (tmp_path / "link").symlink_to(out)
    convert(source, tmp_path / "link", Target(), overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert names(out) == WRITTEN
    assert names(tmp_path) == ["in", "link", "out"]


@pytest.mark.parametrize(
    "stranger",
    [
        "thesis.txt",
        "lora.safetensors",
        "notes.json",
        "drafts/1.txt",
        ".cache/pip/1",
        ".cache/huggingface/hub/other-model",
    ],
)
def test_what_is_no_part_of_a_checkpoint_is_not_lost(tmp_path: Path, stranger: str) -> None:
    source = write_mistral(tmp_path / "in", TINY)
    out = write_mistral(tmp_path / "out", TINY)
    (out / stranger).parent.mkdir(parents=True, exist_ok=True)
    (out / stranger).write_text("five years' work")
    (out / "zebra.txt").write_text("six years' work")
    wanted = f"only weights, .* to overwrite, got {stranger.partition('/')[0]}, zebra.txt too: move"
    with pytest.raises(ConversionError, match=wanted):
        convert(source, out, Target(), overwrite=True)
    assert (out / stranger).read_text() == "five years' work"
    assert names(tmp_path) == ["in", "out"]


def test_a_configuration_alone_is_no_checkpoint(tmp_path: Path) -> None:
    source = write_mistral(tmp_path / "in", TINY)
    out = tmp_path / "out"
    out.mkdir()
    write_json(out / "config.json", {})
    with pytest.raises(ConversionError, match="got no configuration with weights"):
        convert(source, out, Target(), overwrite=True)
    with pytest.raises(ConversionError, match="expected a checkpoint to overwrite, got no direct"):
        convert(source, out / "config.json", Target(), overwrite=True)
    assert names(out) == ["config.json"]


def test_the_source_is_never_replaced(tmp_path: Path) -> None:
    out = write_mistral(tmp_path / "lib", TINY)
    inner = write_mistral(out / "orig", TINY)
    with pytest.raises(ConversionError, match="another directory than the source"):
        convert(out, out, Target(), overwrite=True)
    with pytest.raises(ConversionError, match=r"a directory without the source, got .*orig"):
        convert(inner, out, Target(), overwrite=True)
    assert names(inner) == WRITTEN


def test_a_source_of_links_is_never_replaced(tmp_path: Path) -> None:
    out = write_mistral(tmp_path / "lib", TINY)
    links = tmp_path / "links"
    links.mkdir()
    for file in out.iterdir():
        (links / file.name).symlink_to(file)
    with pytest.raises(ConversionError, match="a directory without the source"):
        convert(links, out, Target(), overwrite=True)
    assert names(out) == WRITTEN


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (PermissionError(13, "not allowed"), ConversionError),
    ],
)
def test_the_old_one_comes_back_where_the_new_one_gets_no_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    raised: type[BaseException],
) -> None:
    source = write_mistral(tmp_path / "in", TINY)
    out = write_mistral(tmp_path / "out", TINY, seed=1)
    before = (out / "consolidated.safetensors").read_bytes()
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if ".partial-" in self.name:
            raise failure
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(raised):
        convert(source, out, Target(), overwrite=True)
    assert names(tmp_path) == ["in", "out"]
    assert (out / "consolidated.safetensors").read_bytes() == before


def test_what_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    source = write_mistral(tmp_path / "in", TINY)
    out = tmp_path / "out"

    def put(*_: object) -> None:
        out.mkdir(exist_ok=True)
        (out / "thesis.txt").write_text("five years' work")

    for overwrite in (False, True):
        shutil.rmtree(out, ignore_errors=True)
        with pytest.raises(ConversionError):
            convert(source, out, Target(), overwrite=overwrite, progress=put)
        assert names(out) == ["thesis.txt"]
        assert names(tmp_path) == ["in", "out"]


@pytest.mark.parametrize(
    ("out", "got"),
    [
        ("file/out", "File exists: .*/file"),
        ("file/deep/out", "Not a directory"),
        ("new/" + "x" * 250, "File name too long"),
    ],
)
def test_a_place_that_cannot_be_made_is_refused_in_words(
    tmp_path: Path, out: str, got: str
) -> None:
    source = write_mistral(tmp_path / "in", TINY)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConversionError, match=f"expected a place to write a checkpoint, got {got}"):
        convert(source, tmp_path / out, Target())
    assert names(tmp_path) == ["file", "in"]


def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_mistral(tmp_path / "in", TINY)

    def fill(file: Path, *_: object) -> None:
        file.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(convert_module, "write_safetensors", fill)
    with pytest.raises(ConversionError, match="a checkpoint, got No space left on device"):
        convert(source, tmp_path / "new" / "out", Target())
    assert names(tmp_path) == ["in"]


def test_a_disk_too_small_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_mistral(tmp_path / "in", TINY)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1))
    with pytest.raises(ConversionError, match="bytes of free disk, got 1"):
        convert(source, tmp_path / "new" / "out", Target())
    assert names(tmp_path) == ["in"]
