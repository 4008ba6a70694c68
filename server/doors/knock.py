"""What a client brings to the door: its headers, taken apart. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from ...protocol.errors import ForbiddenError

KEY_SUBPROTOCOL = "openai-insecure-api-key."
MAX_PARAMETERS = 256  # as many words as a Deepgram client may boost, and some
_PAIR_SUBPROTOCOLS = ("token", "bearer")  # Deepgram's browser SDK: ["token", KEY]
_SUBPROTOCOLS = ("realtime", "voxwire", *_PAIR_SUBPROTOCOLS)
_SCHEMES = ("bearer", "token")
_SINGLE = ("host", "origin", "authorization", "x-api-key")


@dataclass(frozen=True, slots=True)
class Knock:
    """A request for HTTP or a WebSocket, before anything of it is done.

    headers: names in lower case; those that may come once, did.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    subprotocols: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        path: str,
        headers: Iterable[tuple[bytes, bytes]] = (),
        *,
        method: str = "GET",
        query: bytes = b"",
        subprotocols: Sequence[str] = (),
    ) -> Knock:
        """Take a request apart.

        Raises ForbiddenError where a header contradicts itself, or the address has no end.
        """
        pairs = _parameters(query.decode("latin-1"))
        return cls(method, path, pairs, _singles(headers), tuple(subprotocols))

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol to answer with: one that we speak, and never a key."""
        return next((name for name in self.subprotocols if name in _SUBPROTOCOLS), None)

    @property
    def credentials(self) -> list[str]:
        """All keys or tokens that were brought, in whichever way; few, as they are compared."""
        found = [self.headers.get("x-api-key", "").strip()]
        scheme, _, rest = self.headers.get("authorization", "").strip().partition(" ")
        if scheme.lower() in _SCHEMES:
            found.append(rest.strip())
        found.append(self._subprotocol_key())
        return [each for each in found if each]

    def _subprotocol_key(self) -> str:
        for name in self.subprotocols:
            if name.startswith(KEY_SUBPROTOCOL):
                return name.removeprefix(KEY_SUBPROTOCOL)
        if len(self.subprotocols) == 2 and self.subprotocols[0] in _PAIR_SUBPROTOCOLS:
            return self.subprotocols[1]
        return ""


def _parameters(query: str) -> tuple[tuple[str, str], ...]:
    # Each value is compared with every key: a stranger's request must not cost much of that.
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        wanted = f"expected {MAX_PARAMETERS} parameters in the address at most"
        raise ForbiddenError(wanted) from None
    return tuple(pairs)


def _singles(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers that the doors read.

    One that comes twice may have been read otherwise by whoever passed it on: refuse to choose.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name = raw_name.decode("latin-1").lower()
        if name in _SINGLE:
            if name in found:
                raise ForbiddenError(f"expected one {name} header, got several")
            found[name] = raw_value.decode("latin-1").strip()
    return found
