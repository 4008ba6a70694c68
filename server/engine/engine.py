"""The engine as the server sees it: started once, it opens sessions for any number of connections.

All methods belong to the event loop that started it, unless they say otherwise.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ...model.config import ModelConfig
from ...model.delay import delay_tokens_from_ms
from ...model.errors import DelayError
from ...protocol.errors import (
    EngineDeadError,
    InvalidRequestError,
    NotReadyError,
    ShutdownError,
    VoxwireError,
)
from .admission import Admission, Kind, Limits, Load
from .backend import Backend
from .messages import Ended, Event, Open, Stepped, Stopped
from .place import Place
from .session import EngineSession
from .worker import Worker

# The longest that one turn may take on a slow device before it counts as hung.
DEFAULT_STALE_S = 10.0


@dataclass(frozen=True, slots=True)
class _Tenant:
    """An admitted session, counted until its slot is free; `session` closes before."""

    kind: Kind
    session: EngineSession


class Engine:
    """One model in one thread, shared by sessions. Use it as an async context manager.

    load: called in the engine's thread. stale_s: age of the last heartbeat at which the engine
    counts as hung. on_failure: called in the event loop when the engine, once started, gives up;
    the process should end then, with an exit status that is not 0. on_step: called in the event
    loop after every pass.
    """

    def __init__(
        self,
        load: Callable[[], Backend],
        limits: Limits | None = None,
        *,
        stale_s: float = DEFAULT_STALE_S,
        clock: Callable[[], float] = time.monotonic,
        on_failure: Callable[[Exception], None] | None = None,
        on_step: Callable[[Stepped], None] | None = None,
    ) -> None:
        limits = limits or Limits()
        self._admission = Admission(limits, clock)
        self._clock = clock
        self._stale_s = stale_s
        self._on_failure = on_failure
        self._on_step = on_step
        self._tenants: dict[int, _Tenant] = {}
        self._leases = itertools.count(1)
        self._is_stopping = False
        self._is_over = False
        self._step: Stepped | None = None  # the latest; what a pass wrote comes right after it
        self._worker = Worker(load, limits.max_sessions, self._post, clock)

    async def start(self) -> None:
        """Load and measure the model; return when sessions can be opened. Raises what `load` does.

        Cancelling leaves the engine loading: stop it then.
        """
        self._loop = asyncio.get_running_loop()
        self._worker.start()
        await asyncio.to_thread(self._worker.started.wait)
        if self._worker.failure is not None:
            raise self._worker.failure

    async def stop(self) -> None:
        """End all sessions with ShutdownError, and the thread.

        Waits for the step in progress, for ever where it hangs: see `is_alive` first.
        """
        self._is_stopping = True
        self._worker.stop()
        await asyncio.to_thread(self._worker.join)

    @property
    def is_alive(self) -> bool:
        """Whether the engine works or may yet: its thread runs and its heart beats. Any thread.

        While the model is being loaded and measured there is no heartbeat to miss.
        """
        if not self._worker.started.is_set():
            return True
        is_beating = self._clock() - self._worker.beat_s < self._stale_s
        return is_beating and self._worker.is_alive() and not self._is_over

    @property
    def is_ready(self) -> bool:
        """Whether sessions can be opened, if there is room. Any thread."""
        return self._worker.started.is_set() and self.is_alive and not self._is_stopping

    @property
    def n_open(self) -> int:
        """How many sessions are admitted, uploads included."""
        return sum(self._admission.n_open.values())

    @property
    def n_free(self) -> int:
        """How many more live sessions would be admitted now."""
        return self._admission.n_free if self.is_ready else 0

    @property
    def real_time_factor(self) -> float:
        """Computing time over audio time of late: at 1, no more live sessions fit. Any thread."""
        return self._worker.real_time_factor

    @property
    def config(self) -> ModelConfig:
        """The model's configuration. Raises NotReadyError before it is loaded."""
        if self._worker.config is None:
            raise NotReadyError("the model is not loaded")
        return self._worker.config

    @property
    def tokenizer_file(self) -> Path:
        """The checkpoint's tokenizer. Raises NotReadyError before the model is loaded."""
        if self._worker.tokenizer_file is None:
            raise NotReadyError("the model is not loaded")
        return self._worker.tokenizer_file

    def open(
        self, kind: Kind = Kind.LIVE, delay_ms: int | None = None, *, log_probs: bool = False
    ) -> EngineSession:
        """Begin a session, if the machine carries one more.

        delay_ms: 80..1200 by 80, or 2400; None takes the model's own. log_probs: ask for them; it
        costs speed. Raises InvalidRequestError; NotReadyError, CapacityError or OverloadedError,
        with a retry hint where waiting helps.
        """
        place = self.reserve(kind)
        try:
            return place.open(delay_ms, log_probs=log_probs)
        except InvalidRequestError:
            place.release()
            raise

    def reserve(self, kind: Kind = Kind.LIVE) -> Place:
        """Count one more session before its settings are known. Raises as `open` does."""
        if not self.is_ready:
            raise NotReadyError("the engine is not ready")
        self._admission.admit(kind)
        return Place(
            open_=lambda delay_ms, log_probs: self._open(kind, delay_ms, log_probs),
            release=lambda: self._admission.release(kind),
        )

    def replace(
        self, closed: EngineSession, delay_ms: int | None, *, log_probs: bool
    ) -> EngineSession:
        """Begin a live session in the place of one that is closed here; it is never refused.

        Raises InvalidRequestError.
        """
        closed.close()
        self._admission.replace(Kind.LIVE)
        return self._open(Kind.LIVE, delay_ms, log_probs)

    def last_error(self) -> VoxwireError:
        """Return what ends the sessions that are open when the engine stops."""
        if self._worker.failure is not None:
            return EngineDeadError("the engine failed")
        return ShutdownError("the server is shutting down")

    def check_delay(self, delay_ms: int | None) -> None:
        """Raise InvalidRequestError unless a session may have this delay."""
        self._delay_tokens(delay_ms)

    def _open(self, kind: Kind, delay_ms: int | None, log_probs: bool) -> EngineSession:
        delay_tokens = self._delay_tokens(delay_ms)
        lease = next(self._leases)
        session = EngineSession(lease, self._worker.send)
        if self._is_over:  # the place was reserved before
            session.finish(self.last_error())
            self._admission.release(kind)
            return session
        self._tenants[lease] = _Tenant(kind, session)
        self._worker.send(Open(lease, kind, delay_tokens, log_probs))
        return session

    async def __aenter__(self) -> Self:
        """Start."""
        try:
            await self.start()
        except BaseException:
            self._worker.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        await self.stop()

    def _delay_tokens(self, delay_ms: int | None) -> int:
        if delay_ms is None:
            return self.config.default_delay_tokens
        try:
            return delay_tokens_from_ms(delay_ms)
        except DelayError as error:
            raise InvalidRequestError(str(error)) from None

    def _post(self, events: list[Event]) -> None:
        """Hand events to the event loop. Engine thread only."""
        try:
            self._loop.call_soon_threadsafe(self._deliver, events)
        except RuntimeError:  # the loop is closed, and so is every connection
            self._worker.stop()

    def _deliver(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Load):
                self._admission.load = event
            elif isinstance(event, Stepped):
                self._step = event
                if self._on_step is not None:
                    self._on_step(event)
            elif isinstance(event, Stopped):
                self._bury()
            elif isinstance(event, Ended):
                tenant = self._tenants.pop(event.lease)
                self._admission.release(tenant.kind)
                tenant.session.finish(event.error)
            else:
                # A session that was closed meanwhile takes nothing any more.
                self._tenants[event.lease].session.receive(event, self._step)

    def _bury(self) -> None:
        """End what is still open when the engine has stopped; nothing may be opened after."""
        self._is_over = True
        failure = self._worker.failure
        for tenant in self._tenants.values():
            self._admission.release(tenant.kind)
            tenant.session.finish(self.last_error())
        self._tenants.clear()
        if failure is not None and self._worker.config is not None and self._on_failure is not None:
            self._on_failure(failure)
