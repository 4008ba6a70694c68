"""Who is let in: by key in every way clients send one, by token, by site and by host."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxwire.protocol.errors import ForbiddenError, RefusedError, UnauthorizedError
from voxwire.server.doors.doorman import TOKENS_PATH, Doorman, Visitor
from voxwire.server.doors.knock import KEY_SUBPROTOCOL, MAX_PARAMETERS, Knock
from voxwire.server.settings import ServeSettings

KEY, OTHER_KEY = "key-of-the-first", "key-of-the-second"
NOW_S = 1_000_000.0
Headers = list[tuple[bytes, bytes]]


def doorman(**settings: object) -> Doorman:
    return Doorman.of(ServeSettings(**settings), lambda: NOW_S)  # type: ignore[arg-type]


LOCKED = doorman(api_keys=(KEY, OTHER_KEY))
OPEN = doorman()


def headers(**values: str) -> Headers:
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in values.items()]


def knock(path: str = "/v1/stream", query: bytes = b"", **values: str) -> Knock:
    return Knock.of(path, headers(**values), query=query)


def offering(*subprotocols: str) -> Knock:
    return Knock.of("/v1/realtime", subprotocols=subprotocols)


WAYS = {
    "Bearer": lambda key: knock(authorization=f"Bearer {key}"),
    "Deepgram's Token": lambda key: knock(authorization=f"Token {key}"),
    "odd casing": lambda key: knock(AUTHORIZATION=f"bEARER   {key} "),
    "X-Api-Key": lambda key: knock(x_api_key=key),
    "OpenAI's subprotocol": lambda key: offering("realtime", KEY_SUBPROTOCOL + key),
    "ours": lambda key: offering("voxwire", KEY_SUBPROTOCOL + key),
    "Deepgram's subprotocol": lambda key: offering("token", key),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_each_key_is_taken_in_every_way_and_only_the_keys_are(way) -> None:  # type: ignore[no-untyped-def]
    ids = {LOCKED.check(way(key)).key_id for key in (KEY, OTHER_KEY)}
    assert len(ids) == 2
    assert None not in ids
    for wrong in ("some-other-key", KEY[:-1], KEY + "x", KEY.upper()):
        with pytest.raises(UnauthorizedError, match="expected one of this server's keys"):
            LOCKED.check(way(wrong))


def test_who_brings_no_key_is_told_how_to() -> None:
    for way in ("Authorization: Bearer", "X-Api-Key", "openai-insecure-api-key."):
        with pytest.raises(UnauthorizedError, match=way):
            LOCKED.check(knock())


@pytest.mark.parametrize("value", ["", "Basic dXNlcjpwYXNz", "Bearer", "Bearer ", KEY])
def test_other_schemes_are_no_key(value: str) -> None:
    with pytest.raises(UnauthorizedError):
        LOCKED.check(knock(authorization=value))


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_where_no_key_is_set_any_will_do(way) -> None:  # type: ignore[no-untyped-def]
    assert OPEN.check(way("anything")).key_id is None
    assert OPEN.check(knock()) == Visitor(None)


@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        (["realtime", KEY_SUBPROTOCOL + KEY], "realtime"),
        ([KEY_SUBPROTOCOL + KEY, "realtime"], "realtime"),
        (["realtime", KEY_SUBPROTOCOL + KEY, "openai-beta.realtime-v1"], "realtime"),
        (["voxwire", KEY_SUBPROTOCOL + KEY], "voxwire"),
        (["token", KEY], "token"),
        ([KEY_SUBPROTOCOL + KEY], None),
        (["other"], None),
        ([], None),
    ],
)
def test_the_handshake_is_answered_with_a_protocol_and_never_a_key(
    offered: list[str], answer: str | None
) -> None:
    assert OPEN.check(offering(*offered)).subprotocol == answer


@given(st.lists(st.text(max_size=30), max_size=6))
def test_what_is_answered_was_offered_and_holds_no_secret(offered: list[str]) -> None:
    answer = OPEN.check(offering(*offered)).subprotocol
    assert answer is None or (answer in offered and "key" not in answer)


# --- keys in addresses ---


@pytest.mark.parametrize("name", ["api_key", "apikey", "token", "access_token", "API-Key", "key"])
@pytest.mark.parametrize("where", [LOCKED, OPEN], ids=["locked", "open"])
def test_a_key_in_the_address_is_refused_and_why_is_told(where: Doorman, name: str) -> None:
    query = f"model=x&{name}={KEY}".encode()
    with pytest.raises(ForbiddenError, match="logs and histories"):
        where.check(knock(query=query, authorization=f"Bearer {KEY}"))


def test_a_key_under_any_name_is_found_in_the_address() -> None:
    with pytest.raises(ForbiddenError, match="logs and histories"):
        LOCKED.check(knock(query=f"x={KEY}".encode(), authorization=f"Bearer {KEY}"))


def test_an_address_without_end_is_refused_before_it_costs_anything() -> None:
    knock(query=b"keyterm=x&" * (MAX_PARAMETERS - 1))
    with pytest.raises(ForbiddenError, match=f"{MAX_PARAMETERS} parameters"):
        knock(query=b"keyterm=x&" * (MAX_PARAMETERS + 1))


@pytest.mark.parametrize("query", [b"api_key=", b"keyterm=a&keywords=b", b"intent=transcription"])
def test_other_parameters_pass(query: bytes) -> None:
    assert LOCKED.check(knock(query=query, authorization=f"Bearer {KEY}")).key_id


# --- what needs no key ---


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/docs", "/static/app.js"])
def test_the_page_and_the_supervisor_need_no_key(path: str) -> None:
    assert LOCKED.check(knock(path)) == Visitor(None)


@pytest.mark.parametrize(
    "path",
    ["/v1/models", "/v1/stream", "/metrics", "/debug/sessions/1", "//healthz", "/healthz/", "/x",
     "/statically", "/static", TOKENS_PATH],
)  # fmt: skip
def test_all_else_does(path: str) -> None:
    with pytest.raises(UnauthorizedError):
        LOCKED.check(knock(path))


@given(st.text())
def test_no_path_but_the_known_ones_is_public(path: str) -> None:
    try:
        LOCKED.check(knock(path))
    except RefusedError:
        return
    assert path.startswith("/static/") or path in {
        "/", "/healthz", "/readyz", "/docs", "/openapi.json", "/asyncapi.json"
    }  # fmt: skip


def test_a_preflight_passes_because_it_cannot_carry_a_key() -> None:
    assert LOCKED.check(Knock.of("/v1/models", method="OPTIONS")).key_id is None


# --- tokens ---


def token() -> str:
    key_id = LOCKED.check(WAYS["Bearer"](KEY)).key_id
    return LOCKED.mint.issue(key_id, 60, '{"type":"transcription"}')[0]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_token_stands_for_the_key_it_was_issued_to(way) -> None:  # type: ignore[no-untyped-def]
    visitor = LOCKED.check(way(token()))
    assert visitor.key_id == LOCKED.check(way(KEY)).key_id
    assert visitor.token is not None
    assert visitor.token.session == '{"type":"transcription"}'


def test_a_token_makes_no_token_and_opens_nothing_of_the_operators() -> None:
    for path in (TOKENS_PATH, "/metrics", "/debug/sessions/1"):
        with pytest.raises(ForbiddenError, match="token"):
            LOCKED.check(knock(path, authorization=f"Bearer {token()}"))


def test_a_key_beside_a_token_counts_as_a_key() -> None:
    visit = knock(TOKENS_PATH, authorization=f"Bearer {token()}", x_api_key=KEY)
    assert LOCKED.check(visit).key_id


# --- cross-site sockets ---


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:8000", "localhost:8000"),
        ("http://LOCALHOST:8000", "localhost:8000"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("https://localhost", "localhost"),
        ("https://localhost", "localhost:443"),
        ("http://localhost", "localhost:80"),
    ],
)
def test_a_page_of_our_own_may_connect(origin: str, host: str) -> None:
    assert OPEN.check(knock(origin=origin, host=host)).key_id is None


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://localhost:3000",
        "https://localhost:8000.evil.example",
        "http://localhost:8000@evil.example",
        "http://localhost:8000/",
        "file://",
        "null",
        "",
        "localhost:8000",
        "ws://localhost:8000",
    ],
)
def test_a_page_of_another_site_may_not_even_with_a_key(origin: str) -> None:
    visit = knock(origin=origin, host="localhost:8000", authorization=f"Bearer {KEY}")
    with pytest.raises(ForbiddenError, match="--allow-origins"):
        LOCKED.check(visit)


def test_a_listed_site_may() -> None:
    listed = doorman(allow_origins=("https://App.example/",), cors_origins=("http://other:3000",))
    for origin in ("https://app.example", "http://other:3000"):
        assert listed.check(knock(origin=origin, host="localhost:8000")).key_id is None
    for origin in ("http://app.example", "https://app.example:8443", "https://x.app.example"):
        with pytest.raises(ForbiddenError):
            listed.check(knock(origin=origin, host="localhost:8000"))


# --- names that were made to point here ---


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:8000", "localhost.:1", "127.0.0.1:80", "[::1]:8000", "192.168.1.7:1",
     "app.localhost", "[fe80::1]"],
)  # fmt: skip
def test_local_names_and_addresses_are_us(host: str) -> None:
    assert OPEN.check(knock(host=host)).key_id is None


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example",
     "evil.example:8000:8000", "2130706433", "0x7f000001", "localhost@evil.example", "", "a b"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/v1/stream", "/static/app.js"])
def test_a_rebound_name_is_refused_at_every_path_though_it_is_its_own_origin(
    host: str, path: str
) -> None:
    with pytest.raises(ForbiddenError, match="not known as"):
        OPEN.check(knock(path, host=host, origin=f"http://{host}"))


def test_a_configured_name_is_us_and_so_is_the_one_we_listen_on() -> None:
    named = doorman(allow_hosts=("Speech.example",), host="studio.lan", insecure=True)
    assert named.check(knock(host="speech.example:443")).key_id is None
    assert named.check(knock(host="studio.lan:8000")).key_id is None
    with pytest.raises(ForbiddenError):
        named.check(knock(host="other.lan"))


# --- headers that lie ---


@pytest.mark.parametrize("name", ["host", "Host", "origin", "authorization", "X-API-KEY"])
def test_a_header_that_comes_twice_is_refused(name: str) -> None:
    twice = [(name.encode(), b"localhost"), (name.swapcase().encode(), b"localhost")]
    with pytest.raises(ForbiddenError, match="expected one"):
        Knock.of("/", twice)


RAW = st.binary(max_size=60)
NAMES = st.sampled_from([b"host", b"Origin", b"AUTHORIZATION", b"x-api-key"]) | RAW


@given(
    st.lists(st.tuples(NAMES, RAW), max_size=6),
    st.text(max_size=40),
    RAW,
    st.lists(st.text(max_size=40), max_size=6),
)
def test_whatever_comes_nobody_enters_without_a_key_and_nothing_breaks(
    raw: Headers, path: str, query: bytes, subprotocols: list[str]
) -> None:
    with pytest.raises(RefusedError) as refused:
        LOCKED.check(Knock.of(f"/v1/{path}", raw, query=query, subprotocols=subprotocols))
    assert refused.value.message.isprintable()
