"""The sessions in the batch: which row each leases. Engine thread only."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from .admission import Kind
from .backend import Backend, Batch
from .messages import Open
from .row import Row
from .slots import SlotPool

_N_FIRST_SLOTS = 8  # doubled whenever they do not suffice

log = logging.getLogger(__name__)


class Leases:
    """Rows by lease, and the batch whose slots they hold. It grows by doubling, up to a limit."""

    def __init__(self, backend: Backend, max_sessions: int) -> None:
        self.rows: dict[int, Row] = {}
        self._backend = backend
        self._max_sessions = max_sessions
        self.renew()

    @property
    def n_live(self) -> int:
        """Live sessions that are open."""
        return sum(row.kind is Kind.LIVE for row in self.rows.values())

    def renew(self) -> None:
        """Begin anew with empty caches; nobody may hold a lease."""
        n_slots = min(_N_FIRST_SLOTS, self._max_sessions)
        self.batch: Batch = self._backend.make_batch(n_slots)
        self._slots = SlotPool(n_slots)

    def rest(self) -> None:
        """Give memory back, and begin anew; nobody may hold a lease."""
        del self.batch  # first: there may be no room for a second one
        self._backend.free_unused()
        self.renew()

    def open(self, request: Open) -> None:
        """Lease a slot to a new session. Raises what the device raises."""
        if self._slots.is_full:
            n_slots = min(2 * self._slots.n_slots, self._max_sessions)
            self.batch.widen(n_slots)
            self._slots.widen(n_slots)
        slot = self._slots.take()
        try:
            self.batch.reset(slot, request.delay_tokens)
        except Exception:
            self._slots.give(slot)
            raise
        self.rows[request.lease] = Row(request, slot, self._backend.config)

    def close(self, row: Row) -> None:
        """End a lease; its slot is free."""
        del self.rows[row.lease]
        self._slots.give(row.slot)

    def take_rows(self, leases: Iterable[int]) -> list[Row]:
        """Return the rows of the leases that still hold, in the order of their slots."""
        rows = [self.rows[lease] for lease in leases if lease in self.rows]
        return sorted(rows, key=lambda row: row.slot)

    def recover(self) -> bool:
        """Return whether the caches of the other rows outlived a step that failed.

        They do where what was written to them can be computed: the rows of the step had not
        advanced, and what it wrote lies where no other row looks.
        """
        self._backend.free_unused()
        try:
            self.batch.settle()
        except Exception as error:
            log.error("engine=caches-lost", exc_info=error)
            return False
        return True
