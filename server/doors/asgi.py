"""The doorman before every path, /docs and files too, for HTTP and WebSockets alike."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from ...protocol.errors import RefusedError
from ..access_log import AccessLog
from ..metrics import Metrics
from ..routes.errors import error_response
from ..settings import ServeSettings
from .doorman import Doorman, Visitor
from .knock import Knock

_VISITOR = "voxwire.visitor"
_EXPOSED = (
    "Retry-After",
    "X-Request-Id",
    "X-Voxwire-Damaged-Packets",
    "X-Voxwire-Delay-Ms",
    "X-Voxwire-Ignored",
    "X-Voxwire-Model",
)
_CORS_MAX_AGE_S = 600


class Doors:
    """ASGI middleware: nothing reaches the app that the doorman has not let in.

    on_refusal: told of everybody who was not.
    """

    def __init__(
        self, app: ASGIApp, doorman: Doorman, on_refusal: Callable[[RefusedError], None]
    ) -> None:
        self._app = app
        self._doorman = doorman
        self._on_refusal = on_refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        try:
            scope[_VISITOR] = self._doorman.check(_knock(scope))
        except RefusedError as error:
            self._on_refusal(error)
            await refuse(error, scope, receive, send)
        else:
            await self._app(scope, receive, send)


def add_doors(app: FastAPI, settings: ServeSettings, metrics: Metrics) -> None:
    """Put the doorman before an application, and log who comes.

    Routes find the mint of tokens in `app.state.token_mint`.
    Raises SettingsError for keys that cannot be read.
    """
    doorman = Doorman.of(settings)
    app.state.token_mint = doorman.mint
    app.add_middleware(Doors, doorman=doorman, on_refusal=lambda error: metrics.refused(error.code))
    app.add_middleware(_cross_origin, settings=settings)
    app.add_middleware(AccessLog)


def visitor_of(connection: HTTPConnection) -> Visitor:
    """Return who a request or a WebSocket is from; a FastAPI dependency too."""
    visitor: Visitor = connection.scope[_VISITOR]
    return visitor


async def refuse(error: RefusedError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request, or a WebSocket that is not yet accepted, with the error."""
    response = error_response(error)
    if scope["type"] == "websocket":
        await WebSocket(scope, receive, send).send_denial_response(response)
    else:
        await response(scope, receive, send)


def _cross_origin(app: ASGIApp, settings: ServeSettings) -> ASGIApp:
    """Let pages of the configured sites read answers, refusals too; without any, change nothing.

    No cookies: credentials stay off. Stands around the doors.
    """
    if not settings.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=settings.cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=("Authorization", "Content-Type", "X-Api-Key"),
        expose_headers=_EXPOSED,
        max_age=_CORS_MAX_AGE_S,
    )


def _knock(scope: Scope) -> Knock:
    return Knock.of(
        scope["path"],
        scope["headers"],
        method=scope.get("method", "GET"),
        query=scope["query_string"],
        subprotocols=scope.get("subprotocols", ()),
    )
