"""What a session has told and its client has not been sent yet: bounded. Event loop only."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from ...protocol.session import Event, Lag, Partial, Received, Reply, Warned

MAX_EVENTS = 512  # partials between two lags or receipts count once: a minute and a half of speech
WARN_EVENTS = MAX_EVENTS // 2

Told: TypeAlias = Event | Reply


class Outbox:
    """A queue from one session to one connection.

    A client that reads slowly is told less often: partials of a segment that follow each other are
    joined, and of lags, or receipts, that do only the newest is kept. At WARN_EVENTS it is warned,
    once; beyond MAX_EVENTS, `on_full` is called, once, whose last word must still fit.
    """

    def __init__(self, on_full: Callable[[], None]) -> None:
        self._on_full = on_full
        self._queue: deque[Told] = deque()
        self._has_more = asyncio.Event()
        self._was_warned = False
        self._gave_up = self._is_full = False

    def put(self, told: Told) -> None:
        """Append what the client is to be told."""
        if self._is_full:
            return
        if not self._join(told):
            self._queue.append(told)
        self._has_more.set()
        if len(self._queue) >= WARN_EVENTS and not self._was_warned:
            self._was_warned = True
            self._queue.append(Warned("slow_reader", "read faster, or the session will be closed"))
        if len(self._queue) >= MAX_EVENTS and not self._gave_up:
            self._gave_up = True
            self._on_full()
            self._is_full = True

    async def get(self) -> Told:
        """Return the next, waiting for it. Safe to cancel: nothing is lost."""
        while not self._queue:
            self._has_more.clear()
            await self._has_more.wait()
        return self._queue.popleft()

    def _join(self, told: Told) -> bool:
        """Join `told` with the last one where it says the same and more."""
        last = self._queue[-1] if self._queue else None
        if isinstance(told, Partial) and isinstance(last, Partial):
            if told.segment != last.segment:
                return False
            scores = last.scores + told.scores
            self._queue[-1] = replace(told, delta=last.delta + told.delta, scores=scores)
            return True
        for kind in (Lag, Received):
            if isinstance(told, kind) and isinstance(last, kind):
                self._queue[-1] = told
                return True
        return False
