"""How long, and how often, a client tries to reach its server again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


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
