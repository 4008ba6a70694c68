"""One session that hears the same minute for hours: every minute must be written like the second.

The first differs because nothing came before it. From the second on, all that the windows reach
back to is the same, so that the words and their times within the minute must be, too: a gap, a
repetition, a drift of the clock or of the numbers would show.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tests.soak.audio import CYCLE_S, RATE_HZ, cycle
from voxwire.protocol.session import Audio, Ended, Final, Finish, HeardWord, SessionSettings
from voxwire.server.session.backing import Backing
from voxwire.server.session.session import Session

_PIECE_BYTES = 2 * RATE_HZ
_MAX_GROWTH = 1.02


@dataclass(frozen=True, slots=True)
class Report:
    """One stretch of the soak. memory_bytes: of the process, resident."""

    minutes: int
    wall_s: float
    processor_s: float
    memory_bytes: int


@dataclass(slots=True)
class Soaked:
    """What a soak found. differing: minutes whose words were not those of the second."""

    n_minutes: int = 0
    n_words: int = 0
    differing: list[int] = field(default_factory=list)
    times_run_backwards: bool = False
    reports: list[Report] = field(default_factory=list)
    audio_s: float = 0.0


Minute = list[tuple[str, float, float]]


class _Judge:
    """Sorts words into minutes, and compares each whole minute with the second."""

    def __init__(self, soaked: Soaked) -> None:
        self._soaked = soaked
        self._second: Minute | None = None
        self._now: Minute = []
        self._last_s = 0.0

    def hear(self, heard: HeardWord) -> None:
        word, soaked = heard.word, self._soaked
        soaked.times_run_backwards |= word.end_s < self._last_s
        self._last_s = word.end_s
        while word.end_s >= (soaked.n_minutes + 1) * CYCLE_S:
            self.close_minute()
        start_s = soaked.n_minutes * CYCLE_S
        soaked.n_words += 1
        times = (round(word.start_s - start_s, 2), round(word.end_s - start_s, 2))
        self._now.append((word.text, *times))

    def close_minute(self) -> None:
        if self._soaked.n_minutes == 1:
            self._second = self._now
        elif self._second is not None and self._now != self._second:
            self._soaked.differing.append(self._soaked.n_minutes)
        self._now = []
        self._soaked.n_minutes += 1


async def soak(
    backing: Backing, n_minutes: int, every_minutes: int, on_report: Callable[[Report], None]
) -> Soaked:
    """Let one session hear `n_minutes` as fast as it goes; report every so many minutes."""
    session = Session("soak", backing, backing.engine.reserve(), SessionSettings())
    soaked = Soaked()
    judge = _Judge(soaked)

    async def listen() -> None:
        while True:
            event = await session.outbox.get()
            if isinstance(event, Final):
                for heard in event.words:
                    judge.hear(heard)
            elif isinstance(event, Ended):
                assert event.error is None, event.error
                soaked.audio_s = event.audio_s
                break
        while soaked.n_minutes < n_minutes:
            judge.close_minute()

    async def speak() -> None:
        pcm = (np.clip(cycle(), -1, 1) * 32767).astype("<i2").tobytes()
        since_s, since_processor_s = time.monotonic(), time.process_time()
        for minute in range(1, n_minutes + 1):
            for at in range(0, len(pcm), _PIECE_BYTES):
                await session.handle(Audio(pcm[at : at + _PIECE_BYTES]))
            if minute % every_minutes == 0:
                now_s, now_processor_s = time.monotonic(), time.process_time()
                report = Report(
                    minute, now_s - since_s, now_processor_s - since_processor_s, resident_bytes()
                )
                soaked.reports.append(report)
                on_report(report)
                since_s, since_processor_s = now_s, now_processor_s
        await session.handle(Finish())

    async with asyncio.TaskGroup() as tasks:
        for each in (session.run(), listen(), speak()):
            tasks.create_task(each)
    return soaked


def broken_promises(soaked: Soaked, n_minutes: int) -> list[str]:
    """Return in words what a soak did not hold."""
    broken = []
    if soaked.differing:
        broken.append(f"{len(soaked.differing)} minutes were written otherwise than the second")
    if soaked.times_run_backwards:
        broken.append("word times ran backwards")
    if round(soaked.audio_s) != n_minutes * 60:
        broken.append(f"expected {n_minutes * 60} s of audio, {soaked.audio_s:.0f} were heard")
    first, last = soaked.reports[0], soaked.reports[-1]
    if last.memory_bytes > _MAX_GROWTH * first.memory_bytes:
        grown = last.memory_bytes / first.memory_bytes
        broken.append(f"memory grew to {grown:.3f} of what it was")
    return broken


def resident_bytes() -> int:
    """Return the memory of this process: now where the system tells, else its peak."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
