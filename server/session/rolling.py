"""A stream through the engine that begins anew where the decoder is stuck. Event loop only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from ...model.tekken import Tekken
from ...protocol.errors import SessionClosedError, VoxwireError
from ..engine.messages import Flushed
from ..engine.session import EngineSession, Token
from .clock import SessionClock
from .samples import RATE_HZ, Samples
from .stuck import StuckWatch

log = logging.getLogger(__name__)

MAX_FLUSHES = 64  # not done: who commits faster than the engine flushes waits, as with audio
_PIECE_SAMPLES = 16_000  # fed at once: what waits beyond it is not yet kept to be decoded again


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

    What was heard since the last text is decoded again by the other; tokens are numbered on. One
    task feeds and flushes, another reads; neither has to wait for the other to begin anew.
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
        self._again: asyncio.Task[None] | None = None  # feeds what is to be decoded again

    async def feed(self, samples: Samples) -> None:
        """Append audio; see EngineSession.feed. A part may have been taken when it raises."""
        for start in range(0, len(samples), _PIECE_SAMPLES):
            await self._fed_again()
            await self._feed_piece(samples[start : start + _PIECE_SAMPLES])

    async def flush(self) -> None:
        """Have all that was fed written; see EngineSession.flush. Waits while many are not done."""
        while len(self._flushes) >= MAX_FLUSHES and not self._is_closed:
            self._has_flushed.clear()
            await self._has_flushed.wait()
        await self._fed_again()
        self._flushes.append(_Flush(self._n_fed, is_end=False))
        self._now.flush()

    async def end(self) -> None:
        """Have all that was fed written, and end; see EngineSession.end."""
        await self._fed_again()
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

    async def _fed_again(self) -> None:
        while self._again is not None and not self._again.done():
            await asyncio.wait([self._again])

    async def _feed_piece(self, piece: Samples) -> None:
        self._n_fed += len(piece)
        if self._watch is not None:
            self._watch.heard(piece)
        now = self._now
        try:
            await now.feed(piece)
        except SessionClosedError:
            if now is self._now:
                raise
            # Another came in its place meanwhile, which is fed all that the watch keeps.

    async def _look(self, token: Token, watch: StuckWatch) -> None:
        """Begin anew after this token if the decoder is stuck."""
        heard = self._clock.heard_at(token.index + 1)
        if self._tekken.token_bytes(token.id) or token.id == self._tekken.streaming_word:
            watch.wrote(heard)
        elif await watch.is_stuck(heard) and not self._is_closed:
            self._roll_over(token.index + 1, *watch.again(heard))

    def _roll_over(self, token: int, at: int, samples: Samples) -> None:
        """Have another write from a token on, over what was heard from a sample on."""
        seconds = len(samples) / RATE_HZ
        log.warning("decoder=stuck seconds=%.1f", seconds)
        self._now, self._first_token = self._replace(self._now), token
        self._on_roll(Roll(token, at, seconds))
        # Not by who reads: the engine waits for a reader who is far behind.
        self._again = asyncio.create_task(self._feed_again(self._now, at, samples))

    async def _feed_again(self, another: EngineSession, at: int, samples: Samples) -> None:
        """Feed what was heard from a sample on, with the flushes that are not done."""
        with contextlib.suppress(VoxwireError):  # of which whoever feeds or reads next is told
            for flush in list(self._flushes):
                n_before = max(0, flush.at - at)
                await another.feed(samples[:n_before])
                at, samples = at + n_before, samples[n_before:]
                if flush.is_end:
                    another.end()
                    return
                another.flush()
            await another.feed(samples)
