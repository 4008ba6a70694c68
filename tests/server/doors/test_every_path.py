"""The doors of a real server: before every path, for requests and WebSockets alike."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from starlette.routing import BaseRoute, Route, WebSocketRoute
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from tests.server.engine.fakes import FakeModel
from tests.server.live_server import LiveServer, live_server
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.server.app import create_app
from voxwire.server.doors.doorman import TOKENS_PATH
from voxwire.server.engine.backend import Backend

KEY, OTHER_KEY = "key-of-the-first", "key-of-the-second"
BEARER = {"Authorization": f"Bearer {KEY}"}
SITE = "https://app.example"
TIMEOUT_S = 60
KEY_SUBPROTOCOL = "openai-insecure-api-key."


def load() -> Backend:
    """Load a model that carries many sessions on any machine: nobody speaks here."""
    return replace(FakeModel().load(), tokenizer_file=EMBEDDED / "tekken.json")


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """A server with two keys, a friendly site, and one session for each key."""
    limits: dict[str, Any] = {"max_sessions_per_key": 1, "resume_grace_s": 0}
    with live_server(load=load, api_keys=(KEY, OTHER_KEY), cors_origins=(SITE,), **limits) as it:
        yield it


@pytest.fixture(autouse=True)
def nobody_inside(server: LiveServer) -> None:
    """Begin when the sessions of the test before have gone: a key may have one at a time."""
    wait_until_empty(server)


def wait_until_empty(server: LiveServer) -> None:
    until_s = time.monotonic() + TIMEOUT_S
    while server.service.sessions or server.service.engine.n_open:
        assert time.monotonic() < until_s
        time.sleep(0.01)


@pytest.fixture(scope="module")
def open_server() -> Iterator[LiveServer]:
    with live_server(load=load) as it:
        yield it


def get(server: LiveServer, path: str, **headers: str) -> httpx2.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.get(server.http + path, headers=names)


def refusal(address: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """Return the HTTP answer to a WebSocket's handshake: status and error."""

    async def knock() -> tuple[int, dict[str, Any]]:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(address, **options):
                pass
        response = refused.value.response
        error = json.loads(response.body)["error"]
        assert set(error) == {"message", "type", "param", "code"}
        return response.status_code, {**error, "headers": response.headers}

    return asyncio.run(knock())


def first_event(server: LiveServer, path: str, **options: Any) -> tuple[str | None, dict[str, Any]]:
    """Return the subprotocol that a WebSocket was accepted with, and the first event on it."""

    async def talk() -> tuple[str | None, dict[str, Any]]:
        async with connect(server.ws + path, **options) as socket:
            return socket.subprotocol, json.loads(await socket.recv())

    return asyncio.run(talk())


def all_paths(server: LiveServer) -> dict[str, bool]:
    """Return every path of the app, by whether it is a WebSocket's."""
    known = {
        route.path: isinstance(route, WebSocketRoute)
        for route in flat(create_app(server.service).routes)
        if isinstance(route, Route | WebSocketRoute)
    }
    assert len(known) > 12
    return {**known, "/no-such-path": False, "/static/app.js": False}


def flat(routes: Iterable[BaseRoute]) -> Iterator[BaseRoute]:
    """Yield routes, those of included routers too."""
    for route in routes:
        included = getattr(route, "original_router", None)
        yield from [route] if included is None else flat(included.routes)


def test_every_path_refuses_a_rebound_name(server: LiveServer) -> None:
    for path, is_socket in all_paths(server).items():
        if is_socket:
            address = f"ws://evil.example:{server.port}{path}"
            status, error = refusal(address, host="127.0.0.1", additional_headers=BEARER)
        else:
            answer = httpx2.get(server.http + path, headers={**BEARER, "Host": "evil.example"})
            status, error = answer.status_code, answer.json()["error"]
        assert (status, error["code"]) == (403, "forbidden"), path
        assert "evil.example" in error["message"]


def test_every_path_refuses_a_page_of_another_site(server: LiveServer) -> None:
    foreign = "https://evil.example"
    for path, is_socket in all_paths(server).items():
        if is_socket:
            status, error = refusal(server.ws + path, origin=foreign, additional_headers=BEARER)
        else:
            answer = httpx2.get(server.http + path, headers={**BEARER, "Origin": foreign})
            status, error = answer.status_code, answer.json()["error"]
        assert (status, error["code"]) == (403, "forbidden"), path


