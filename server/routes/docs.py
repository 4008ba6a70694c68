"""/docs: the interface to read and to try, without a network: its parts come from a package."""

from __future__ import annotations

from enum import StrEnum
from importlib import resources

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response

from ...protocol.errors import NotFoundError

router = APIRouter(include_in_schema=False)
_PARTS = "/static/docs"


class Part(StrEnum):
    """What the page loads."""

    SCRIPT = "swagger-ui-bundle.js"
    STYLE = "swagger-ui.css"
    ICON = "favicon.png"


_MEDIA_TYPES = {
    Part.SCRIPT: "text/javascript",
    Part.STYLE: "text/css",
    Part.ICON: "image/png",
}


@router.get("/docs")
async def docs() -> HTMLResponse:
    """Return the page."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",  # relative: a proxy may serve us under a path
        title="voxwire",
        swagger_js_url=f".{_PARTS}/{Part.SCRIPT.value}",
        swagger_css_url=f".{_PARTS}/{Part.STYLE.value}",
        swagger_favicon_url=f".{_PARTS}/{Part.ICON.value}",
        swagger_ui_parameters={"docExpansion": "list", "defaultModelsExpandDepth": 0},
    )


@router.get(_PARTS + "/{part}")
def part(part: str) -> Response:
    """Return what the page loads. Raises NotFoundError."""
    if part not in list(Part):
        raise NotFoundError(f"expected one of {', '.join(Part)}, got {part[:200]}")
    data = resources.files("fastapi_offline").joinpath("static", part).read_bytes()
    return Response(
        data, media_type=_MEDIA_TYPES[Part(part)], headers={"cache-control": "max-age=3600"}
    )
