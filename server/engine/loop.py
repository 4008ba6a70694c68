"""One turn after another of the engine: admit, collect, step, emit, retire.

A fault of one row ends one session; a fault of a step ends the sessions in it, and more only where
the caches are lost with it. Engine thread only.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...model.delay import NOT_FINITE
from ...model.mel import Floats, frames_of
from ...protocol.errors import NotFiniteError, RowFaultError, SessionFailedError
from .admission import Kind, Load
from .backend import Backend
from .costs import StepCosts
from .faults import FaultLimitError, fault_of, forget_frames
from .leases import Leases
from .messages import (
    Audio,
    Close,
    Command,
    Consumed,
    Ended,
    Event,
    Flush,
    Ids,
    Open,
    Seen,
    Stepped,
)
from .plan import LIVE_BUDGET_S, POSITION_S, Pass, Ready, is_behind, plan
from .row import Row
from .warmup import calibrate

Inbox = queue.SimpleQueue[tuple[Command, float] | None]  # with when it was sent; None: stop

_IDLE_S = 0.5  # between heartbeats while there is nothing to do
REST_S = 10.0  # without a session, after which memory is given back
_MAX_FAULTS = 3  # steps that fail one after another

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """What a pass gave one row; ids and log_probs: [n]."""

    row: Row
    ids: Ids
    log_probs: Floats | None


class Loop:
    """All sessions of one loaded model.

    inbox: what the sessions send. post: takes events. Measures the model at construction.
    """

    def __init__(
        self,
        backend: Backend,
        max_sessions: int,
        inbox: Inbox,
        post: Callable[[list[Event]], None],
        clock: Callable[[], float],
    ) -> None:
        self.is_stopping = False
        self._audio = backend.config.audio
        self._max_sessions = min(max_sessions, backend.max_slots)
        self._inbox = inbox
        self._post = post
        self._clock = clock
        self._costs = StepCosts()
        self._events: list[Event] = []
        self._reported = Load(0, 0, is_behind=False)
        self._n_turns = 0
        self._turn_s = 0.0
        self._n_faults = 0
        self._is_idle = False
        self._used_at_s = clock()
        self._is_rested = False
        calibrate(backend, self._costs, self._max_sessions, clock)
        self._leases = Leases(backend, self._max_sessions)
        self._awake: dict[
            int, Row
        ] = {}  # rows that may have something to do; the rest cost nothing
        if self.real_time_factor > 1:
            log.warning("engine=too-slow real_time_factor=%.3g", self.real_time_factor)
        self._report_load()

    @property
    def real_time_factor(self) -> float:
        """Computing time over audio time for the live sessions that are open, at least one."""
        return self._costs.seconds(max(1, self._leases.n_live)) / POSITION_S

    def turn(self) -> None:
        """Do what there is to do, or wait a while for it. Raises FaultLimitError."""
        self._n_turns += 1
        self._admit()
        started_s = self._clock()
        passes = self._collect()
        for each in passes:
            self._emit(self._step(each))
        self._retire()
        self._rest()
        self._is_idle = not passes
        if passes:
            self._turn_s = self._clock() - started_s
        if passes or self._reported.is_behind:
            self._report_load()
        self._send()

    def _rest(self) -> None:
        """Give memory back, once, when nobody has been here for a while."""
        if self._leases.rows:
            self._used_at_s, self._is_rested = self._clock(), False
        elif not self._is_rested and self._clock() - self._used_at_s > REST_S:
            self._leases.rest()
            self._is_rested = True

    def _admit(self) -> None:
        """Take what the sessions sent; wait for it while there is nothing else to do."""
        try:
            item = self._inbox.get(block=self._is_idle, timeout=_IDLE_S)
            while item is not None:
                self._obey(*item)
                item = self._inbox.get_nowait()
            self.is_stopping = True
        except queue.Empty:
            return

    def _obey(self, command: Command, sent_s: float) -> None:
        if isinstance(command, Open):
            self._open(command)
        elif (row := self._leases.rows.get(command.lease)) is not None:
            self._awake[row.lease] = row
            if isinstance(command, Audio | Flush):
                row.push(command, sent_s)
            elif isinstance(command, Seen):
                row.n_unread -= command.n_tokens
            elif isinstance(command, Close):
                self._end(row, None)

    def _open(self, request: Open) -> None:
        try:
            self._leases.open(request)
        except Exception as error:
            log.exception("lease=%d open=failed", request.lease)
            self._events.append(Ended(request.lease, fault_of(error)))

    def _collect(self) -> list[Pass]:
        """Cut the audio that came into positions; return the passes of this turn."""
        ready = []
        for row in list(self._awake.values()):
            self._pull(row)
            if row.n_ready:
                ready.append(
                    Ready(row.lease, row.kind, row.n_ready, row.last_turn, row.wants_log_probs)
                )
            else:
                self._awake.pop(row.lease, None)
        self._send()
        return plan(ready, self._leases.n_live, self._costs)

    def _pull(self, row: Row) -> None:
        try:
            n_samples = row.pull()
        except Exception:
            log.exception("lease=%d audio=failed", row.lease)
            self._end(row, RowFaultError("the audio could not be framed"))
        else:
            if n_samples:
                self._events.append(Consumed(row.lease, n_samples))

    def _step(self, each: Pass) -> list[Result]:
        """Advance the rows of a pass together; none where the step failed."""
        rows = self._leases.take_rows(each.leases)
        if not rows:
            return []
        try:
            sent_s = [row.oldest_s for row in rows if row.oldest_s is not None]
            spans = [row.cut(each.n_positions, self._n_turns) for row in rows]
            mel = frames_of(spans, self._audio)
            started_s = self._clock()
            results = self._advance(rows, mel, each)
            self._note(each, len(rows), started_s, min(sent_s, default=None))
        except Exception as error:
            self._fail(rows, error)
            return []
        self._n_faults = 0
        return results

    def _advance(self, rows: Sequence[Row], mel: Floats, each: Pass) -> list[Result]:
        batch, slots = self._leases.batch, [row.slot for row in rows]
        if each.is_scored:
            ids, scores = batch.advance_scored(slots, mel)
            return [
                Result(row, ids[at], scores[at] if row.wants_log_probs else None)
                for at, row in enumerate(rows)
            ]
        ids = (batch.advance if each.n_positions == 1 else batch.advance_guessing)(slots, mel)
        return [Result(row, ids[at], None) for at, row in enumerate(rows)]

    def _note(self, each: Pass, n_rows: int, started_s: float, sent_s: float | None) -> None:
        """Learn from a pass that is done, and report it. sent_s: of the oldest live audio in it."""
        seconds = self._clock() - started_s
        self._costs.observe(n_rows, each.n_positions, seconds, each.is_scored)
        waited_s = None if sent_s is None else started_s - sent_s
        self._events.append(Stepped(n_rows, each.n_positions, seconds, waited_s))

    def _fail(self, rows: Sequence[Row], error: Exception) -> None:
        """End the sessions of a step that failed, and all others where the caches are lost."""
        log.error("engine=step-failed rows=%d", len(rows), exc_info=error)
        forget_frames(error)  # their arrays are memory that recovering may need
        self._n_faults += 1
        for row in rows:
            self._end(row, fault_of(error))
        if self._n_faults >= _MAX_FAULTS:
            raise FaultLimitError(f"{_MAX_FAULTS} steps failed in a row") from error
        if not self._leases.recover():
            self._end_all(fault_of(error))
            self._leases.renew()

    def _emit(self, results: Sequence[Result]) -> None:
        """Send each row's tokens; end the rows whose numbers are spoilt."""
        for result in results:
            row, ids = result.row, result.ids
            spoilt = np.flatnonzero(ids == NOT_FINITE)
            n_good = spoilt[0] if len(spoilt) else len(ids)
            self._events += row.written(ids, result.log_probs, n_good)
            if len(spoilt):
                self._end(row, NotFiniteError("the model's numbers became NaN or infinite"))
        self._send()

    def _retire(self) -> None:
        """End the sessions that have written all they will."""
        for row in [row for row in self._awake.values() if row.is_done]:
            self._end(row, None)

    def _end(self, row: Row, error: SessionFailedError | None) -> None:
        self._leases.close(row)
        self._awake.pop(row.lease, None)
        self._events.append(Ended(row.lease, error))

    def _end_all(self, error: SessionFailedError) -> None:
        for row in list(self._leases.rows.values()):
            self._end(row, error)

    def _report_load(self) -> None:
        backlogs = [row.n_ready for row in self._leases.rows.values() if row.kind is Kind.LIVE]
        n_sustainable = self._costs.max_rows(LIVE_BUDGET_S, self._max_sessions)
        load = Load(self._max_sessions, n_sustainable, is_behind(backlogs, self._turn_s))
        if load != self._reported:
            self._events.append(load)
            self._reported = load

    def _send(self) -> None:
        if self._events:
            self._post(self._events)
            self._events = []
