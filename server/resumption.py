"""Sessions whose client may come back on another socket, and wait a while. Event loop only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ..protocol.dialect import Dialect
from ..protocol.errors import ResumeError
from .connection import Connection
from .session.session import Session


@dataclass(slots=True)
class Carried:
    """A session with the dialect its client speaks, and whose it is.

    token: what the client shows to come back, None where the session ends with its socket.
    connection: None while the session waits. expiry: of the wait.
    """

    session: Session
    dialect: Dialect
    key_id: str | None
    token: str | None = None
    connection: Connection | None = None
    expiry: asyncio.TimerHandle | None = None


class Resumptions:
    """All sessions that can be gone on with. One waits `grace_s`, then `give_up` is called."""

    def __init__(self, grace_s: float, give_up: Callable[[Session], None]) -> None:
        self._grace_s = grace_s
        self._give_up = give_up
        self._by_token: dict[str, Carried] = {}

    def add(self, token: str, carried: Carried) -> None:
        """Remember a session under the token that its client is told."""
        carried.token = token
        self._by_token[token] = carried

    async def claim(self, token: str, key_id: str | None) -> Carried:
        """Return the session of a token, free of the connection it was on; let it go after that.

        Raises ResumeError, also where the session is another key's.
        """
        carried = self._by_token.get(token)
        if carried is None or carried.key_id != key_id:
            raise ResumeError("expected the token of a session that waits; begin a new session")
        if carried.connection is not None:
            await carried.connection.displace()
        carried.connection = None
        self._stop_waiting(carried)
        return carried

    def let_go(self, carried: Carried, *, is_told: bool) -> None:
        """Take a session from a connection that is over: to wait, or to be given up.

        is_told: its client has heard the end.
        """
        carried.connection = None
        if carried.token is None or is_told:
            self._expire(carried)
            return
        self._stop_waiting(carried)
        loop = asyncio.get_running_loop()
        carried.expiry = loop.call_later(self._grace_s, self._expire, carried)

    def _expire(self, carried: Carried) -> None:
        self._by_token.pop(carried.token or "", None)
        self._stop_waiting(carried)
        self._give_up(carried.session)

    def _stop_waiting(self, carried: Carried) -> None:
        if carried.expiry is not None:
            carried.expiry.cancel()
            carried.expiry = None
