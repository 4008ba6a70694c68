"""Sessions whose client may come back on another socket, and wait a while. Event loop only."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ..protocol.dialect import Dialect
from ..protocol.errors import DisplacedError, ResumeError
from ..protocol.session import Received
from .connection import Connection
from .session.session import Session
from .session.state import State

MAX_ENDED = 256  # with their last messages, some hundred at most


@dataclass(slots=True, eq=False)
class Carried:
    """A session with the dialect its client speaks, and whose it is.

    token: what the client shows to come back, None where the session ends with its socket.
    connection: None while the session waits. expiry: of the wait. n_claims: how often the client
    came back.
    """

    session: Session
    dialect: Dialect
    key_id: str | None
    token: str | None = None
    connection: Connection | None = None
    expiry: asyncio.TimerHandle | None = None
    n_claims: int = 0


class Resumptions:
    """All sessions that can be gone on with. One waits `grace_s`, then `give_up` is called.

    One that has ended waits too, though it holds no place any more: its last words may have been
    lost on their way. Of these the last MAX_ENDED wait.
    """

    def __init__(self, grace_s: float, give_up: Callable[[Session], None]) -> None:
        self._grace_s = grace_s
        self._give_up = give_up
        self._by_token: dict[str, Carried] = {}
        self._ended: deque[Carried] = deque()

    def add(self, token: str, carried: Carried) -> None:
        """Remember a session under the token that its client is told."""
        carried.token = token
        self._by_token[token] = carried

    async def claim(self, token: str, key_id: str | None) -> tuple[Carried, Received]:
        """Return the session of a token, free of the connection it was on, and what came of it.

        Let it go after that. Raises ResumeError, also where the session is another key's;
        DisplacedError where its client has meanwhile come back once more.
        """
        carried = self._by_token.get(token)
        if carried is None or carried.key_id != key_id:
            raise ResumeError("expected the token of a session that waits; begin a new session")
        carried.n_claims += 1
        claim = carried.n_claims
        if carried.connection is not None:
            await carried.connection.displace()
        received = await carried.session.received()  # which a message that waits holds up
        if carried.n_claims != claim:
            raise DisplacedError("the session goes on, on another connection")
        carried.connection = None
        self._stop_waiting(carried)
        return carried, received

    def let_go(self, carried: Carried, *, is_told: bool) -> None:
        """Take a session from a connection that is over: to wait, or to be given up.

        is_told: its client was sent the end.
        """
        carried.connection = None
        self._stop_waiting(carried)
        if carried.token is None:
            self.forget(carried)
            return
        if is_told:
            self._give_up(carried.session)
            self._ended.append(carried)
            if len(self._ended) > MAX_ENDED:
                self.forget(self._ended.popleft())
        loop = asyncio.get_running_loop()
        carried.expiry = loop.call_later(self._grace_s, self.forget, carried)

    def forget(self, carried: Carried) -> None:
        """Give a session up: its time is over, or its client knows nothing of it."""
        self._by_token.pop(carried.token or "", None)
        self._stop_waiting(carried)
        self._give_up(carried.session)

    def forget_ended(self) -> None:
        """Give up the sessions that have ended, and wait for a client to hear their last words."""
        for carried in list(self._by_token.values()):
            if carried.expiry is not None and carried.session.state is State.CLOSED:
                self.forget(carried)

    def _stop_waiting(self, carried: Carried) -> None:
        if carried.expiry is not None:
            carried.expiry.cancel()
            carried.expiry = None
        if carried in self._ended:
            self._ended.remove(carried)
