"""API keys: read once, kept as hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from pathlib import Path

from ..settings import ServeSettings, SettingsError

# What a WebSocket subprotocol may consist of, by which browsers send a key.
_KEY = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{8,256}")
_WANTED = (
    "expected 8 to 256 letters, digits or any of !#$%&'*+-.^_`|~ "
    "(`openssl rand -hex 32` makes a good one)"
)
_ID_DIGITS = 8


class Keyring:
    """The keys that let a client in. Holds hashes only.

    A key's id is the beginning of its SHA-256 in hexadecimal: it may be logged.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = sorted({_digest(key) for key in keys})

    def __bool__(self) -> bool:
        """Say whether there is any key: without one nobody needs one."""
        return bool(self._digests)

    @property
    def digests(self) -> tuple[bytes, ...]:
        """The hashes, in order."""
        return tuple(self._digests)

    def find(self, presented: str) -> str | None:
        """Return the id of a key, or None where it is none of ours.

        Compares with every key, to the end, whichever fits: time tells nothing.
        """
        digest, found = _digest(presented), None
        for known in self._digests:
            if hmac.compare_digest(known, digest):
                found = known.hex()[:_ID_DIGITS]
        return found


def read_keys(settings: ServeSettings) -> Keyring:
    """Return the keys of the settings and their file. Raises SettingsError."""
    keys = [key.get_secret_value() for key in settings.api_keys]
    for at, key in enumerate(keys, 1):
        _check(key, f"API key {at}")
    if settings.api_keys_file is not None:
        keys += _read_file(settings.api_keys_file)
    return Keyring(keys)


def _read_file(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise SettingsError(f"API keys file {path}: {reason}") from None
    keys = []
    for number, line in enumerate(lines, 1):
        if (key := line.strip()) and not key.startswith("#"):
            _check(key, f"{path}, line {number}")
            keys.append(key)
    if not keys:
        raise SettingsError(f"API keys file {path}: there is no key in it")
    return keys


def _check(key: str, where: str) -> None:
    if not _KEY.fullmatch(key):
        raise SettingsError(f"{where}: {_WANTED}")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
