"""Short-lived tokens for browsers, which should not hold a key: signed, so nothing is kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import struct
from collections.abc import Callable

from .keys import Keyring

PREFIX = "ek_"
_PAYLOAD = struct.Struct(">Q4s16s")  # expiry, s since 1970; id of the key; noise
_SIGNATURE_BYTES = 32
_N_BYTES = _PAYLOAD.size + _SIGNATURE_BYTES  # 60: base64 without padding
ANYBODY = "0" * 8  # the id that stands in a token where no key is needed


class TokenMint:
    """Issues tokens and tells its own. now_s: seconds since 1970.

    The signing secret is derived from the keys, so that every process with the same keys takes
    the tokens of the others, and a key that is withdrawn takes all tokens with it. scrypt makes it
    dear to guess keys from a token. Without keys the secret is the process's own.
    """

    def __init__(self, keys: Keyring, now_s: Callable[[], float]) -> None:
        self._secret = _derive(keys.digests) if keys else os.urandom(32)
        self._now_s = now_s

    def issue(self, key_id: str | None, lifetime_s: int) -> tuple[str, int]:
        """Return a token for the holder of a key, and when it expires."""
        expires_at_s = int(self._now_s()) + lifetime_s
        payload = _PAYLOAD.pack(expires_at_s, bytes.fromhex(key_id or ANYBODY), os.urandom(16))
        text = base64.urlsafe_b64encode(payload + self._sign(payload))
        return PREFIX + text.decode(), expires_at_s

    def find(self, presented: str) -> str | None:
        """Return the id of the key that a token was issued to; None where it is void or expired."""
        raw = _bytes_of(presented)
        payload, signature = raw[: _PAYLOAD.size], raw[_PAYLOAD.size :]
        if not hmac.compare_digest(self._sign(payload), signature):
            return None
        expires_at_s, key, _ = _PAYLOAD.unpack(payload)
        return key.hex() if self._now_s() < expires_at_s else None

    def _sign(self, payload: bytes) -> bytes:
        return hmac.digest(self._secret, payload, "sha256")


def _derive(digests: tuple[bytes, ...]) -> bytes:
    return hashlib.scrypt(b"".join(digests), salt=b"voxwire tokens", n=1 << 14, r=8, p=1, dklen=32)


def _bytes_of(token: str) -> bytes:
    """Return the bytes of a token; zeros, which nobody signed, where it has not a token's form."""
    try:
        raw = base64.b64decode(token.removeprefix(PREFIX), altchars=b"-_", validate=True)
    except ValueError:
        return bytes(_N_BYTES)
    return raw if token.startswith(PREFIX) and len(raw) == _N_BYTES else bytes(_N_BYTES)
