"""`voxwire listen` prints finals, and grows the open segment on a terminal."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from tests.clients.python.recordings import RECORDING, SPOKEN
from tests.proxy import Fault, Kind, proxy_in_a_thread
from tests.server.live_server import LiveServer, live_server
from voxwire.clients.python import Continued, Gap, Heard, Reconnected, Reconnecting
from voxwire.clients.python.listen import show
from voxwire.protocol.native.messages import Final, Partial, Warned
from voxwire.protocol.session import CloseReason
from voxwire.server.cli.main import app

KEY = "correct-horse-battery"


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(api_keys=(KEY,)) as started:
        yield started


def listen(*arguments: object, key: str = KEY) -> Result:
    return CliRunner().invoke(app, ["listen", *map(str, arguments)], env={"VOXWIRE_KEY": key})


def test_a_file_is_printed_segment_by_segment(server: LiveServer) -> None:
    run = listen(RECORDING, "--fast", "-u", server.ws)
    assert (run.exit_code, run.stderr) == (0, "")
    assert " ".join(run.stdout.split("\n")).strip() == SPOKEN


def test_only_commits_close_segments_where_nothing_else_may(server: LiveServer) -> None:
    run = listen(RECORDING, "--fast", "-u", server.http, "--endpoint", "none", "--delay", "960")
    assert run.stdout == f"{SPOKEN}\n"


@pytest.mark.parametrize(
    ("arguments", "key", "told"),
    [
        ((RECORDING,), "wrong-wrong-wrong", "one of this server's keys"),
        (("no-such-file.wav",), KEY, "no-such-file.wav: No such file or directory"),
        ((__file__,), KEY, "Invalid data"),
    ],
)
def test_what_is_wrong_is_one_line_and_a_status(
    server: LiveServer, arguments: tuple[object, ...], key: str, told: str
) -> None:
    run = listen(*arguments, "-u", server.ws, key=key)
    assert run.exit_code == 1
    assert run.stdout == ""
    assert told in " ".join(run.stderr.split())


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [("--delay", "100", "expected 80 to 1200 ms"), ("--silence", "1", "silence_ms")],
)
def test_a_wrong_option_is_told_before_anybody_is_called(
    option: str, value: str, told: str
) -> None:
    run = listen(RECORDING, option, value)
    assert run.exit_code == 2
    assert told in " ".join(run.stderr.split())
    assert "pydantic" not in run.stderr


@pytest.mark.parametrize(
    "url", ["foo://h", "http://", "ws://:8000", "ws://h:99999", "ws://h:x", "ws://[::1", ""]
)
def test_what_is_no_servers_address_is_told_at_the_option(url: str) -> None:
    run = listen(RECORDING, "-u", url)
    assert run.exit_code == 2
    told = " ".join(run.stderr.replace("\u2502", " ").split())
    assert "Invalid value for --url: expected http, https, ws or wss and a host" in told
    assert f"got {url}".strip() in told


def test_a_server_that_is_not_there_is_named() -> None:
    run = listen(RECORDING, "-u", "ws://127.0.0.1:9", key=KEY)
    assert run.exit_code == 1
    assert run.stderr.split() == "no server answers at ws://127.0.0.1:9/v1/stream".split()


def test_ctrl_c_ends_it_with_the_last_words(server: LiveServer) -> None:
    command = [sys.executable, "-m", "voxwire", "listen", str(RECORDING), "-u", server.ws]
    with subprocess.Popen(
        [*command, "--silence", "240"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "VOXWIRE_KEY": KEY, "PYTHONUNBUFFERED": "1"},
    ) as run:
        assert run.stdout
        first = run.stdout.readline()
        run.send_signal(signal.SIGINT)
        rest = run.stdout.read()
    assert run.returncode == 0
    heard = " ".join((first + rest).split())
    assert SPOKEN.startswith(heard)
    assert heard != SPOKEN


def test_ctrl_c_again_ends_the_wait_for_a_server_that_is_gone(server: LiveServer) -> None:
    ports = iter([server.port])
    nobody = 9
    cut = [Fault(Kind.RESET, 20_000)]
    with proxy_in_a_thread(lambda: next(ports, nobody), cut) as between:
        command = [sys.executable, "-m", "voxwire", "listen", str(RECORDING), "-u", between.url]
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, "VOXWIRE_KEY": KEY}
        ) as run:
            assert run.stderr
            assert "trying again" in run.stderr.readline()
            run.send_signal(signal.SIGINT)
            assert "trying again" in run.stderr.readline()
            run.send_signal(signal.SIGINT)
    assert run.returncode == 130


def final(text: str) -> Final:
    return Final(seq=2, segment=0, reason=CloseReason.END, text=text, words=(), start_s=0, end_s=1)


def shown(*messages: Heard, is_terminal: bool) -> tuple[str, str]:
    async def told() -> AsyncIterator[Heard]:
        for message in messages:
            yield message

    out, errors = io.StringIO(), io.StringIO()
    consoles = [
        Console(file=each, force_terminal=is_terminal, width=80, _environ={}, color_system=None)
        for each in (out, errors)
    ]
    asyncio.run(show(told(), *consoles))
    return out.getvalue(), errors.getvalue()


def test_a_pipe_gets_finals_and_nothing_else() -> None:
    partial = Partial(seq=1, segment=0, delta="a", text="a", at_s=0)
    warning = Warned(seq=3, code="x", message="mind this")
    long = "word " * 40
    assert shown(partial, final(long), warning, is_terminal=False) == (f"{long}\n", "mind this\n")


def test_a_terminal_shows_the_open_segment_and_no_control_characters() -> None:
    partial = Partial(seq=1, segment=0, delta="gro", text="gro\x1b[31m", at_s=0)
    out, _ = shown(partial, final("ev\x1b]0;il"), is_terminal=True)
    assert "ev\ufffd]0;il" in out
    assert "\x1b[31m" not in out


def test_how_the_connection_is_doing_is_told_beside_the_text() -> None:
    notices = (
        Reconnecting(1, 0.25, "the connection broke"),
        Reconnected(),
        Gap(1.0, 2.5, 3, "half a\x1b sentence"),
        Continued(2.5, "embedded"),
    )
    assert shown(*notices, is_terminal=False) == (
        "",
        "the connection broke; trying again in 0.2 s\n"
        "connected again; nothing is lost\n"
        "from 1.0 s to 2.5 s something may be missing; the last of it was: half a\ufffd sentence\n"
        "another session goes on from 2.5 s\n",
    )
