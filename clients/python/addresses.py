"""Where a session is reached: a new one with its parameters, or one that is gone on with."""

from __future__ import annotations

import json
from urllib.parse import urlencode, urlsplit, urlunsplit

from ...protocol.native.asyncapi import PATH
from ...protocol.native.parameters import Parameters


def address_of(url: str, parameters: Parameters) -> str:
    """Return the address of a session at the server of `url`, which may name its path or not."""
    chosen = json.loads(parameters.model_dump_json(exclude_none=True))
    query = urlencode({name: json.dumps(value).strip('"') for name, value in chosen.items()})
    return _with_query(url, "&".join(filter(None, [urlsplit(_whole(url)).query, query])))


def next_address_of(url: str, settings: Parameters) -> str:
    """Return the address of a session that follows one with these settings."""
    return address_of(_with_query(url, ""), settings)


def resume_address_of(url: str, token: str, after_seq: int) -> str:
    """Return the address at which a session is gone on with."""
    return _with_query(url, urlencode({"resume": token, "after_seq": after_seq}))


def _whole(url: str) -> str:
    return url if "://" in url else f"ws://{url}"


def _with_query(url: str, query: str) -> str:
    parts = urlsplit(_whole(url))
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    path = parts.path if parts.path.endswith(PATH) else parts.path.rstrip("/") + PATH
    return urlunsplit((scheme, parts.netloc, path, query, ""))
