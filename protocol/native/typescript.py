"""The models of `/v1/stream` as TypeScript types.

usage: python -m voxwire.protocol.native.typescript > clients/web/src/messages.ts
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from .asyncapi import client_models, schemas, server_models
from .parameters import Parameters

_HEAD = "// Made by `python -m voxwire.protocol.native.typescript`; do not edit.\n"
_PLAIN = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
}


def typescript() -> str:
    """Return a module with one type for each model, and the unions of both directions."""
    models: list[type[BaseModel]] = [Parameters, *client_models(), *server_models()]
    parts = [_declaration(name, schema) for name, schema in schemas(models, "").items()]
    unions = [
        _union("ClientMessage", client_models()),
        _union("ServerMessage", server_models()),
    ]
    return "\n".join([_HEAD, *parts, *unions])


def _declaration(name: str, schema: dict[str, Any]) -> str:
    comment = _comment(schema.get("description"), "")
    if "enum" in schema:
        return f"{comment}export type {name} = {_type(schema)};\n"
    required = schema.get("required", [])
    fields = [
        _field(field, inner, field in required) for field, inner in schema["properties"].items()
    ]
    return f"{comment}export interface {name} {{\n{''.join(fields)}}}\n"


def _field(name: str, schema: dict[str, Any], is_required: bool) -> str:
    mark = "" if is_required else "?"
    return f"{_comment(schema.get('description'), '  ')}  {name}{mark}: {_type(schema)};\n"


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(map(json.dumps, schema["enum"]))
    if schema["type"] == "array":
        return f"{_type(schema['items'])}[]"
    return _PLAIN[schema["type"]]


def _comment(text: str | None, indent: str) -> str:
    return f"{indent}/** {' '.join(text.split())} */\n" if text else ""


def _union(name: str, models: Iterable[type[BaseModel]]) -> str:
    members = "".join(f"\n  | {model.__name__}" for model in models)
    return f"export type {name} ={members};\n"


if __name__ == "__main__":
    print(typescript(), end="")
