"""Which hosts we are and which pages may use us: against rebound names and cross-site sockets."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from ...protocol.errors import ForbiddenError
from ..settings import ServeSettings

_AUTHORITY = re.compile(r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?")
_ORIGIN = re.compile(rf"(?P<scheme>[a-z][a-z0-9+.-]*)://{_AUTHORITY.pattern}")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_MAX_SHOWN_CHARS = 100


@dataclass(frozen=True, slots=True)
class Sites:
    """The names of this server, and the origins of other sites whose pages may connect."""

    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, settings: ServeSettings) -> Sites:
        """Return what the settings say."""
        hosts = {*settings.allow_hosts, settings.host.lower()}
        return cls(frozenset(hosts), frozenset(settings.allow_origins + settings.cors_origins))

    def check_host(self, host: str | None) -> None:
        """Refuse a host that we are not: a foreign name that was made to point here.

        Addresses pass, as only names can be rebound; so does a request without the header, which
        no browser sends. The port may be any: tunnels and containers change it. Raises
        ForbiddenError.
        """
        if host is None:
            return
        match = _AUTHORITY.fullmatch(host.lower())
        name = match["host"].strip("[]").removesuffix(".") if match else ""
        if not (name and (name in self.hosts or _is_local(name) or _is_address(name))):
            shown = _shown(host)
            raise ForbiddenError(
                f"this server is not known as {shown}; its operator may add --allow-hosts {shown}"
            )

    def check_origin(self, origin: str | None, host: str | None) -> None:
        """Refuse a page of another site. Programs send no origin, and pass.

        Raises ForbiddenError.
        """
        if origin is None or origin.lower() in self.origins or _is_same(origin, host):
            return
        shown = _shown(origin)
        raise ForbiddenError(
            f"pages of {shown} may not use this server; its operator may add "
            f"--allow-origins {shown}"
        )


def _is_local(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_same(origin: str, host: str | None) -> bool:
    """Say whether a page came from the very host and port that it now calls.

    The scheme is the browser's: a proxy may have taken off TLS on the way.
    """
    theirs, ours = _ORIGIN.fullmatch(origin.lower()), _AUTHORITY.fullmatch((host or "").lower())
    if theirs is None or ours is None or theirs["scheme"] not in _DEFAULT_PORTS:
        return False
    default_port = _DEFAULT_PORTS[theirs["scheme"]]
    ports = [int(each["port"] or default_port) for each in (theirs, ours)]
    return theirs["host"] == ours["host"] and ports[0] == ports[1]


def _shown(text: str) -> str:
    """Return what may stand in a message: it came from anybody."""
    return "".join(char if "!" <= char <= "~" else "?" for char in text[:_MAX_SHOWN_CHARS])
