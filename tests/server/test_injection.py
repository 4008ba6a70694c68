"""What a client writes into names, paths and headers stays data: in answers, in logs, on disk."""

from __future__ import annotations

import logging
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.doors.test_every_path import all_paths
from tests.server.live_server import LiveServer, live_server
from tests.server.uploads.rest import DIGITS, PATH, form, head, offline_digits, wait_until
from voxwire.model.checkpoint import hub, load
from voxwire.protocol.errors import NotFoundError, UnauthorizedError
from voxwire.protocol.openai_rest.errors import error_headers
from voxwire.server.logs import LineFormatter

TIMEOUT_S = 60.0
HOSTILE = [
    "../../../../tmp/voxwire-injected",
    "/tmp/voxwire-injected",
    "a\\..\\b.wav",
    "a\tb",
    "é\N{GRINNING FACE}.wav",
    "x" * 5000,
    "%0d%0aX-Injected: 1",
    "$(touch /tmp/voxwire-injected)",
    "-y",
    "concat:/etc/passwd|",
    "https://evil.example/a.wav",
]
INJECTED = Path("/tmp/voxwire-injected")


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server() as it:
        yield it


@pytest.fixture
def client(server: LiveServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.http, timeout=TIMEOUT_S) as it:
        yield it


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What the server logs in the meantime, in the greatest detail, as it would be written."""
    written: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    keep, logger = Keep(logging.DEBUG), logging.getLogger("voxwire")
    keep.setFormatter(LineFormatter())
    level = logger.level
    logger.addHandler(keep)
    logger.setLevel(logging.DEBUG)
    yield written
    logger.removeHandler(keep)
    logger.setLevel(level)


class Opened:
    """Which files under a folder this process opens or lists; a hook of Python's own sees it."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self._folder: str | None = None
        sys.addaudithook(self._hear)  # for good; it does nothing outside `under`

    @contextmanager
    def under(self, folder: str) -> Iterator[None]:
        self._folder = folder
        yield
        self._folder = None

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._folder is None or event not in ("open", "os.listdir", "os.scandir"):
            return
        if str(arguments[0]).startswith(self._folder):
            self.paths.append(str(arguments[0]))


