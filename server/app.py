"""The application: every address of the server around one started engine."""

from __future__ import annotations

from fastapi import FastAPI

from .. import __version__
from .doors.asgi import add_doors
from .heads import Heads
from .routes import debug, docs, health, metrics, models, page, streams, tokens, transcriptions
from .routes.errors import add_error_handlers
from .service import Service

DESCRIPTION = "Streaming speech to text: live over WebSockets, whole files over REST."


def create_app(service: Service) -> FastAPI:
    """Return the ASGI application. Its service must be started, and outlives it.

    Raises SettingsError for keys that cannot be read.
    """
    app = FastAPI(
        title="voxwire",
        version=__version__,
        description=DESCRIPTION,
        telemetry={"auto_configure": False},
        docs_url=None,  # those that FastAPI brings load their parts from elsewhere
        redoc_url=None,
    )
    app.state.service = service
    add_error_handlers(app)
    add_doors(app, service.settings, service.metrics)
    app.add_middleware(Heads)
    for each in (streams, transcriptions, models, tokens, page, docs, health, metrics, debug):
        app.include_router(each.router)
    return app
