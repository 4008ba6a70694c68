"""What all doors of the server share: the engine, the tokenizer, the sessions that are open.

Event loop only.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass

from ..model.delay import MS_PER_TOKEN
from ..model.tekken import Tekken
from ..protocol.dialect import Context
from ..protocol.errors import NotReadyError, RefusedError
from ..protocol.session import SessionSettings
from .doors.turnstile import Turnstile
from .engine.admission import Kind
from .engine.engine import Engine
from .flights import Flights
from .metrics import Metrics
from .resumption import Resumptions
from .session.backing import Backing, SessionLimits
from .session.session import Session
from .settings import ServeSettings

log = logging.getLogger(__name__)

LAST_WORDS_S = 5.0  # of a drain, for clients without a connection
_SESSIONS = ("sess", "req")  # what dialects call a session


def new_id(prefix: str) -> str:
    """Return an id that nobody can guess, such as item_3f...."""
    return f"{prefix}_{secrets.token_hex(12)}"


@dataclass(frozen=True, slots=True)
class _Visit:
    """Who has a session, by which dialect."""

    dialect: str
    key_id: str | None


class Service:
    """A started engine under the name of its model, and whom it serves.

    metrics: what the engine reports its passes to; None takes new ones.
    """

    def __init__(
        self,
        engine: Engine,
        tekken: Tekken,
        model_name: str,
        settings: ServeSettings,
        metrics: Metrics | None = None,
    ) -> None:
        self.engine = engine
        self.tekken = tekken
        self.model_name = model_name
        self.settings = settings
        self.sessions: dict[str, Session] = {}
        self.is_draining = False
        self.turnstile = Turnstile(settings.max_sessions_per_key)
        self.metrics = metrics or Metrics()
        self.metrics.watch_capacity(lambda: engine.n_open, lambda: engine.n_free)
        self.resumptions = Resumptions(settings.resume_grace_s, self.close_session)
        self.flights = Flights(settings)
        self._visits: dict[str, _Visit] = {}  # by session
        self._running: set[asyncio.Task[None]] = set()

    @property
    def default_delay_ms(self) -> int:
        """The delay of sessions that ask for none."""
        return self.settings.delay_ms or self.engine.config.default_delay_tokens * MS_PER_TOKEN

    @property
    def is_busy(self) -> bool:
        """Whether a session or an upload is open."""
        return bool(self.sessions) or self.engine.n_open > 0

    def context(self, session_id: str) -> Context:
        """Return what a dialect is told of this server.

        What it calls the session is the session's own id, by which the logs name it.
        """
        number = session_id.partition("_")[2]
        return Context(
            model=self.model_name,
            default_delay_ms=self.default_delay_ms,
            new_id=lambda prefix: f"{prefix}_{number}" if prefix in _SESSIONS else new_id(prefix),
            now_s=time.time,
            endpoint_silence_ms=self.settings.endpoint_silence_ms,
            resume_grace_s=self.settings.resume_grace_s,
        )

    def open_session(
        self,
        settings: SessionSettings,
        dialect: str,
        key_id: str | None = None,
        session_id: str | None = None,
    ) -> Session:
        """Admit a live session; `close_session` must follow.

        dialect: for the metrics. key_id: whose it is; None where nobody needs a key. session_id:
        None makes one. Raises InvalidRequestError, NotReadyError, CapacityError or OverloadedError.
        """
        if self.is_draining:
            raise NotReadyError("the server is going down", retry_after_s=self.settings.drain_s)
        self.engine.check_delay(settings.delay_ms)
        self.turnstile.enter(key_id)
        try:
            place = self.engine.reserve()
        except RefusedError:
            self.turnstile.leave(key_id)
            raise
        session_id, backing = session_id or new_id("sess"), self._backing()
        recorder = self.flights.begin(session_id, dialect, key_id, settings, backing)
        session = Session(session_id, backing, place, settings, recorder)
        self.sessions[session.id] = session
        self._visits[session.id] = _Visit(dialect, key_id)
        self.metrics.session_opened(Kind.LIVE, dialect)
        task = asyncio.create_task(session.run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: self.flights.end(session_id))
        return session

    def _backing(self) -> Backing:
        settings = self.settings
        # The embedded model writes nothing over speech that it does not know, and should not.
        stuck_after_s = 0.0 if settings.model == "embedded" else settings.stuck_after_s
        limits = SessionLimits(settings.segment_max_s, settings.session_max_s, stuck_after_s)
        return Backing(self.engine, self.tekken, limits, self.default_delay_ms, self.metrics)

    def close_session(self, session: Session) -> None:
        """Forget a session, which ends if it has not."""
        session.abandon()
        if self.sessions.pop(session.id, None) is not None:
            visit = self._visits.pop(session.id)
            self.turnstile.leave(visit.key_id)
            self.metrics.session_ended(Kind.LIVE, visit.dialect, session.end_code)

    async def drain(self, drain_s: float) -> None:
        """Admit nobody any more; return when sessions and uploads are gone, or after `drain_s`.

        Clients who have gone may come back for their last words, but not as long.
        """
        self.is_draining = True
        now_s = asyncio.get_running_loop().time
        began_s = now_s()
        draining = [session.drain(drain_s) for session in list(self.sessions.values())]
        for failure in await asyncio.gather(*draining, return_exceptions=True):
            if isinstance(failure, Exception):
                log.error("drain=failed", exc_info=failure)
        while self.is_busy and now_s() < began_s + drain_s:
            if now_s() > began_s + LAST_WORDS_S:
                self.resumptions.forget_ended()
            await asyncio.sleep(0.05)
