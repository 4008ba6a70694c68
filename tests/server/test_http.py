"""Whoever stays without a word, or takes nothing of what is told, costs nothing for long."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.live_server import LiveServer, live_server
from voxwire.server import http, wyoming

TIMEOUT_S = 60.0
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = (
    "GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
).encode()
PING = b"\x89\xfd" + bytes(4) + bytes(125)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveServer]:
    """A server without patience."""
    monkeypatch.setattr(http, "HEAD_S", 0.2)
    monkeypatch.setattr(http, "TAKES_NOTHING_S", 0.3)
    monkeypatch.setattr(wyoming, "SEND_TIMEOUT_S", 0.3)
    with live_server() as started:
        yield started


def connect(port: int) -> socket.socket:
    """Return a connection that holds little of what comes."""
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.settimeout(TIMEOUT_S)
    opened.connect(("127.0.0.1", port))
    return opened


def rest(opened: socket.socket) -> bytes:
    """Return all that comes until the server closes the connection."""
    return b"".join(iter(lambda: opened.recv(65536), b""))


def error_of(answer: bytes) -> tuple[str, dict[str, Any]]:
    head, _, body = answer.decode().partition("\r\n\r\n")
    error: dict[str, Any] = json.loads(body)["error"]
    return head.partition("\r\n")[0], error


def is_cut(opened: socket.socket, send: Callable[[], object]) -> bool:
    """Send until the connection is broken off, but not for ever."""
    until_s = time.monotonic() + TIMEOUT_S
    opened.settimeout(0.05)
    while time.monotonic() < until_s:
        try:
            send()
        except TimeoutError:
            continue
        except OSError:
            return True
    return False


@pytest.mark.parametrize("begun", [b"", b"GET /v1/mod", b"GET /healthz HTTP/1.1\r\nHost: 127."])
def test_a_head_that_does_not_come_is_not_waited_for(server: LiveServer, begun: bytes) -> None:
    with connect(server.port) as slow:
        slow.sendall(begun)
        status, error = error_of(rest(slow))
    assert status.startswith("HTTP/1.1 408")
    assert error["code"] == "stalled"


def test_a_second_head_is_not_waited_for_either(server: LiveServer) -> None:
    with connect(server.port) as slow:
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answer = b""
        while not answer.endswith(b"}"):
            answer += slow.recv(65536)
        slow.sendall(b"GET /heal")
        assert rest(slow).startswith(b"HTTP/1.1 408")


def test_what_is_no_http_is_refused_as_all_else_is(server: LiveServer) -> None:
    with connect(server.port) as wild:
        wild.sendall(b"\x00\x01\x02 what\r\n\r\n")
        status, error = error_of(rest(wild))
    assert status.startswith("HTTP/1.1 400")
    assert error["code"] == "invalid_request"


def test_who_asks_and_takes_no_answer_is_cut(server: LiveServer) -> None:
    request = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 50
    with connect(server.port) as mute:
        assert is_cut(mute, lambda: mute.sendall(request))


def test_pings_of_who_takes_no_pongs_are_not_answered_for_ever(server: LiveServer) -> None:
    with connect(server.port) as mute:
        mute.sendall(UPGRADE)
        mute.recv(1000)
        assert is_cut(mute, lambda: mute.sendall(PING * 500))


def test_one_connection_too_many_is_told_so_and_the_next_is_served(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "most_connections", lambda: 2)
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with connect(server.port) as first, connect(server.port) as second:
        for opened in (first, second):
            opened.sendall(UPGRADE)
            assert opened.recv(1000).startswith(b"HTTP/1.1 101")
        for said in (request, UPGRADE):
            with connect(server.port) as third:
                third.sendall(said)
                status, error = error_of(rest(third))
            assert status.startswith("HTTP/1.1 503")
            assert error["code"] == "at_capacity"
        first.sendall(b"\x88\x82" + bytes(4) + b"\x03\xe8")
        rest(first)
        with connect(server.port) as third:
            third.sendall(request)
            assert rest(third).startswith(b"HTTP/1.1 200")


def test_a_websocket_where_there_is_none_is_refused_in_our_words(server: LiveServer) -> None:
    with connect(server.port) as lost:
        lost.sendall(UPGRADE.replace(b"/v1/stream", b"/v1/nothing"))
        status, error = error_of(rest(lost))
    assert status.startswith("HTTP/1.1 404")
    assert error["code"] == "not_found"


def test_a_refusal_is_no_error_of_the_server(server: LiveServer) -> None:
    logged: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = logged.append  # type: ignore[method-assign,assignment]
    log = logging.getLogger("uvicorn.error")
    log.addHandler(handler)
    try:
        with connect(server.port) as refused:
            refused.sendall(UPGRADE.replace(b"/v1/stream", b"/v1/stream?sample_rate=0"))
            assert rest(refused).startswith(b"HTTP/1.1 400")
        with connect(server.port) as served:
            served.sendall(UPGRADE)
            assert served.recv(1000).startswith(b"HTTP/1.1 101")
    finally:
        log.removeHandler(handler)
    assert not [record.getMessage() for record in logged if record.levelno >= logging.ERROR]


def test_a_message_in_too_many_fragments_is_too_large(server: LiveServer) -> None:
    first, empty = b"\x01\x80" + bytes(4), b"\x00\x80" + bytes(4)
    with connect(server.port) as opened:
        opened.sendall(UPGRADE)
        opened.recv(65536)
        opened.sendall(first + empty * (http.MAX_FRAGMENTS + 1))
        assert rest(opened).endswith(b"\x03\xf1too many fragments")  # 1009


def test_no_more_messages_are_held_than_a_piece_has(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames of a byte cost the server a hundred times what they cost who sends them."""
    monkeypatch.setattr(http, "PIECE_BYTES", 500)
    most = 0
    receive = http.WebSockets.receive

    async def watched(self: http.WebSockets) -> Any:
        nonlocal most
        most = max(most, self.queue.qsize())
        return await receive(self)

    monkeypatch.setattr(http.WebSockets, "receive", watched)
    n_frames = 20_000
    frame, end = b"\x82\x81" + bytes(5), b"\x81\x8f" + bytes(4) + b'{"type": "end"}'
    with connect(server.port) as opened:
        opened.sendall(UPGRADE)
        assert opened.recv(1 << 12).startswith(b"HTTP/1.1 101")
        opened.sendall(frame * n_frames + end)
        answer = rest(opened)
    assert f'"audio_s":{n_frames / 2 / 16000}'.encode() in answer.replace(b" ", b"")
    assert 1 < most <= 500 // 7 + 1


def test_wyomings_clients_must_take_what_they_ask_for(server: LiveServer) -> None:
    with connect(server.wyoming_port) as mute:
        assert is_cut(mute, lambda: mute.sendall(b'{"type": "describe"}\n' * 200))


def test_no_connection_is_left(server: LiveServer) -> None:
    def n_open() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")
    before = n_open()
    for _ in range(20):
        with connect(server.port) as slow:
            slow.sendall(b"GET / HT")
    until_s = time.monotonic() + TIMEOUT_S
    while n_open() > before:
        assert time.monotonic() < until_s
        time.sleep(0.01)
