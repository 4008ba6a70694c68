"""How much of the machine others took meanwhile: what a timing is worth depends on it."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

_STAT = Path("/proc/stat")


class Disturbance:
    """Counts from its making on the cores that neither this process nor its children kept busy."""

    def __init__(self) -> None:
        self._wall_s = time.monotonic()
        self._machine_s, self._own_s = _machine_busy_s(), _own_busy_s()

    def cores(self) -> float | None:
        """Return how many cores others kept busy on average; None where the system does not tell.

        Children count once they have ended. What a hypervisor took counts as others'.
        """
        machine_s = _machine_busy_s()
        if machine_s is None or self._machine_s is None:
            return None
        others_s = machine_s - self._machine_s - (_own_busy_s() - self._own_s)
        return max(0.0, round(others_s / (time.monotonic() - self._wall_s), 2))


def _machine_busy_s() -> float | None:
    if not _STAT.is_file():
        return None
    user, nice, system, _idle, _iowait, irq, softirq, steal = (
        int(word) for word in _STAT.read_text().split("\n", 1)[0].split()[1:9]
    )
    ticks = user + nice + system + irq + softirq + steal
    return ticks / os.sysconf("SC_CLK_TCK")


def _own_busy_s() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
