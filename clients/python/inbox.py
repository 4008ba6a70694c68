"""What was heard and the caller has not read yet: bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TypeAlias

from ...protocol.native.messages import ServerMessage
from .notices import Notice

MAX_UNREAD = 512  # beyond it nothing more is read, until the caller reads: the server sees that

Heard: TypeAlias = ServerMessage | Notice


class Inbox:
    """A queue from a stream to its caller, with an end."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Heard | None] = asyncio.Queue(MAX_UNREAD)
        self._failure: Exception | None = None

    async def put(self, heard: Heard) -> None:
        """Append; waits while the caller has too much to read."""
        await self._queue.put(heard)

    async def end(self, failure: Exception | None) -> None:
        """Let nothing follow but a failure, if there is one."""
        self._failure = failure
        await self._queue.put(None)

    def cut(self) -> None:
        """Drop what is unread, and end."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)

    async def read(self) -> AsyncGenerator[Heard, None]:
        """Yield all up to the end; raise the failure there."""
        while (heard := await self._queue.get()) is not None:
            yield heard
        self._queue.put_nowait(None)  # for whoever asks again
        if self._failure is not None:
            raise self._failure
