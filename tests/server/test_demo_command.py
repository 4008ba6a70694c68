"""The demo measures on the clock it paces by, and shows what it measured."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer import Typer
from typer.testing import CliRunner, Result

from tests.server.fake_clock import FakeClock
from tests.server.media_files import chirp, write_audio
from voxwire.model.mel import Floats
from voxwire.model.text import Delta, Word
from voxwire.server.cli.demo import Run, demo_command, growing_text, listen, summary, word_table
from voxwire.server.live import LiveTranscriber
from voxwire.server.media import Media

app = Typer(pretty_exceptions_enable=False)
app.command()(demo_command)

LATER = Word("late", 1.0, 1.2, 15, True)


def demo(checkpoint: Path, *args: object) -> Result:
    return CliRunner().invoke(app, ["--model", str(checkpoint), *map(str, args)])


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("demo") / "tone.wav"
    return write_audio(file, [chirp(16000, 1.2)], 16000, "pcm_s16le")


class Scripted(LiveTranscriber):
    """Writes one token per 80 ms, a word with token 10, and takes 30 ms of the clock for each."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.n_samples = 0
        self.n_tokens = 0

    def feed(self, samples: Floats) -> list[Delta]:
        self.n_samples += len(samples)
        n_due = self.n_samples // 1280 - self.n_tokens
        return [self._next() for _ in range(n_due)]

    def finish(self) -> list[Delta]:
        return [Delta(" late"), Delta("", (LATER,))]

    def _next(self) -> Delta:
        self.clock.time_s += 0.03
        self.n_tokens += 1
        if self.n_tokens == 12:
            return Delta("", (Word("seven", 0.4, 0.8, 10, False),))
        return Delta("seven" if self.n_tokens == 11 else "")


def scripted_run(recording: Path, *, fast: bool = False) -> Run:
    clock, run = FakeClock(50.0), Run()
    with Media(recording) as media:
        listen(media, Scripted(clock), clock, run, fast=fast)
    return run


def test_latency_is_from_the_end_of_the_word_to_its_first_text(recording: Path) -> None:
    run = scripted_run(recording)
    assert run.audio_s == 1.2
    assert run.text == "seven late"
    # Token 10 is complete with the audio of 11 * 80 ms, and takes 30 ms.
    assert run.word_written_s(run.words[0]) == pytest.approx(0.91)
    assert run.latencies_s() == pytest.approx([0.11])  # the word after the end is not counted
    assert run.computing_s == pytest.approx(15 * 0.03)


def test_fast_does_not_wait(recording: Path) -> None:
    assert scripted_run(recording, fast=True).word_written_s(LATER) == pytest.approx(15 * 0.03)


def test_the_table_marks_words_that_came_after_the_end(recording: Path) -> None:
    console = Console(file=io.StringIO(), width=100, record=True)
    run = scripted_run(recording)
    console.print(word_table(run, paced=True), summary(run, 480, paced=True))
    shown = console.export_text()
    first, second = (line for line in shown.splitlines() if line.startswith("│"))
    assert first.replace("│", " ").split() == "seven 0.40 s 0.80 s 0.91 s 0.11 s".split()
    assert "after the end" in second
    assert "real-time factor 0.375" in shown
    assert "median 0.11 s, at most 0.11 s over 1 words" in " ".join(shown.split())


def test_on_a_terminal_the_text_grows_in_place(recording: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100)
    clock, run = FakeClock(), Run()
    with Media(recording) as media, growing_text(console, media, run) as show:
        listen(media, Scripted(clock), clock, run, show=show)
    panels = out.getvalue().split("tone.wav")[1:]
    assert any("seven" in panel and "late" not in panel for panel in panels)
    assert "seven late" in panels[-1]
    assert "1.2 of 1.2 s spoken" in panels[-1]


def test_it_runs_by_the_wall_clock(checkpoint: Path, recording: Path) -> None:
    result = demo(checkpoint, recording, "--delay", 80)
    assert result.exit_code == 0
    times_s = [float(time_s) for time_s in re.findall(r"^ *([\d.]+) s  ", result.stdout, re.M)]
    assert times_s == sorted(times_s)
    assert times_s[0] >= 2 * 0.08
    assert "late by" in result.stdout
    assert "real-time factor" in result.stdout


def test_fast_shows_no_latency(checkpoint: Path, recording: Path) -> None:
    result = demo(checkpoint, recording, "--fast")
    assert result.exit_code == 0
    assert "late by" not in result.stdout
    assert "real-time factor" in result.stdout


def test_a_missing_recording_is_one_line(checkpoint: Path, tmp_path: Path) -> None:
    result = demo(checkpoint, tmp_path / "none.wav")
    assert result.exit_code == 1
    assert "none.wav: expected a readable file" in result.stderr


def test_text_cannot_steer_the_terminal() -> None:
    run = Run()
    run.add([Delta("\x1b[2J", (Word("\x1b[2J", 0.0, 0.0, 0, False),))], 0.1)
    console = Console(file=io.StringIO(), width=100, record=True)
    console.print(word_table(run, paced=False))
    assert "\x1b" not in console.export_text()
