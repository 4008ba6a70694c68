"""The REST interface keeps what its OpenAPI document promises, whatever is asked."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.transport.serialization import Binary

from tests.server.live_server import LiveServer
from tests.server.voices import FOLDER

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
TRANSCRIBE = "POST /v1/audio/transcriptions"
RECORDING = (FOLDER / "commands-yes-9e2ce5e3.opus").read_bytes()


def operations(server: LiveServer) -> dict[str, Any]:
    """Return what the document has for those who send recordings."""
    document = schemathesis.openapi.from_url(f"{server.http}/openapi.json")
    chosen = document.include(path_regex="^/v1/(audio|models)")
    found: list[Any] = list(chosen.get_all_operations())
    return {result.ok().label: result.ok() for result in found}


def test_a_name_that_no_address_holds_gets_an_answer_that_is_written_down(
    server: LiveServer,
) -> None:
    operation = operations(server)["GET /v1/models/{model}"]
    case = operation.Case(path_parameters={"model": "a\nb"})
    assert case.call_and_validate(checks=CHECKS).status_code == 404


def with_recording(case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    """Return a request with a true recording for a file, so that the other fields matter."""
    if isinstance(case.body, dict) and isinstance(case.body.get("file"), Binary):
        case.body["file"] = Binary(RECORDING)
    return case


@pytest.mark.parametrize(
    ("label", "mode"),
    [
        (TRANSCRIBE, GenerationMode.POSITIVE),
        (TRANSCRIBE, GenerationMode.NEGATIVE),
        ("POST /v1/audio/translations", GenerationMode.POSITIVE),
        ("GET /v1/models", GenerationMode.POSITIVE),
        ("GET /v1/models/{model}", GenerationMode.POSITIVE),
    ],
)
def test_the_document_holds(server: LiveServer, label: str, mode: GenerationMode) -> None:
    operation = operations(server)[label]

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case[Any]) -> None:
        answer = with_recording(case).call_and_validate(checks=CHECKS)
        if label == TRANSCRIBE and mode is GenerationMode.POSITIVE:
            is_streamed_subtitles = "response_format to be one of" in answer.text
            assert answer.status_code == 200 or is_streamed_subtitles, answer.text

    ask()