def test_every_path_but_the_public_ones_wants_a_key(server: LiveServer) -> None:
    public = set()
    for path, is_socket in all_paths(server).items():
        if is_socket:
            status, error = refusal(server.ws + path)
            assert (status, error["headers"]["WWW-Authenticate"]) == (401, "Bearer"), path
            continue
        answer = get(server, path)
        if answer.status_code == 401:
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        else:
            public.add(path)
    assert {path for path in public if not path.startswith("/static/")} <= {
        "/", "/healthz", "/readyz", "/docs", "/openapi.json", "/asyncapi.json"
    }  # fmt: skip
    assert {"/", "/static/app.js", "/healthz", "/readyz"} <= public


@pytest.mark.parametrize(
    "options",
    [
        {"additional_headers": BEARER},
        {"additional_headers": {"X-Api-Key": KEY}},
        {"additional_headers": {"Authorization": f"Token {KEY}"}},
        {"subprotocols": ["realtime", KEY_SUBPROTOCOL + KEY]},
        {"subprotocols": ["token", KEY]},
        {"subprotocols": ["voxwire", KEY_SUBPROTOCOL + KEY], "origin": SITE},
    ],
)
def test_a_socket_opens_by_a_key_in_each_way_and_answers_with_no_secret(
    server: LiveServer, options: dict[str, Any]
) -> None:
    subprotocol, event = first_event(server, "/v1/realtime", **options)
    assert subprotocol == options.get("subprotocols", [None])[0]
    assert event["type"] == "session.created"


def test_a_wrong_key_and_a_key_in_the_address_are_refused_before_the_handshake(
    server: LiveServer,
) -> None:
    status, error = refusal(server.ws + "/v1/stream", additional_headers={"X-Api-Key": KEY + "x"})
    assert (status, error["type"]) == (401, "authentication_error")
    status, error = refusal(f"{server.ws}/v1/stream?api_key={KEY}")
    assert (status, error["type"]) == (403, "permission_error")
    assert "logs and histories" in error["message"]


def test_a_key_has_as_many_sessions_as_it_may_and_others_have_theirs(server: LiveServer) -> None:
    async def talk() -> None:
        async with connect(server.ws + "/v1/stream", additional_headers=BEARER):
            with pytest.raises(InvalidStatus) as refused:
                await enter(KEY)
            assert refused.value.response.status_code == 503
            assert int(refused.value.response.headers["Retry-After"]) >= 1
            assert b"at_capacity" in refused.value.response.body
            address, site = server.ws + "/v1/stream", Origin(server.http)
            async with connect(address, origin=site, additional_headers=BEARER) as told:
                error = json.loads(await told.recv())
                await told.wait_closed()
            assert (error["type"], error["code"]) == ("error", "at_capacity")
            assert (told.close_code, told.close_reason) == (1008, "at_capacity")
            await (await enter(OTHER_KEY)).close()

    async def enter(key: str) -> ClientConnection:
        return await connect(server.ws + "/v1/stream", additional_headers={"X-Api-Key": key})

    asyncio.run(talk())
    wait_until_empty(server)
    first_event(server, "/v1/realtime", additional_headers=BEARER)


# --- CORS ---


def test_no_page_of_another_site_reads_answers_unless_it_is_listed(
    server: LiveServer, open_server: LiveServer
) -> None:
    assert "access-control-allow-origin" not in get(open_server, "/healthz", origin=SITE).headers
    assert get(open_server, "/healthz", origin=SITE).status_code == 403
    answer = get(server, "/v1/models", origin=SITE, **BEARER)
    assert answer.headers["access-control-allow-origin"] == SITE
    assert "access-control-allow-credentials" not in answer.headers
    exposed = {
        h.strip().lower() for h in answer.headers["access-control-expose-headers"].split(",")
    }
    assert {"x-request-id", "x-voxwire-model", "x-voxwire-ignored"} <= exposed
    refused = get(server, "/v1/models", origin=SITE)
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == SITE


def test_a_preflight_is_answered_for_the_listed_site_only(server: LiveServer) -> None:
    def preflight(origin: str) -> httpx2.Response:
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        return httpx2.options(server.http + "/v1/audio/transcriptions", headers=headers)

    assert preflight(SITE).headers["access-control-allow-origin"] == SITE
    assert "access-control-allow-origin" not in preflight("https://evil.example").headers