def asked(server: LiveServer, request: bytes) -> bytes:
    """Send raw bytes; return the raw answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as client:
        client.sendall(request)
        answer = b""
        while data := client.recv(65536):
            answer += data
    return answer


def header_names(answer: bytes) -> set[bytes]:
    top = answer.partition(b"\r\n\r\n")[0]
    return {line.partition(b":")[0].strip().lower() for line in top.splitlines()[1:]}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_files_name_is_never_a_path_nor_a_line(
    server: LiveServer, lines: list[str], name: str
) -> None:
    answer = httpx2.post(
        server.http + PATH,
        files={"file": (name, DIGITS.read_bytes(), name[:50])},
        timeout=TIMEOUT_S,
    )
    if len(name) > 1000:
        assert answer.json()["error"]["code"] == "invalid_request"
    else:
        assert answer.json()["text"] == offline_digits().text
    assert not INJECTED.exists()
    assert "x-injected" not in answer.headers
    wait_until(lambda: bool(lines))
    assert not any(name[:12] in line or len(line.splitlines()) > 1 for line in lines)


@pytest.mark.parametrize(
    "name", ["a\rX-Injected: 1", "a\nX-Injected: 1", "é", "\N{SNOWMAN}", "a, b", "\0", '"', "=;"]
)
def test_a_fields_name_is_never_a_header(server: LiveServer, name: str) -> None:
    body = form(DIGITS.read_bytes(), **{name: "1"})
    request = head(body).replace(b"Host:", b"Connection: close\r\nHost:", 1) + body
    answer = asked(server, request)
    assert answer.split(b" ", 2)[1] in (b"200", b"400"), answer[:300]
    assert b"x-injected" not in header_names(answer)
    assert name.encode() not in answer.partition(b"\r\n\r\n")[0]


@pytest.mark.parametrize("value", ["a%0d%0aX-Injected%3A%201", "%00", "%E2%80%A8%7f%1b[2J"])
def test_an_address_is_never_a_line_of_the_log_nor_a_header(
    server: LiveServer, client: httpx2.Client, lines: list[str], value: str
) -> None:
    for path in all_paths(server):
        filled = re.sub(r"\{\w+\}", value, path)
        for each in (filled, f"{filled}/", f"{filled}?x={value}", f"{filled}/{value}"):
            answer = client.get(each)
            assert answer.status_code < 500, each
            assert "x-injected" not in answer.headers
            assert re.fullmatch(r"[ -~]*", "".join(answer.headers.values())), each
    wait_until(lambda: len(lines) > 20)
    for line in lines:
        assert len(line.splitlines()) == 1
        assert line.isprintable()
        assert not line.startswith("X-Injected")


def test_a_redirect_leads_nowhere_else(server: LiveServer) -> None:
    for path in ("/v1/models/", "//evil.example/", "/\\evil.example/", "/healthz/", "//v1/models"):
        answer = httpx2.get(server.http + path, follow_redirects=False)
        location = answer.headers.get("location", server.http)
        assert location.startswith((server.http, "/v1/")), (path, location)


def test_a_header_with_a_line_in_it_is_no_request(server: LiveServer) -> None:
    twice = b"Host: 127.0.0.1\r\nHost: b"
    for line in (b"X-A: a\rX-Injected: 1", b"X-A: a\0b", b"X-A\n: a", twice):
        request = b"GET /v1/models HTTP/1.1\r\nConnection: close\r\n" + line + b"\r\n\r\n"
        answer = asked(server, request)
        assert answer.split(b" ", 2)[1] in (b"400", b"403"), answer[:100]
        assert b"x-injected" not in header_names(answer)


@given(st.text(min_size=1, max_size=300), st.floats(0, 1e9))
@settings(deadline=None)
def test_no_message_of_an_error_becomes_a_header(text: str, retry_after_s: float) -> None:
    for error in (NotFoundError(text), UnauthorizedError(text, retry_after_s)):
        for value in error_headers(error).values():
            assert re.fullmatch(r"[A-Za-z0-9]+", value)


def test_no_route_loads_a_model_whatever_it_is_asked_for(
    server: LiveServer, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint is chosen where the server is started, and by nobody else."""
    loaded: list[str] = []
    monkeypatch.setattr(hub, "resolve_model", lambda *_: loaded.append("resolve"))
    monkeypatch.setattr(load, "load_checkpoint", lambda *_: loaded.append("load"))
    opened = Opened()
    wanted = str(hub.EMBEDDED / "demo")  # a folder that only a loader would look into
    with opened.under(wanted):
        for model in (wanted, "../" * 9 + wanted.lstrip("/"), f"file://{wanted}", "evil/model"):
            query = f"?model={quote(model)}&model_id={quote(model)}"
            for path, is_socket in all_paths(server).items():
                filled = re.sub(r"\{\w+\}", quote(model, safe=""), path)
                if is_socket:
                    handshake(server, filled + query)
                    continue
                for method in ("GET", "POST", "PUT"):
                    answer = client.request(method, filled + query, json={"model": model})
                    assert answer.status_code < 500, (method, filled)
            fields = {"model": model}
            files = {"file": ("a", DIGITS.read_bytes())}
            answer = client.post(PATH, files=files, data=fields)
            assert answer.status_code < 500
    assert loaded == []
    assert opened.paths == []
    listed = httpx2.get(f"{server.http}/v1/models").json()["data"]
    assert [each["id"] for each in listed][:1] == ["embedded"]


def handshake(server: LiveServer, path: str) -> None:
    request = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_S) as client:
        client.sendall(request.encode())
        status = int(client.recv(65536).split(b" ", 2)[1])
        assert status < 500, (path, status)
