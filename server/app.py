"""The application: every address of the server around one started engine."""

from __future__ import annotations

from fastapi import FastAPI

from .. import __version__
from .routes import models, streams, transcriptions
from .routes.errors import add_error_handlers
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
    add_error_handlers(app)
    app.include_router(streams.router)
    app.include_router(transcriptions.router)
    app.include_router(models.router)
    return app
