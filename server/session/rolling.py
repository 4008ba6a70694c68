"""A stream through the engine that begins anew where the decoder is stuck. Event loop only."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from ...model.tekken import Tekken
from ..engine.messages import Flushed
from ..engine.session import EngineSession, Token
from .clock import SessionClock
from .samples import RATE_HZ, Samples
from .stuck import StuckWatch

log = logging.getLogger(__name__)

MAX_FLUSHES = 64  # not done: who commits faster than the engine flushes waits, as with audio


@dataclass(frozen=True, slots=True)
class _Flush:
    """What was fed before a flush, in samples. is_end: nothing follows it."""

    at: int
    is_end: bool


@dataclass(frozen=True, slots=True)
class Roll:
    """Where the stream began anew: its next token, and the first sample heard again."""

    token: int
    at: int
    seconds: float  # of audio that is decoded again


class RollingSession:
    """An engine's session, and another in its place where its decoder is stuck.

    What was heard since the last text is decoded again by the other; tokens are numbered on.
    replace_: closes one and opens the other. on_roll: told before its first token. watch: None
    never begins anew.
    """

    def __init__(
        self,
        first: EngineSession,
        replace_: Callable[[EngineSession], EngineSession],
        watch: StuckWatch | None,
        clock: SessionClock,
        tekken: Tekken,
        on_roll: Callable[[Roll], None],
    ) -> None:
        self._now = first
        self._replace = replace_
        self._watch = watch
        self._clock = clock
        self._tekken = tekken
        self._on_roll = on_roll
        self._first_token = 0  # of the engine's session at hand
        self._n_fed = 0  # samples
        self._flushes: deque[_Flush] = deque()  # that are not done
        self._has_flushed = asyncio.Event()  # or is closed
        self._is_closed = False
        self._feeding = asyncio.Lock()

    async def feed(self, samples: Samples) -> None:
        """Append audio; see EngineSession.feed."""
        async with self._feeding:
            self._n_fed += len(samples)
            if self._watch is not None:
                self._watch.heard(samples)
            await self._now.feed(samples)

    async def flush(self) -> None:
        """Have all that was fed written; see EngineSession.flush. Waits while many are not done."""
        while len(self._flushes) >= MAX_FLUSHES and not self._is_closed:
            self._has_flushed.clear()
            await self._has_flushed.wait()
        async with self._feeding:
            self._flushes.append(_Flush(self._n_fed, is_end=False))
            self._now.flush()

    async def end(self) -> None:
        """Have all that was fed written, and end; see EngineSession.end."""
        async with self._feeding:
            self._flushes.append(_Flush(self._n_fed, is_end=True))
            self._now.end()

    def close(self) -> None:
        """Drop the stream with all that is not yet written. May be called again."""
        self._now.close()
        self._is_closed = True
        self._has_flushed.set()

    def __aiter__(self) -> Self:
        """Iterate over the events."""
        return self

    async def __anext__(self) -> Token | Flushed:
        """Return the next event, waiting for it. Raises what the engine's session does."""
        event = await anext(self._now)
        if isinstance(event, Flushed):
            done = self._flushes.popleft()
            self._has_flushed.set()
            if self._watch is not None:
                self._watch.forget(done.at)
            return event
        token = replace(event, index=self._first_token + event.index)
        if self._watch is not None:
            await self._look(token, self._watch)
        return token

    async def _look(self, token: Token, watch: StuckWatch) -> None:
        """Begin anew after this token if the decoder is stuck."""
        heard = self._clock.heard_at(token.index + 1)
        if self._tekken.token_bytes(token.id) or token.id == self._tekken.streaming_word:
            watch.wrote(heard)
        elif await watch.is_stuck(heard):
            async with self._feeding:
                await self._roll_over(token, watch)

    async def _roll_over(self, token: Token, watch: StuckWatch) -> None:
        another = self._replace(self._now)
        self._now, self._first_token = another, token.index + 1
        at, samples = watch.kept()
        watch.was_in_vain()
        watch.forget(at)
        log.warning("decoder=stuck seconds=%.1f", len(samples) / RATE_HZ)
        self._on_roll(Roll(self._first_token, at, len(samples) / RATE_HZ))
        await self._feed_again(another, at, samples)

    async def _feed_again(self, another: EngineSession, at: int, samples: Samples) -> None:
        """Feed what was heard from a sample on, with the flushes that are not done."""
        for flush in self._flushes:
            await another.feed(samples[: flush.at - at])
            at, samples = flush.at, samples[flush.at - at :]
            if flush.is_end:
                another.end()
                return
            another.flush()
        await another.feed(samples)
