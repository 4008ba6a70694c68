"""Which slots are leased. Plain Python, one thread."""

from __future__ import annotations

import heapq


class SlotPool:
    """Free slots, the lowest given first, so that leased ones are neighbours.

    Neighbouring rows are read as one slice of the caches; scattered ones are copied.
    """

    def __init__(self, n_slots: int) -> None:
        self.n_slots = 0
        self._free: list[int] = []
        self.widen(n_slots)

    @property
    def is_full(self) -> bool:
        """Whether no slot is free."""
        return not self._free

    def widen(self, n_slots: int) -> None:
        """Add slots, up to `n_slots` in all."""
        for slot in range(self.n_slots, n_slots):
            heapq.heappush(self._free, slot)
        self.n_slots = n_slots

    def take(self) -> int:
        """Lease the lowest free slot. Raises IndexError where there is none."""
        return heapq.heappop(self._free)

    def give(self, slot: int) -> None:
        """Take a slot back."""
        heapq.heappush(self._free, slot)
