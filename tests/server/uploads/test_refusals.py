"""Whatever is sent is answered by OpenAI's error object; whoever leaves is forgotten."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import Message

from tests.server.live_server import LiveServer, live_server
from tests.server.uploads.rest import (
    DIGITS,
    PATH,
    TIMEOUT_S,
    connect,
    error_of,
    events_of,
    form,
    head,
    long_recording,
    offline_digits,
    post,
    wait_until,
)
from voxwire.model.text import TextAssembler
from voxwire.protocol.errors import StalledError, TooLargeError
from voxwire.server.routes import transcriptions
from voxwire.server.uploads.receive import MeteredBody, ReceiveLimits


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "diarized_json"}, "response_format"),
        ({"delay_ms": "81"}, "delay_ms"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream": "true", "response_format": "vtt"}, "response_format"),
    ],
)
def test_a_wrong_field_is_named(client: httpx2.Client, fields: dict[str, Any], param: str) -> None:
    error = error_of(post(client, **fields), 400)
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("content", [b"", b"no recording " * 500], ids=["empty", "text"])
@pytest.mark.parametrize("stream", ["true", "false"])
def test_what_is_no_recording_is_refused_by_status_even_in_a_stream(
    client: httpx2.Client, content: bytes, stream: str
) -> None:
    error = error_of(post(client, content, stream=stream), 400)
    assert (error["param"], error["code"]) == ("file", "invalid_media")


def test_a_form_without_its_file_is_refused(client: httpx2.Client) -> None:
    empty = client.post(PATH, files={"other": b"x"}, data={"model": "whisper-1"})
    assert error_of(empty, 400)["param"] == "file"
    text = client.post(PATH, files={"other": b"x"}, data={"file": "text"})
    assert "got text" in error_of(text, 400)["message"]


@pytest.mark.parametrize("n_lost", [1, 5, 12, 60])
def test_a_body_that_ends_before_its_file_is_refused_and_leaves_no_file_open(
    client: httpx2.Client, n_lost: int
) -> None:
    body = form(bytes(100)).removesuffix(b"--b--\r\n")
    kind = {"content-type": "multipart/form-data; boundary=b"}
    cut_off = client.post(PATH, content=body[:-n_lost], headers=kind)
    assert "the body ends before it does" in error_of(cut_off, 400)["message"]


def test_other_bodies_are_refused(client: httpx2.Client) -> None:
    assert error_of(client.post(PATH, json={"file": "x"}), 415)["code"] == "wrong_content_type"
    assert error_of(client.post(PATH), 415)["message"].endswith("got nothing")
    by_address = client.post(PATH, data={"file_url": "https://example.com/a.wav"})
    assert "the recording itself" in error_of(by_address, 415)["message"]
    assert "fields of at most 64 KiB" in error_of(post(client, prompt="x" * 70_000), 400)["message"]
    unbounded = client.post(PATH, content=b"x", headers={"content-type": "multipart/form-data"})
    assert "boundary" in error_of(unbounded, 400)["message"]


def test_paths_and_methods_that_are_not_there(client: httpx2.Client) -> None:
    assert error_of(client.get("/v1/nothing"), 404)["code"] == "not_found"
    response = client.get(PATH)
    assert error_of(response, 405)["code"] == "method_not_allowed"
    assert response.headers["allow"] == "POST"
    assert error_of(client.post("/v1/audio/translations"), 400)["code"] == "unsupported"


def test_too_large_an_upload_is_refused_by_its_head(server: LiveServer) -> None:
    with connect(server) as socket:
        socket.sendall(head(b"", length=1 << 40))
        answer = socket.makefile("rb").read().decode()  # to the end: the connection is closed
    assert answer.startswith("HTTP/1.1 413")
    assert json.loads(answer.split("\r\n\r\n")[1])["error"]["code"] == "too_large"


def test_limits_hold_for_what_comes_whatever_the_head_says() -> None:
    with live_server(max_upload_bytes=100_000, max_upload_s=3) as small:
        client = httpx2.Client(base_url=small.http, timeout=TIMEOUT_S)
        with client:
            assert error_of(post(client), 413)["message"].startswith("file: expected at most 3 s")
            assert error_of(post(client, bytes(200_000)), 413)["param"] == "file"
            content = iter([form(bytes(100_000))] * 10)  # chunked: no length in the head
            kind = {"content-type": "multipart/form-data; boundary=b"}
            assert error_of(client.post(PATH, content=content, headers=kind), 413)
            wait_until(lambda: small.service.engine.n_open == 0)


@pytest.mark.parametrize("stream", ["true", "false"])
def test_who_leaves_is_forgotten(server: LiveServer, stream: str) -> None:
    engine = server.service.engine
    body = form(long_recording(), stream=stream)
    with connect(server) as socket:
        socket.sendall(head(body) + body)
        wait_until(lambda: engine.n_open == 1)
        if stream == "true":
            assert b"200 OK" in socket.recv(1000)
    wait_until(lambda: engine.n_open == 0)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_who_leaves_before_all_is_sent_is_forgotten(server: LiveServer, share: float) -> None:
    body = form(DIGITS.read_bytes())
    with connect(server) as socket:
        socket.sendall(head(body) + body[: int(share * len(body))])
        wait_until(lambda: server.service.engine.n_open == 1)
    wait_until(lambda: server.service.engine.n_open == 0)


def test_one_upload_too_many_waits_its_turn_and_then_is_told_when_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transcriptions, "QUEUE_PATIENCE_S", 0.3)
    with live_server(max_uploads=1) as narrow, connect(narrow) as socket:
        body = form(DIGITS.read_bytes())
        socket.sendall(head(body) + body[:-50])
        wait_until(lambda: narrow.service.engine.n_open == 1)
        with httpx2.Client(base_url=narrow.http, timeout=TIMEOUT_S) as client:
            refused = post(client)
            assert error_of(refused, 503)["code"] == "at_capacity"
            assert int(refused.headers["retry-after"]) >= 1
            socket.sendall(body[-50:])
            assert b"200 OK" in socket.recv(1000)
            assert post(client).json()["text"] == offline_digits().text


def test_who_leaves_while_waiting_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcriptions, "QUEUE_PATIENCE_S", 2 * TIMEOUT_S)
    with live_server(max_uploads=1) as narrow, connect(narrow) as first:
        body = form(DIGITS.read_bytes())
        first.sendall(head(body) + body[:-50])
        wait_until(lambda: narrow.service.engine.n_open == 1)
        with connect(narrow) as second:
            second.sendall(head(body) + body)
        with httpx2.Client(base_url=narrow.http, timeout=TIMEOUT_S) as client:
            ended = 'voxwire_uploads_total{outcome="cancelled"} 1.0'
            wait_until(lambda: ended in client.get("/metrics").text)
        assert narrow.service.engine.n_open == 1


def test_a_server_that_takes_no_uploads_says_so() -> None:
    with (
        live_server(max_uploads=0) as closed,
        httpx2.Client(base_url=closed.http, timeout=TIMEOUT_S) as client,
    ):
        assert error_of(post(client), 400)["code"] == "unsupported"


def test_a_server_that_goes_down_takes_no_uploads(
    server: LiveServer, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.service, "is_draining", True)
    assert error_of(post(client), 503)["code"] == "not_ready"


def test_a_server_that_goes_down_lets_an_upload_finish() -> None:
    with (
        live_server() as server,
        httpx2.Client(base_url=server.http, timeout=TIMEOUT_S) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(post, client, long_recording(), stream="true")
        wait_until(lambda: server.service.engine.n_open == 1)
        server.call(server.service.drain(TIMEOUT_S))
        assert server.service.engine.n_open == 0
        events, _ = events_of(answer.result(TIMEOUT_S).text)
    assert events[-1]["type"] == "transcript.text.done"


async def stop_engine(server: LiveServer) -> None:
    await server.service.engine.stop()


async def cancel_requests(server: LiveServer) -> None:
    """Do as the web server does when it waits no longer for those that are open."""
    for task in asyncio.all_tasks():
        if "run_asgi" in str(task.get_coro()):
            task.cancel()


@pytest.mark.parametrize("stop", [stop_engine, cancel_requests])
def test_a_server_that_stops_in_the_middle_of_a_stream_ends_it_with_an_error(
    stop: Callable[[LiveServer], Coroutine[Any, Any, None]],
) -> None:
    with (
        live_server() as server,
        httpx2.Client(base_url=server.http, timeout=TIMEOUT_S) as client,
        client.stream(
            "POST",
            PATH,
            files={"file": ("a", long_recording())},
            data={"stream": "true"},
        ) as answer,
    ):
        lines = answer.iter_text()
        received = next(lines)
        server.call(stop(server))
        received += "".join(lines)
    events, _ = events_of(received)
    assert events[-1]["error"]["code"] == "shutdown"
    assert set(events[-1]["error"]) == {"message", "type", "param", "code"}


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    pieces=st.lists(
        st.sampled_from(
            [
                b"--b\r\n",
                b"--b--\r\n",
                b"\r\n",
                b'Content-Disposition: form-data; name="file"; filename="a"',
                b'Content-Disposition: form-data; name="stream"',
                b"Content-Disposition: form-data",
                b"Content-Type: text/plain; charset=utf-7",
                b": :",
                b"true",
            ]
        )
        | st.binary(max_size=40),
        max_size=12,
    ),
    boundary=st.sampled_from(["b", '"b"', "", "b; charset=nonsense", "b" * 300, "é"]),
)
def test_any_body_is_answered_in_one_shape(
    client: httpx2.Client, pieces: list[bytes], boundary: str
) -> None:
    kind = {b"content-type": f"multipart/form-data; boundary={boundary}".encode("latin-1")}
    response = client.post(PATH, content=b"".join(pieces), headers=kind)
    error_of(response, 400)


def metered(limits: ReceiveLimits, *bodies: bytes) -> MeteredBody:
    """Return a body that comes in pieces, and then no more."""
    waiting = list(bodies)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": waiting.pop(0), "more_body": True}

    return MeteredBody(receive, limits)


def taken(limits: ReceiveLimits, *bodies: bytes) -> list[Any]:
    async def run() -> list[Any]:
        body = metered(limits, *bodies)
        body.begin()
        return [await body() for _ in range(len(bodies) + 1)]

    return asyncio.run(run())


def test_a_body_that_stops_coming_is_given_up() -> None:
    slow = ReceiveLimits(grace_s=0.01, min_bytes_per_s=1e9)
    with pytest.raises(StalledError, match="bytes each second"):
        taken(slow, b"x" * 100)


def test_a_body_is_counted_as_it_comes() -> None:
    small = ReceiveLimits(max_file_bytes=10)
    with pytest.raises(TooLargeError, match="at most 10 bytes"):
        taken(small, *[bytes(100_000)] * 3)


@pytest.mark.parametrize("stream", ["true", "false"])
def test_a_bug_ends_an_upload_with_an_error_too(
    server: LiveServer,
    client: httpx2.Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    stream: str,
) -> None:
    def fail(self: TextAssembler) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(TextAssembler, "finish", fail)
    answer = post(client, stream=stream)
    if stream == "true":
        events, _ = events_of(answer.text)
        assert events[-1]["error"]["code"] == "internal"
    else:
        assert error_of(answer, 500)["code"] == "internal"
    assert "ZeroDivisionError" in caplog.text
    wait_until(lambda: server.service.engine.n_open == 0)
