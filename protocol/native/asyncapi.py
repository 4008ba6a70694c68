"""The AsyncAPI 3.0 document of `/v1/stream`, made from the models of its messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, get_args

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ... import __version__
from . import messages
from .parameters import Parameters
from .resume import Resumption

PATH = "/v1/stream"
_MODE: Literal["validation"] = "validation"  # where what has a default may be left out

DESCRIPTION = """\
Live speech to text over one WebSocket.

Send audio as binary frames, cut anywhere, in the encoding that the address names; or in base64, in
`audio` messages. The text of a segment grows by `partial`s, which never take text back, and is
closed by exactly one `final`, whose `reason` says why. `end` is answered by the last `final` and
by `bye`, after which the socket is closed.

Every server message has a `seq`, counted from 1 without gaps. A client's `ref` comes back in the
answer, or in the `error` that says why there is none. Ignore types and fields you do not know:
more may come.

Keys go into `Authorization: Bearer KEY`; a browser, which cannot set headers, offers the
subprotocols `voxwire` and `openai-insecure-api-key.KEY`. A handshake is refused by HTTP 401, 403 or
503, the last with `Retry-After`. A page cannot read that: where it may come in and there is no
session for it, an `error` on the socket says why, and 1008 closes it. The socket is closed with
1000 at the end, 1008 on a broken rule, 1011 on a fault, 1012 when the server goes down, 1013 when
there is no room.

A session outlives its socket for the `resume_grace_s` of `ready`. To go on, open another with
nothing but `resume`, the token of `ready`, and `after_seq`, the `seq` of the last message you got.
`resumed` says how much had come: send again what it does not count. The messages that were missed
follow. `received` tells now and then what need not be kept any longer; `ack` says the same to the
server. A session that is lost is answered by an `error` with code `resume_lost`.

A server that goes down tells a `warning` with code `draining`, finishes what came, and says `bye`
with reason `shutdown`. What comes after the warning is refused, and not counted by the last
`received`: say it in a new session, whose times begin where `audio_s` of the `bye` ended.
"""


def client_models() -> tuple[type[BaseModel], ...]:
    """Return the models of what a client may send as text."""
    return _members(messages.ClientMessage)


def server_models() -> tuple[type[BaseModel], ...]:
    """Return the models of what the server sends."""
    return _members(messages.ServerMessage)


def type_of(model: type[BaseModel]) -> str:
    """Return the value of a message's `type`."""
    return str(model.model_fields["type"].default)


def schemas(models: Iterable[type[BaseModel]], where: str) -> dict[str, Any]:
    """Return the JSON schemas of `models` and of what they consist of, referring to `where`."""
    wanted = [(model, _MODE) for model in models]
    _, schema = models_json_schema(wanted, ref_template=where + "{model}")
    return dict(schema["$defs"])


def document() -> dict[str, Any]:
    """Return the AsyncAPI document."""
    texts = [*client_models(), *server_models()]
    parts = schemas([*texts, Parameters, Resumption], "#/components/schemas/")
    query = {**parts["Parameters"], "description": "Those of a new session, or those to go on."}
    query["properties"] = {**query["properties"], **parts["Resumption"]["properties"]}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "voxwire", "version": __version__, "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "channels": {"stream": _channel(texts, query)},
        "operations": {
            "hear": _operation("receive", ["frame", *map(type_of, client_models())]),
            "tell": _operation("send", list(map(type_of, server_models()))),
        },
        "components": {
            "messages": {"frame": _FRAME, **{type_of(model): _message(model) for model in texts}},
            "schemas": parts,
        },
    }


_FRAME = {
    "summary": "A binary frame: audio in the session's encoding, cut anywhere.",
    "contentType": "application/octet-stream",
    "payload": {"type": "string", "format": "binary"},
}


def _channel(texts: Iterable[type[BaseModel]], query: dict[str, Any]) -> dict[str, Any]:
    names = ["frame", *map(type_of, texts)]
    return {
        "address": PATH,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"ws": {"method": "GET", "query": query, "bindingVersion": "0.1.0"}},
    }


def _operation(action: str, names: Iterable[str]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/stream"},
        "messages": [{"$ref": f"#/channels/stream/messages/{name}"} for name in names],
    }


def _message(model: type[BaseModel]) -> dict[str, Any]:
    return {
        "summary": " ".join((model.__doc__ or "").split()),
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
    }


def _members(union: Any) -> tuple[type[BaseModel], ...]:
    return get_args(get_args(union)[0])
