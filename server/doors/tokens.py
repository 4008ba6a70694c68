"""Short-lived tokens for browsers, which should not hold a key: signed, so nothing is kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass

from .keys import Keyring

PREFIX = "ek_"
ANYBODY = "0" * 8  # the id that stands in a token where no key is needed
_CLAIM = struct.Struct(">Q4s16s")  # expiry, s since 1970; id of the key; noise
_SIGNATURE_BYTES = 32
MAX_SESSION_BYTES = 4096  # a browser sends the token in one header
_MAX_CHARS = 8192


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token says. key_id: whom it was issued to. session: what to begin with, as JSON."""

    key_id: str
    session: str


class TokenMint:
    """Issues tokens and knows its own. now_s: seconds since 1970.

    The signing secret is derived from the keys, so that every process with the same keys takes
    the tokens of the others, and a key that is withdrawn takes all tokens with it. scrypt makes it
    dear to guess keys from a token. Without keys the secret is the process's own.
    """

    def __init__(self, keys: Keyring, now_s: Callable[[], float]) -> None:
        self._secret = _derive(keys.digests) if keys else os.urandom(32)
        self._now_s = now_s

    def issue(self, key_id: str | None, lifetime_s: int, session: str = "") -> tuple[str, int]:
        """Return a token for the holder of a key, and when it expires, in s since 1970.

        session: JSON of MAX_SESSION_BYTES at most; it can be read by whoever has the token.
        """
        expires_at_s = int(self._now_s()) + lifetime_s
        claim = _CLAIM.pack(expires_at_s, bytes.fromhex(key_id or ANYBODY), os.urandom(16))
        signed = claim + session.encode()
        text = base64.urlsafe_b64encode(self._sign(signed) + signed).rstrip(b"=")
        return PREFIX + text.decode(), expires_at_s

    def find(self, presented: str) -> Claim | None:
        """Return what a token says; None where it is not ours or has expired."""
        raw = _bytes_of(presented)
        signature, signed = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(self._sign(signed), signature) or len(signed) < _CLAIM.size:
            return None
        expires_at_s, key, _ = _CLAIM.unpack_from(signed)
        is_valid = self._now_s() < expires_at_s
        return Claim(key.hex(), signed[_CLAIM.size :].decode()) if is_valid else None

    def _sign(self, signed: bytes) -> bytes:
        return hmac.digest(self._secret, signed, "sha256")


def _derive(digests: tuple[bytes, ...]) -> bytes:
    return hashlib.scrypt(b"".join(digests), salt=b"voxwire tokens", n=1 << 14, r=8, p=1, dklen=32)


def _bytes_of(token: str) -> bytes:
    """Return the bytes of a token; none where it has not a token's form."""
    if not token.startswith(PREFIX) or len(token) > _MAX_CHARS:
        return b""
    text = token.removeprefix(PREFIX)
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return b""
