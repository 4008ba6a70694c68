"""Makes all attacks in random order, many at once, beside healthy sessions; judges the whole."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime

from tests.chaos import uploads
from tests.chaos.attacks import ATTACKS, Attack
from tests.chaos.doors import DOORS, Door
from tests.chaos.faults import FAULTS, SkippedError, sequence
from tests.chaos.healthy import Healthy, Speech
from tests.chaos.insider import Figures
from tests.chaos.target import Target
from tests.chaos.wire import GUARD_S

AT_ONCE = 12
SETTLE_S = 60.0
RESTED_S = 1.5  # after which the watched engine has given its memory back
MEMORY_GROWTH = 1.02


@dataclass
class Report:
    """What was tried, what was withstood, and what was wrong.

    memory_mb: of the server, each time that all had gone.
    """

    tried: Counter[str] = field(default_factory=Counter)
    survived: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    n_leaked: int = 0
    memory_mb: list[float] = field(default_factory=list)
    memory_growth: float = 1.0

    def blame(self, fault: str) -> None:
        """Keep what was wrong, and say it at once to who waits for the end."""
        self.faults.append(fault)
        print(f"{datetime.now():%H:%M:%S} {fault}", file=sys.stderr, flush=True)

    async def judge(self, kind: str, event: Awaitable[None], n: int = 1) -> None:
        """Count an event; what is wrong with it is kept, and nothing else stops."""
        try:
            async with asyncio.timeout(GUARD_S * n):
                await event
        except SkippedError as skipped:
            self.skipped[kind] = str(skipped)
            return
        except Exception as error:
            self.blame(f"{kind}: {type(error).__name__}: {error}"[:2000])
        else:
            self.survived[kind] += n
        self.tried[kind] += n


@dataclass
class Chaos:
    """One run against one server."""

    target: Target
    speeches: list[Speech]
    rng: random.Random
    report: Report = field(default_factory=Report)
    n_exact: int = 0
    audio_s: float = 0.0
    lost_s: float = 0.0

    def drawn(self, n_rounds: int, *, is_short: bool = False) -> list[Attack]:
        """Return the attacks of so many rounds, in random order."""
        todo = [
            attack
            for attack in ATTACKS
            if attack.is_short or not is_short
            for _ in range(attack.times(n_rounds))
        ]
        self.rng.shuffle(todo)
        return todo

    async def attack(self, todo: list[Attack], n_sessions: int = 0, at_once: int = AT_ONCE) -> None:
        """Make these attacks beside healthy sessions, and beside short ones, in five lines."""
        uploads.prepare()
        share = -(-n_sessions // len(DOORS))
        async with asyncio.TaskGroup() as tasks:
            healthy = self._healthy()
            speaking = tasks.create_task(healthy.run())
            await asyncio.gather(
                *(self._work(todo) for _ in range(at_once)),
                *(self._follow(door, share) for door in DOORS),
            )
            healthy.stop()
            await speaking
        self._add(healthy)

    async def suffer(self) -> None:
        """Let the machine fail in every way; after each, healthy sessions are exact."""
        for fault in FAULTS:
            await self.report.judge(fault.kind, fault.run(self.target, self.speeches[0]))
            await self.speak()

    async def speak(self) -> None:
        """Let each healthy client speak once."""
        healthy = self._healthy()
        await healthy.once()
        self._add(healthy)

    async def settle(self, before: Figures) -> None:
        """Wait until nothing is left that was not there before; what stays is a fault.

        Then weigh the server.
        """
        until_s = time.monotonic() + SETTLE_S
        while left := _left(before, after := await self.target.ask("figures")):
            if time.monotonic() > until_s:
                self.report.blame(f"left behind: {left}, of {after}")
                self.report.n_leaked += round(sum(left.values()))
                break
            await asyncio.sleep(0.05)
        await asyncio.sleep(RESTED_S)
        bytes_now = (await self.target.ask("memory"))["resident_bytes"]
        self.report.memory_mb.append(bytes_now / 1e6)

    def judge_memory(self, since: int) -> None:
        """Blame growth since the server was weighed for the time `since`."""
        first, last = self.report.memory_mb[since], self.report.memory_mb[-1]
        self.report.memory_growth = last / first
        if last > first * MEMORY_GROWTH:
            self.report.blame(f"memory grew from {first:.1f} to {last:.1f} MB")

    def _healthy(self) -> Healthy:
        return Healthy(self.target, self.speeches, self._rng())

    def _rng(self) -> random.Random:
        return random.Random(self.rng.random())

    def _add(self, healthy: Healthy) -> None:
        self.n_exact += healthy.n_exact
        self.audio_s += healthy.audio_s
        self.lost_s += healthy.lost_s
        for fault in healthy.faults:
            self.report.blame(fault)

    async def _follow(self, door: Door, n: int) -> None:
        following = sequence(self.target, door, n, self._rng())
        await self.report.judge("session after session", following, n)

    async def _work(self, todo: list[Attack]) -> None:
        while todo:
            attack = todo.pop()
            await self.report.judge(attack.kind, attack.run(self.target, self._rng()))


def _left(before: Figures, after: Figures) -> Figures:
    return {name: n - before[name] for name, n in after.items() if n > before[name]}
