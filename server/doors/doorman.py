"""Who is let in: one decision for every request, whatever it asks for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from ...protocol.errors import ForbiddenError, UnauthorizedError
from ..settings import ServeSettings
from .keys import Keyring, read_keys
from .knock import Knock
from .sites import Sites
from .tokens import Claim, TokenMint

T = TypeVar("T")

TOKENS_PATH = "/v1/realtime/client_secrets"
# What needs no key: the page and what it loads, the documents of the interface, and what a
# supervisor asks. All else does.
_PUBLIC_PATHS = {"/", "/healthz", "/readyz", "/docs", "/openapi.json", "/asyncapi.json"}
_PUBLIC_PREFIXES = ("/static/",)
_TOKEN_PREFIX = "/v1/"  # what a browser's token opens
_HOW = (
    "send it as 'Authorization: Bearer KEY', 'X-Api-Key: KEY', or from a browser's WebSocket as "
    "the subprotocols ['realtime', 'openai-insecure-api-key.KEY']"
)
_QUERY_NAMES = {
    "apikey", "key", "token", "accesstoken", "authtoken", "authorization", "auth", "bearer",
    "xapikey", "secret", "clientsecret", "ephemeralkey", "password",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who was let in.

    key_id: of the key, also where a token stands for it; None where nobody needs one. It is no
    secret. token: what it says, where one was brought. subprotocol: to accept a WebSocket with.
    """

    key_id: str | None
    token: Claim | None = None
    subprotocol: str | None = None


class Doorman:
    """Lets visitors in, or says why not. Any thread."""

    def __init__(self, keys: Keyring, sites: Sites, mint: TokenMint) -> None:
        self.mint = mint
        self._keys = keys
        self._sites = sites

    @classmethod
    def of(cls, settings: ServeSettings, now_s: Callable[[], float] = time.time) -> Doorman:
        """Return a doorman as the settings want it. Raises SettingsError."""
        keys = read_keys(settings)
        return cls(keys, Sites.of(settings), TokenMint(keys, now_s))

    def check(self, knock: Knock) -> Visitor:
        """Let a visitor in. Raises ForbiddenError or UnauthorizedError."""
        host = knock.headers.get("host")
        self._sites.check_host(host)
        self._sites.check_origin(knock.headers.get("origin"), host)
        self._check_query(knock)
        key_id = _first(self._keys.find(each) for each in knock.credentials)
        token = _first(self.mint.find(each) for each in knock.credentials)
        if self._keys and not _is_public(knock):
            self._check_key(knock, key_id, token)
        if key_id is None and token is not None and self._keys:
            key_id = token.key_id
        return Visitor(key_id, token, knock.subprotocol)

    def _check_key(self, knock: Knock, key_id: str | None, token: Claim | None) -> None:
        if key_id is not None:
            return
        if token is not None:
            _check_token_use(knock)
        elif knock.credentials:
            raise UnauthorizedError(f"expected one of this server's keys, or a valid token; {_HOW}")
        else:
            raise UnauthorizedError(f"this server needs a key; {_HOW}")

    def _check_query(self, knock: Knock) -> None:
        """Refuse a key in the address, though it be right: proxies and browsers write it down."""
        for name, value in knock.query:
            is_key = name.lower().replace("_", "").replace("-", "") in _QUERY_NAMES
            if value and (is_key or self._keys.find(value) or self.mint.find(value)):
                raise ForbiddenError(
                    "a key in the address ends up in logs and histories, and counts as known; "
                    f"make a new one, and {_HOW}"
                )


def _first(found: Iterable[T | None]) -> T | None:
    """Return the first that there is, having looked at all: what is compared takes its time."""
    return next((each for each in list(found) if each is not None), None)


def _is_public(knock: Knock) -> bool:
    # A preflight carries no key by its nature, and does nothing.
    is_preflight = knock.method == "OPTIONS"
    return is_preflight or knock.path in _PUBLIC_PATHS or knock.path.startswith(_PUBLIC_PREFIXES)


def _check_token_use(knock: Knock) -> None:
    if knock.path == TOKENS_PATH:
        raise ForbiddenError("a token makes no further tokens; a key does")
    if not knock.path.startswith(_TOKEN_PREFIX):
        raise ForbiddenError(f"a token opens only what is under {_TOKEN_PREFIX}; a key is needed")
