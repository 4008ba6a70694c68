"""The page to speak into, at /, and the document of the native dialect: all from the wheel."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response

from ...protocol.errors import NotFoundError
from ...protocol.native.asyncapi import document

_FOLDER = Path(__file__).parents[2] / "clients" / "web" / "dist"
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Nothing from elsewhere, nothing written into the page, nobody around it.
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "microphone=(self), screen-wake-lock=(self)",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # asked by ETag each time, so that a new wheel shows at once
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str


@cache
def _files() -> dict[str, _File]:
    """Return all files of the page by their names: no request ever becomes a path."""
    return {path.name: _read(path) for path in _FOLDER.iterdir() if path.suffix in _MEDIA_TYPES}


def _read(path: Path) -> _File:
    content = path.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return _File(content, _MEDIA_TYPES[path.suffix], etag)


@router.get("/")
async def page(request: Request) -> Response:
    """Return the page."""
    return _answer(request, _files()["index.html"])


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """Return a part of the page. Raises NotFoundError."""
    if name not in _files():
        raise NotFoundError("expected a file of the page")
    return _answer(request, _files()[name])


@router.get("/asyncapi.json")
async def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI document of /v1/stream."""
    return document()


def _answer(request: Request, file: _File) -> Response:
    headers = {**_HEADERS, "ETag": file.etag}
    if request.headers.get("if-none-match") == file.etag:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
