"""One line for each request: who asked for which address, and what came of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

_QUIET = ("/healthz", "/readyz", "/metrics")  # asked every few seconds


class AccessLog:
    """ASGI middleware: logs the route as we wrote it, never the address as it came.

    An address may hold a key, and did where it was refused for that. clock: seconds.
    """

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and log it when it is over."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        started_s = self._clock()
        outcome = "none"

        async def note(message: Message) -> None:
            nonlocal outcome
            outcome = _outcome(message) or outcome
            await send(message)

        try:
            await self._app(scope, receive, note)
        finally:
            self._log(scope, outcome, self._clock() - started_s)

    def _log(self, scope: Scope, outcome: str, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "none")
        method = scope.get("method", "WEBSOCKET")
        client = (scope.get("client") or ("none",))[0]
        level = logging.DEBUG if route in _QUIET else logging.INFO
        line = "method=%s route=%s status=%s seconds=%.3f client=%s"
        log.log(level, line, method, route, outcome, seconds, client)


def _outcome(message: Message) -> str | None:
    """Return what a message says of the outcome: an HTTP status, or a close code."""
    if message["type"] in ("http.response.start", "websocket.http.response.start"):
        return str(message["status"])
    if message["type"] == "websocket.accept":
        return "101"
    if message["type"] == "websocket.close":
        return f"closed-{message.get('code', 1000)}"
    return None
