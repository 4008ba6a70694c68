"""`voxwire transcribe` on real files with a random model: what goes where, and what fails how."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import srt
import webvtt
from typer import Typer
from typer.testing import CliRunner, Result

from tests.server.media_files import chirp, write_audio
from voxwire.protocol.transcript import Transcript
from voxwire.server.cli.transcribe import transcribe_command
from voxwire.server.frames import Samples
from voxwire.server.media import Media, MediaError

app = Typer(pretty_exceptions_enable=False)
app.command()(transcribe_command)


def transcribe(checkpoint: Path, *args: object, stdin: bytes | None = None) -> Result:
    arguments = ["--model", str(checkpoint), *map(str, args)]
    return CliRunner().invoke(app, arguments, input=stdin)


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("recordings")
    first = write_audio(folder / "first.wav", [chirp(16000)], 16000, "pcm_s16le")
    second = write_audio(folder / "second.mp3", [chirp(44100)[::-1].copy()], 44100, "libmp3lame")
    return first, second


def test_text_goes_to_standard_output(checkpoint: Path, recordings: tuple[Path, Path]) -> None:
    result = transcribe(checkpoint, recordings[0])
    as_json = transcribe(checkpoint, recordings[0], "-f", "json")
    transcript = Transcript.model_validate_json(as_json.stdout)
    assert result.exit_code == 0
    assert transcript.text
    assert result.stdout.strip() == transcript.text.strip()
    assert result.stderr == ""


def test_json_says_what_was_asked(checkpoint: Path, recordings: tuple[Path, Path]) -> None:
    result = transcribe(checkpoint, recordings[0], "-f", "json", "--delay", 160)
    document = json.loads(result.stdout)
    assert document["duration_s"] == 2.0
    assert document["delay_ms"] == 160
    assert document["model"] == str(checkpoint)
    ends_s = [word["end_s"] for word in document["words"]]
    assert ends_s == sorted(ends_s)
    assert len(ends_s) > 1


def test_without_a_delay_the_models_own_is_used(
    checkpoint: Path, recordings: tuple[Path, Path]
) -> None:
    result = transcribe(checkpoint, recordings[0], "-f", "json")
    assert json.loads(result.stdout)["delay_ms"] == 480


def test_several_texts_are_headed_by_their_names(
    checkpoint: Path, recordings: tuple[Path, Path]
) -> None:
    result = transcribe(checkpoint, *recordings)
    heads = [line for line in result.stdout.splitlines() if line.startswith("==> ")]
    assert heads == [f"==> {file} <==" for file in recordings]


@pytest.mark.skipif(sys.platform == "darwin", reason="APFS takes no such name")
def test_a_name_that_is_no_text_costs_nobody_a_transcript(
    checkpoint: Path, recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"\xff\x1b[2J.wav")
    odd.write_bytes(recordings[0].read_bytes())
    result = transcribe(checkpoint, odd, recordings[1])
    assert result.exit_code == 0
    heads = [line for line in result.stdout.splitlines() if line.startswith("==> ")]
    assert heads == [f"==> {tmp_path}/\ufffd\ufffd[2J.wav <==", f"==> {recordings[1]} <=="]


def test_documents_go_to_the_output_folder(
    checkpoint: Path, recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "folder"
    for form in ("text", "json", "srt", "vtt"):
        result = transcribe(checkpoint, *recordings, "-f", form, "-o", folder)
        assert (result.exit_code, result.stdout) == (0, "")
    endings = ("json", "srt", "txt", "vtt")
    names = [f"{stem}.{ending}" for stem in ("first", "second") for ending in endings]
    assert sorted(file.name for file in folder.iterdir()) == names
    transcript = Transcript.model_validate_json((folder / "first.json").read_text())
    assert (folder / "first.txt").read_text() == f"{transcript.text}\n"
    assert list(srt.parse((folder / "first.srt").read_text()))
    assert webvtt.read(str(folder / "first.vtt")).captions


def test_one_bad_file_does_not_cost_the_others(
    checkpoint: Path, recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    broken, empty = tmp_path / "broken.wav", tmp_path / "empty.mp3"
    broken.write_bytes(b"no sound")
    empty.touch()
    bad = [broken, empty, tmp_path / "none.wav", "https://example.org/a.wav"]
    result = transcribe(checkpoint, *bad[:2], recordings[0], *bad[2:], "-o", tmp_path)
    assert result.exit_code == 1
    assert (tmp_path / "first.txt").read_text().strip()
    complaints = result.stderr.splitlines()
    assert len(complaints) == 4
    assert "broken.wav: expected an audio or video file" in complaints[0]
    assert "empty.mp3: expected an audio or video file, got an empty one" in complaints[1]
    assert "none.wav: expected a readable file" in complaints[2]
    assert "https://example.org/a.wav: expected a file, got an address: curl -s" in complaints[3]


def test_standard_input_is_a_file_too(checkpoint: Path, recordings: tuple[Path, Path]) -> None:
    from_file = transcribe(checkpoint, recordings[0])
    from_pipe = transcribe(checkpoint, "-", stdin=recordings[0].read_bytes())
    assert from_pipe.exit_code == 0
    assert from_pipe.stdout == from_file.stdout


def test_files_of_one_stem_keep_their_whole_names(
    checkpoint: Path, recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    twins = [tmp_path / "a.wav", tmp_path / "A.mp3"]
    for twin, recording in zip(twins, recordings, strict=True):
        twin.write_bytes(recording.read_bytes())
    out = tmp_path / "out"
    assert transcribe(checkpoint, *twins, "-o", out).exit_code == 0
    assert sorted(file.name for file in out.iterdir()) == ["A.mp3.txt", "a.wav.txt"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a.wav", "b.wav", "-f", "srt"], "need --output-dir"),
        (["x/a.wav", "y/a.wav", "-o", "."], "overwrite each other"),
        (["x/Talk.wav", "y/talk.wav", "-o", "."], "overwrite each other"),
        (["x/caf\u00e9.wav", "y/cafe\u0301.wav", "-o", "."], "overwrite each other"),
        (["a.wav", "-f", "mp3"], "mp3"),
        ([], "Missing argument"),
    ],
)
def test_what_cannot_work_is_said_before_the_model_is_loaded(
    arguments: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = transcribe(tmp_path / "no model", *arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr


@pytest.mark.parametrize("delay", [0, 100, 1280, -80])
def test_a_delay_the_model_does_not_know_is_refused(tmp_path: Path, delay: int) -> None:
    result = transcribe(tmp_path / "no model", "a.wav", "--delay", delay)
    assert "expected a delay of 80 to 1200 ms" in str(result.exception)


def test_what_is_said_of_a_file_that_breaks_off_begins_a_line(
    checkpoint: Path, recordings: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Media.blocks

    def breaks_off(media: Media, block_samples: int) -> Iterator[Samples]:
        yield from whole(media, block_samples)
        raise MediaError(media.name, "an undamaged file", "another")

    monkeypatch.setattr(Media, "blocks", breaks_off)
    result = transcribe(checkpoint, recordings[0])
    assert result.exit_code == 1
    assert result.stdout.endswith("\n")
    assert result.stderr.startswith("voxwire: ")


def test_a_file_in_the_way_of_the_output_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    result = transcribe(tmp_path / "no model", "a.wav", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "File exists" in " ".join(result.stderr.replace("│", " ").split())


def test_an_unwritable_output_is_reported(
    checkpoint: Path, recordings: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "first.txt").mkdir()
    result = transcribe(checkpoint, recordings[0], "-o", tmp_path)
    assert result.exit_code == 1
    assert "first.txt: Is a directory" in result.stderr


def test_help_teaches_by_examples(checkpoint: Path) -> None:
    text = transcribe(checkpoint, "--help").stdout
    assert "voxwire transcribe talk.mp4 -f srt" in text
    assert "voxwire transcribe -" in text