# --- tokens ---


def mint(server: LiveServer, **body: Any) -> httpx2.Response:
    return httpx2.post(server.http + TOKENS_PATH, json=body, headers=BEARER)


def test_a_token_opens_sockets_and_makes_no_other(server: LiveServer) -> None:
    made = mint(server, expires_after={"anchor": "created_at", "seconds": 60}).json()
    assert set(made) == {"value", "expires_at", "session"}
    assert made["session"].pop("id").startswith("sess_")
    assert made["session"] == {
        "object": "realtime.transcription_session",
        "type": "transcription",
    }
    offered = ["realtime", KEY_SUBPROTOCOL + made["value"]]
    assert first_event(server, "/v1/realtime", subprotocols=offered)[0] == "realtime"
    bearer = {"Authorization": f"Bearer {made['value']}"}
    assert httpx2.post(server.http + TOKENS_PATH, json={}, headers=bearer).status_code == 403
    assert get(server, "/metrics", **bearer).status_code == 403


def test_a_session_begins_with_what_its_token_was_issued_with(server: LiveServer) -> None:
    session = {
        "type": "transcription",
        "audio": {"input": {"format": {"type": "audio/pcmu"}, "turn_detection": None}},
    }
    value = mint(server, session=session).json()["value"]

    async def talk() -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {value}"}
        async with connect(server.ws + "/v1/realtime", additional_headers=headers) as socket:
            async for message in socket:
                event: dict[str, Any] = json.loads(message)
                if event["type"] == "session.updated":
                    return event
        raise AssertionError("expected session.updated")

    audio = asyncio.run(talk())["session"]["audio"]["input"]
    assert audio["format"]["type"] == "audio/pcmu"
    assert audio["turn_detection"] is None


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"expires_after": {"seconds": 9}}', "expires_after.seconds"),
        (b'{"expires_after": {"seconds": 7201}}', "expires_after.seconds"),
        (b'{"expires_after": {"anchor": "never"}}', "expires_after.anchor"),
        (b'{"session": {"type": "realtime"}}', "session.type"),
        (b'{"session": {"type": "transcription", "x": "' + b"x" * 5000 + b'"}}', "session"),
        (b'{"session": 1}', "session"),
        (
            b'{"session": {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 7}}}}}',
            "session.audio.input.format.rate",
        ),
        (
            b'{"session": {"audio": {"input": {"turn_detection": {"threshold": 2}}}}}',
            "session.audio.input.turn_detection.threshold",
        ),
        (b"[]", None),
        (b"\xff", None),
        (b" " * 100_000, None),
    ],
)
def test_a_wrong_request_for_a_token_is_told_what_is_wrong(
    server: LiveServer, body: bytes, param: str | None
) -> None:
    answer = httpx2.post(server.http + TOKENS_PATH, content=body, headers=BEARER)
    assert answer.status_code in (400, 413)
    assert answer.json()["error"]["param"] == param


# --- what supervisors read ---


def test_metrics_want_a_key_where_there_is_any_and_count_refusals(
    server: LiveServer, open_server: LiveServer
) -> None:
    assert get(server, "/metrics").status_code == 401
    text = get(server, "/metrics", **BEARER).text
    assert 'voxwire_refusals_total{code="unauthorized"}' in text
    assert 'voxwire_slots{state="free"}' in text
    assert get(open_server, "/metrics").status_code == 200


def test_readiness_tells_the_slots_and_stops_when_draining(open_server: LiveServer) -> None:
    async def talk() -> dict[str, Any]:
        async with connect(open_server.ws + "/v1/stream"):
            return (await asyncio.to_thread(get, open_server, "/readyz")).json()  # type: ignore[no-any-return]

    before = get(open_server, "/readyz").json()
    assert before["ready"] is True
    assert before["slots"]["total"] == before["slots"]["free"] + before["slots"]["used"]
    assert asyncio.run(talk())["slots"]["used"] == before["slots"]["used"] + 1
    open_server.service.is_draining = True
    try:
        answer = get(open_server, "/readyz")
        assert (answer.status_code, answer.json()["reason"]) == (503, "draining")
        assert int(answer.headers["Retry-After"]) >= 1
        assert get(open_server, "/healthz").json() == {"status": "ok"}
    finally:
        open_server.service.is_draining = False
