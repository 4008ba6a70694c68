"""The page and its parts over HTTP: what they may do, and that they need nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from starlette.routing import Match

from tests.repo.sources import ROOT
from voxwire.protocol.native.asyncapi import document
from voxwire.server.routes import page
from voxwire.server.routes.errors import add_error_handlers

DIST = ROOT / "clients" / "web" / "dist"


@pytest.fixture
def client() -> Iterator[TestClient]:
    app = FastAPI()
    add_error_handlers(app)
    app.include_router(page.router)
    with TestClient(app) as started:
        yield started


@pytest.mark.parametrize("name", sorted(path.name for path in DIST.iterdir()))
def test_every_part_is_served_as_it_is(client: TestClient, name: str) -> None:
    answer = client.get(f"/static/{name}")
    assert answer.status_code == 200
    assert answer.content == (DIST / name).read_bytes()
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = client.get(f"/static/{name}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_page_may_load_only_what_is_here(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    rules = dict(
        rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; ")
    )
    assert rules["default-src"] == "'none'"
    assert set(rules.values()) == {"'none'", "'self'"}
    assert rules["frame-ancestors"] == "'none'"


def test_all_that_the_page_names_is_served(client: TestClient) -> None:
    html = client.get("/").text
    script = client.get("/static/app.js").text
    named = re.findall(r'(?:href|src)="(static/[^"]+)"', html)
    named += re.findall(r'"(static/[^"]+)"', script)
    assert "static/worklet.js" in named
    assert {client.get(f"/{name}").status_code for name in named} == {200}


def test_the_page_holds_no_script_and_no_style_of_its_own(client: TestClient) -> None:
    html = client.get("/").text
    assert re.findall(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", html) == []


@pytest.mark.parametrize(
    "name", ["nothing.js", "..%2f..%2fpackage.json", "%2e%2e", "index.html%00", "docs"]
)
def test_no_request_becomes_a_path(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


def test_the_address_of_the_native_dialect_is_documented(client: TestClient) -> None:
    assert client.get("/asyncapi.json").json() == document()


def test_the_parts_of_the_documentation_are_not_shadowed() -> None:
    scope = {"type": "http", "path": "/static/docs/swagger-ui.css", "method": "GET"}
    assert all(route.matches(scope)[0] is Match.NONE for route in page.router.routes)
