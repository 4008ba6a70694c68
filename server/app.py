"""The application: every address of the server around one started engine."""

from __future__ import annotations

from fastapi import FastAPI

from .. import __version__
from .routes import streams
from .service import Service

DESCRIPTION = "Streaming speech to text: live over WebSockets, whole files over REST."


def create_app(service: Service) -> FastAPI:
    """Return the ASGI application. Its service must be started, and outlives it."""
    app = FastAPI(
        title="voxwire",
        version=__version__,
        description=DESCRIPTION,
        telemetry={"auto_configure": False},
    )
    app.state.service = service
    app.include_router(streams.router)
    return app
