"""Keys: where they are read from, that every one is compared, that none is shown."""

from __future__ import annotations

import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from voxwire.server.doors import keys as keys_module
from voxwire.server.doors.keys import Keyring, read_keys
from voxwire.server.settings import ServeSettings, SettingsError

TOKEN_CHARS = "abcXYZ019!#$%&'*+-.^_`|~"
KEYS = st.lists(st.text(TOKEN_CHARS, min_size=8, max_size=24), min_size=1, max_size=6, unique=True)


@given(KEYS, st.text(max_size=40))
def test_a_key_is_found_by_itself_and_nothing_else_is(keys: list[str], other: str) -> None:
    ring = Keyring(keys)
    ids = [ring.find(key) for key in keys]
    assert all(ids)
    assert len(set(ids)) == len(keys)
    assert (ring.find(other) is not None) == (other in keys)


@given(KEYS, st.data())
def test_every_key_is_compared_whichever_fits(keys: list[str], data: st.DataObject) -> None:
    presented = data.draw(st.sampled_from([*keys, "wrong-key", ""]))
    ring, compared = Keyring(keys), list[bytes]()

    def compare(known: bytes, digest: bytes) -> bool:
        compared.append(known)
        return hmac.compare_digest(known, digest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys_module, "hmac", type("Spy", (), {"compare_digest": compare}))
        ring.find(presented)
    assert compared == list(ring.digests)
    assert len(compared) == len(keys)


def test_a_keyring_holds_no_key() -> None:
    key = "a-very-secret-key"
    assert key not in repr(vars(Keyring([key])))


def test_keys_come_from_settings_and_file_together(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# laptops\nkey-of-laptop\n\n  key-of-desktop  \n")
    ring = read_keys(ServeSettings(api_keys=(SecretStr("key-of-server"),), api_keys_file=file))
    for key in ("key-of-laptop", "key-of-desktop", "key-of-server"):
        assert ring.find(key)
    assert len(ring.digests) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        (b"# none yet\n\n", "there is no key in it"),
        (b"good-key-1\nshort\n", "line 2: expected 8 to 256"),
        (b"two words here\n", "line 1: expected 8 to 256"),
        (b"\xff\xfe\x00", "not a text file"),
    ],
)
def test_a_file_that_holds_no_keys_opens_nothing(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=message) as caught:
        read_keys(ServeSettings(api_keys_file=file))
    assert str(file) in str(caught.value)
    assert "two words" not in str(caught.value)
