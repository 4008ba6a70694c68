"""The AsyncAPI document and the TypeScript types say what the models say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from tests.protocol.native.test_dialect import dialect
from tests.repo.sources import ROOT
from voxwire.protocol.errors import CapacityError
from voxwire.protocol.native.asyncapi import client_models, document, server_models, type_of
from voxwire.protocol.native.parameters import Parameters
from voxwire.protocol.native.typescript import typescript
from voxwire.protocol.session import (
    CloseReason,
    Configured,
    Ended,
    Event,
    Final,
    HeardWord,
    Partial,
    Score,
    SessionSettings,
)
from voxwire.protocol.transcript import Word

SCORES = (Score(b"a", -0.5),)
WORDS = (HeardWord(Word(text="a", start_s=0, end_s=1), 0.5),)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for inner in node.values():
            yield from references(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from references(inner)


def test_every_reference_leads_somewhere() -> None:
    whole = document()
    for reference in set(references(whole)):
        node = whole
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node


def test_the_address_is_documented_for_new_sessions_and_for_going_on() -> None:
    query = document()["channels"]["stream"]["bindings"]["ws"]["query"]
    assert {*Parameters.model_fields, "resume", "after_seq"} == query["properties"].keys()
    assert "required" not in query


def test_every_message_is_in_exactly_one_direction() -> None:
    whole = document()
    told, heard = whole["operations"]["tell"]["messages"], whole["operations"]["hear"]["messages"]
    names = [entry["$ref"].rsplit("/", 1)[1] for entry in [*told, *heard]]
    assert sorted(names) == sorted(whole["components"]["messages"])
    assert set(names) == {"frame", *map(type_of, (*client_models(), *server_models()))}


def validate(text: str | bytes) -> None:
    message = json.loads(text)
    whole = document()
    payload = whole["components"]["messages"][message["type"]]["payload"]
    jsonschema.validate(message, {**payload, "components": whole["components"]})


@pytest.mark.parametrize(
    "event",
    [
        Configured(SessionSettings(), "x"),
        Partial(0, "a", "a", 0.5, SCORES),
        Final(0, CloseReason.END, "a", WORDS, 0, 1, SCORES, 3),
        Ended(CloseReason.ERROR, 1.0, CapacityError("full", retry_after_s=2)),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_the_server_sends_is_as_documented(event: Event) -> None:
    native = dialect()
    for message in [*native.greet(), *native.tell(event)]:
        if isinstance(message, str):
            validate(message)


def test_a_message_without_its_type_is_not_as_documented() -> None:
    schema = document()["components"]["schemas"]["Commit"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"ref": "a"}, schema)


def test_the_pages_types_are_those_of_the_models() -> None:
    committed = (ROOT / "clients/web/src/messages.ts").read_text()
    assert committed == typescript(), (
        "python -m voxwire.protocol.native.typescript > clients/web/src/messages.ts"
    )


@pytest.mark.parametrize("model", [*client_models(), *server_models()], ids=type_of)
def test_typescript_has_each_field_optional_where_it_may_be_absent(model: Any) -> None:
    found = re.search(rf"export interface {model.__name__} {{(.*?)\n}}", typescript(), re.DOTALL)
    assert found
    fields = dict(re.findall(r"^  (\w+)(\??): ", found[1], re.MULTILINE))
    optional = {
        name
        for name, field in model.model_fields.items()
        if not field.is_required() and name != "type"
    }
    assert {name for name, mark in fields.items() if mark} == optional
    assert fields.keys() == model.model_fields.keys()
