"""One session as a connection sees it: audio in, tokens out. Event loop only."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np

from ...protocol.errors import InvalidRequestError, SessionClosedError, VoxwireError
from .messages import (
    Audio,
    Close,
    Command,
    Consumed,
    Flush,
    Flushed,
    Samples,
    Seen,
    Stepped,
    Tokens,
)

# Audio that waits for the engine: enough to ride out a hiccup, or to keep an upload's blocks full;
# beyond, `feed` waits, and the socket behind it is not read.
MAX_QUEUED_SAMPLES = 160_000
_PIECE_SAMPLES = 16_000  # small beside the queue, or a piece might never find room
_SEEN_TOKENS = 256  # the engine is told in such steps what was read


@dataclass(frozen=True, slots=True)
class Token:
    """A token of the stream: its place in the session, its id, its log-probability if asked for.

    step: the pass that wrote it; no part of what was written.
    """

    index: int
    id: int
    log_prob: float | None
    step: Stepped | None = field(default=None, compare=False, repr=False)


class EngineSession:
    """A stream of audio that the engine transcribes, until `close`, `end` or an error.

    Iterate over it, in one task, for its events: Token, and Flushed once for each `flush` or `end`.
    The iteration ends after `end` or `close`; an error of the session is raised there, after what
    was written before it. The engine waits for a reader that is 1024 tokens behind, and then
    `feed` does.
    """

    def __init__(self, lease: int, send: Callable[[Command], None]) -> None:
        self._lease = lease
        self._send = send
        self._room_samples = MAX_QUEUED_SAMPLES
        self._has_room = asyncio.Event()
        self._events: deque[Token | Flushed] = deque()
        self._has_events = asyncio.Event()
        self._n_unseen = 0  # tokens that were read and the engine was not told of
        self._takes_audio = True
        self._is_over = False
        self._error: VoxwireError | None = None

    async def feed(self, samples: Samples) -> None:
        """Append audio, [n] float32 mono 16 kHz, waiting while the session's queue is full.

        When cancelled, a part may have been taken. Raises InvalidRequestError for what is no
        audio, of which nothing is taken; SessionClosedError, or the session's own error.
        """
        if samples.dtype != np.float32 or samples.ndim != 1 or not np.isfinite(samples).all():
            raise InvalidRequestError("expected finite float32 samples of one channel")
        for start in range(0, len(samples), _PIECE_SAMPLES):
            piece = samples[start : start + _PIECE_SAMPLES].copy()  # the caller's may change
            await self._wait_for_room(len(piece))
            self._room_samples -= len(piece)
            self._send(Audio(self._lease, piece))

    def flush(self) -> None:
        """Have everything that was fed written at full speed; audio may follow.

        Raises as `feed` does.
        """
        self._check_open()
        self._send(Flush(self._lease, is_end=False))

    def end(self) -> None:
        """Have everything that was fed written, and then the session ended. No audio may follow.

        Raises as `feed` does.
        """
        self._check_open()
        self._takes_audio = False
        self._send(Flush(self._lease, is_end=True))

    def close(self) -> None:
        """Drop the session with all that is not yet written. May be called again."""
        if not self._is_over:
            self._send(Close(self._lease))
            self.finish(None)

    def receive(self, event: Tokens | Consumed | Flushed, step: Stepped | None = None) -> None:
        """Take an event from the engine, which alone calls this. step: its latest pass."""
        if self._is_over:
            return
        if isinstance(event, Consumed):
            self._room_samples += event.n_samples
            self._has_room.set()
            return
        if isinstance(event, Tokens):
            self._events.extend(_tokens(event, step))
        else:
            self._events.append(event)
        self._has_events.set()

    def finish(self, error: VoxwireError | None) -> None:
        """End the session. The engine calls this, once, and `close`."""
        self._is_over = True
        self._takes_audio = False
        self._error = self._error or error
        self._has_room.set()
        self._has_events.set()

    def __aiter__(self) -> Self:
        """Iterate over the events."""
        return self

    async def __anext__(self) -> Token | Flushed:
        """Return the next event, waiting for it. Safe to cancel: no event is lost."""
        while not self._events:
            if self._error is not None:
                raise self._error
            if self._is_over:
                raise StopAsyncIteration
            self._has_events.clear()
            await self._has_events.wait()
        event = self._events.popleft()
        if isinstance(event, Token):
            self._count_seen()
        return event

    async def __aenter__(self) -> Self:
        """Return the session, to be closed on leaving."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the session."""
        self.close()

    async def _wait_for_room(self, n_samples: int) -> None:
        self._check_open()
        while self._room_samples < n_samples:
            self._has_room.clear()
            await self._has_room.wait()
            self._check_open()

    def _check_open(self) -> None:
        if self._error is not None:
            raise self._error
        if not self._takes_audio:
            raise SessionClosedError("the session takes no more audio")

    def _count_seen(self) -> None:
        self._n_unseen += 1
        if self._n_unseen == _SEEN_TOKENS:
            self._send(Seen(self._lease, self._n_unseen))
            self._n_unseen = 0


def _tokens(event: Tokens, step: Stepped | None) -> list[Token]:
    ids = event.ids.tolist()
    scores = [None] * len(ids) if event.log_probs is None else event.log_probs.tolist()
    return [
        Token(event.first_index + at, token_id, score, step)
        for at, (token_id, score) in enumerate(zip(ids, scores, strict=True))
    ]
