"""How long, and how often, a client tries to reach its server again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .notices import GaveUpError, Reconnecting


@dataclass(frozen=True, slots=True)
class Persistence:
    """When to try again, when to give up, and how much to keep for it.

    first_s, longest_s: waits grow from one to the other by doubling, and each is drawn from its
    upper half, so that the clients of a server that comes back do not come all at once. give_up_s:
    without anything from a server. stall_s: a connection that is silent for so long is broken, and
    one that takes longer to open. keep_s: of audio that the server has not confirmed; where there
    is more, sending waits.
    """

    first_s: float = 0.25
    longest_s: float = 8.0
    give_up_s: float = 120.0
    stall_s: float = 20.0
    keep_s: float = 30.0
    draw: Callable[[], float] = random.random
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now_s: Callable[[], float] = time.monotonic

    def wait_s(self, attempt: int) -> float:
        """Return how long to wait before an attempt, counted from 1."""
        longest = min(self.longest_s, self.first_s * 2.0 ** min(attempt - 1, 32))
        return longest * (1 + self.draw()) / 2


class Attempts:
    """Counts failures to reach a server, since something last came from one."""

    def __init__(self, persistence: Persistence) -> None:
        self._persistence = persistence
        self.succeeded()

    def succeeded(self) -> None:
        """Note that something came."""
        self._n = 0
        self._wait_s = 0.0
        self._since_s: float | None = None

    def failed(self, reason: str) -> Reconnecting:
        """Count a failure; return what to tell. Raises GaveUpError where it takes too long."""
        now_s = self._persistence.now_s()
        if self._since_s is None:
            self._since_s = now_s
        if now_s - self._since_s >= self._persistence.give_up_s:
            tried = f"tried for {self._persistence.give_up_s:g} s"
            raise GaveUpError(f"{tried} to reach the server again: {reason}")
        self._n += 1
        self._wait_s = self._persistence.wait_s(self._n)
        return Reconnecting(self._n, self._wait_s, reason)

    async def wait(self) -> None:
        """Wait as long as was told."""
        await self._persistence.sleep(self._wait_s)
