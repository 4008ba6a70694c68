"""Short-lived tokens: ours are taken until they expire, all others are not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxwire.server.doors.keys import Keyring
from voxwire.server.doors.tokens import MAX_SESSION_BYTES, PREFIX, Claim, TokenMint

KEYS = Keyring(["first-key-1", "second-key-2"])
NOW_S = 1_000_000.0
KEY_ID = "0a1b2c3d"


def mint(keys: Keyring = KEYS, now_s: float = NOW_S) -> TokenMint:
    return TokenMint(keys, lambda: now_s)


@given(st.integers(10, 7200), st.text(max_size=200))
def test_a_token_says_what_it_was_issued_with(lifetime_s: int, session: str) -> None:
    value, expires_at_s = MINT.issue(KEY_ID, lifetime_s, session.encode(errors="ignore").decode())
    assert value.startswith(PREFIX)
    assert expires_at_s == NOW_S + lifetime_s
    assert MINT.find(value) == Claim(KEY_ID, session.encode(errors="ignore").decode())


def test_a_token_is_void_from_its_last_second_on() -> None:
    value, expires_at_s = mint().issue(KEY_ID, 60)
    assert mint(now_s=expires_at_s - 0.001).find(value)
    assert mint(now_s=expires_at_s).find(value) is None


def test_every_process_with_the_same_keys_takes_it_and_no_other_does() -> None:
    value, _ = mint().issue(KEY_ID, 60)
    assert mint(Keyring(["second-key-2", "first-key-1"])).find(value)
    assert mint(Keyring(["first-key-1"])).find(value) is None


def test_without_keys_only_the_process_that_issued_it_takes_it() -> None:
    one, other = mint(Keyring([])), mint(Keyring([]))
    value, _ = one.issue(None, 60)
    assert one.find(value)
    assert other.find(value) is None


def test_two_tokens_are_never_alike() -> None:
    assert len({MINT.issue(KEY_ID, 60)[0] for _ in range(50)}) == 50


@given(st.integers(0), st.characters(categories=["L", "N", "P", "S"]))
def test_a_token_with_one_character_changed_is_none(at: int, char: str) -> None:
    at %= len(TOKEN)
    forged = TOKEN[:at] + char + TOKEN[at + 1 :]
    # The last character may carry bits that base64 does not use.
    if forged != TOKEN and at < len(TOKEN) - 1:
        assert MINT.find(forged) is None


@given(st.text(max_size=300) | st.text("abcdefghijkABC0123-_", max_size=300).map(PREFIX.__add__))
def test_what_is_no_token_is_refused_whatever_it_is(text: str) -> None:
    assert MINT.find(text) is None


def test_a_token_may_stand_in_a_subprotocol_and_is_short_enough_for_a_header() -> None:
    value, _ = MINT.issue(KEY_ID, 7200, "x" * MAX_SESSION_BYTES)
    assert set(value) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
    assert len(value) < 6000
    assert MINT.find(value)


MINT = mint()
TOKEN = MINT.issue(KEY_ID, 600, '{"type":"transcription"}')[0]
