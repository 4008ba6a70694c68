"""`voxwire convert` writes what it says, and says what it wrote."""

from __future__ import annotations

from pathlib import Path

import typer
from typer.testing import CliRunner, Result

from tests.other_layouts import write_hf
from tests.random_checkpoint import PARAMS, write_mistral
from voxwire.model.checkpoint.load import load_checkpoint
from voxwire.model.checkpoint.quantised import Quantisation
from voxwire.model.errors import ConversionError
from voxwire.server.cli.convert import convert_command

app = typer.Typer()
app.command()(convert_command)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_hugging_face_becomes_mistral(tmp_path: Path) -> None:
    source = write_hf(tmp_path / "in", PARAMS["tiny"])
    result = run(source, tmp_path / "out")
    assert result.exit_code == 0
    assert load_checkpoint(tmp_path / "out").layout == "mistral"
    n_tensors = len(load_checkpoint(source).weights)
    assert f"{tmp_path / 'out'}: {n_tensors} tensors" in result.output
    assert f"verified: {n_tensors} tensors equal to the source bit for bit" in result.output


def test_what_is_rounded_is_not_called_equal(tmp_path: Path) -> None:
    result = run(
        write_mistral(tmp_path / "in", PARAMS["tiny"]), tmp_path / "out", "--dtype", "float16"
    )
    assert result.exit_code == 0
    assert "equal to the source as float16 rounds it" in result.output
    assert "bit for bit" not in result.output


def test_what_is_unpacked_is_not_called_equal(tmp_path: Path) -> None:
    source = write_mistral(tmp_path / "in", PARAMS["grouped"], dtype="BF16")
    assert run(source, tmp_path / "packed", "--bits", "4").exit_code == 0
    result = run(tmp_path / "packed", tmp_path / "out")
    assert "verified: 35 tensors equal to the source as their number format rounds" in result.output
    n_plain = len(load_checkpoint(source).weights) - 35
    assert f"verified: {n_plain} tensors equal to the source bit for bit" in result.output


def test_a_group_size_without_bits_is_refused(tmp_path: Path) -> None:
    result = run(tmp_path / "in", tmp_path / "out", "--group-size", "32")
    assert result.exit_code == 2
    assert "--group-size needs --bits" in result.output


def test_a_group_size_of_nothing_is_no_default(tmp_path: Path) -> None:
    source = write_mistral(tmp_path / "in", PARAMS["tiny"])
    result = run(source, tmp_path / "out", "--bits", "4", "--group-size", "0")
    assert isinstance(result.exception, ConversionError)
    assert "group size among (32, 64, 128), got 4 and 0" in str(result.exception)


def test_matrices_that_stay_plain_are_counted(tmp_path: Path) -> None:
    result = run("embedded", tmp_path / "out", "--bits", "4", "--group-size", "128")
    assert result.exit_code == 0
    weights = load_checkpoint(tmp_path / "out").weights
    packed = {name.removesuffix("scales") for name in weights if name.endswith("scales")}
    plain = [name for name, array in weights.items() if array.ndim == 2 and name[-6:] == "weight"]
    n_plain = len(plain) - len(packed)
    assert n_plain > 50
    assert f"left plain: {n_plain} matrices" in result.output


def test_bits_make_a_quantised_mlx_checkpoint(tmp_path: Path) -> None:
    source = write_mistral(tmp_path / "in", PARAMS["grouped"])
    result = run(
        source, tmp_path / "out", "--bits", "4", "--group-size", "32", "--dtype", "float16"
    )
    assert result.exit_code == 0
    written = load_checkpoint(tmp_path / "out")
    assert written.layout == "voxmlx"
    assert set(written.quantised.values()) == {Quantisation(4, 32)}
    assert "verified: 35 quantised matrices off by at most" in result.output


def test_an_existing_directory_needs_overwrite(tmp_path: Path) -> None:
    source = write_mistral(tmp_path / "in", PARAMS["tiny"])
    out = write_mistral(tmp_path / "out", PARAMS["tiny"], seed=1)
    result = run(source, out)
    assert isinstance(result.exception, ConversionError)
    assert "--overwrite" in str(result.exception)
    assert run(source, out, "--overwrite").exit_code == 0


def test_help_says_in_what_numbers_voxwire_computes_whatever_is_stored() -> None:
    text = " ".join(run("--help").output.split())
    assert "computes in bfloat16 on a GPU and in float32 on a CPU" in text
    assert "M1" not in text


def test_a_place_below_a_file_ends_in_one_line(tmp_path: Path) -> None:
    source = write_mistral(tmp_path / "in", PARAMS["tiny"])
    (tmp_path / "file").write_text("")
    result = run(source, tmp_path / "file" / "out")
    assert isinstance(result.exception, ConversionError)
    assert "expected a place to write a checkpoint, got File exists" in str(result.exception)
