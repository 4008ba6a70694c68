"""One session: requests in, events out, whatever connection carries them. Event loop only."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from ...model.delay import MS_PER_TOKEN, STREAMING_PAD_ID
from ...protocol.errors import (
    IllegalMoveError,
    InvalidRequestError,
    SessionClosedError,
    SessionFailedError,
    SessionLimitError,
    SlowReaderError,
    VoxwireError,
)
from ...protocol.session import (
    Audio,
    Clear,
    Cleared,
    CloseReason,
    Commit,
    Configure,
    Configured,
    Draining,
    Ended,
    Event,
    Finish,
    KeepAlive,
    Lag,
    Received,
    Reply,
    Request,
    RequestRefused,
    SessionSettings,
    Warned,
)
from ..engine.place import Place
from ..engine.session import Token
from .backing import Backing
from .changes import check_change
from .clock import SessionClock
from .hearing import Hearing
from .outbox import Outbox
from .receipts import Receipts
from .recorder import Recorder
from .rolling import Roll, RollingSession
from .segments import SegmentWriter
from .state import State, check_move, check_state
from .stopwatch import Stopwatch
from .stuck import StuckWatch

log = logging.getLogger(__name__)

_ENGINE_ENDED = (SessionFailedError, SessionClosedError)  # `run` is told of it, and tells


class Session:
    """One stream of audio and its transcript.

    Give it each request by `handle`, in order, from one task; run `run` in another until it
    returns; tell the client what comes out of `outbox`, whose last event is Ended.
    """

    def __init__(
        self,
        session_id: str,
        backing: Backing,
        place: Place,
        settings: SessionSettings,
        recorder: Recorder | None = None,
    ) -> None:
        self.id = session_id
        self.outbox = Outbox(self._fail_slow_reader)
        self.settings = settings
        self.state = State.CREATED
        self.end_code = ""  # why it ended, once it has
        self.recorder = recorder or Recorder()
        self._backing = backing
        self._place = place
        limits = backing.limits
        self._clock = clock = SessionClock()
        self._writer = SegmentWriter(backing.tekken, clock, settings.endpoint, limits.max_segment_s)
        self._hearing = Hearing(settings, clock, self._writer, limits, self.recorder.heard)
        self._heard: RollingSession | None = None
        self._is_begun = asyncio.Event()  # or over
        self._end_reason = CloseReason.END
        self._end_error: VoxwireError | None = None
        self._told_lag_s = 0.0
        self._turn = asyncio.Lock()  # one request at a time, though connections change
        self._receipts = Receipts()
        self._watch = StuckWatch(limits.stuck_after_s) if limits.stuck_after_s else None
        self._stopwatch = Stopwatch(backing.metrics)

    @property
    def audio_s(self) -> float:
        """Seconds of audio that came."""
        return self._clock.sent_s

    async def received(self) -> Received:
        """Return what came, once the request at hand is done."""
        async with self._turn:
            return self._receipts.received

    async def handle(self, request: Request) -> None:
        """Do what the client asks; waits while the engine has no room for more audio.

        Raises InvalidRequestError: nothing was done then, and the session goes on. What comes while
        the server ends it is dropped: its client cannot know. Shield it from being cancelled.
        """
        async with self._turn:
            try:
                with contextlib.suppress(*_ENGINE_ENDED):
                    await self._do(request)
            finally:
                told = self._receipts.count(request, self.settings.format.bytes_per_s)
                if told is not None and self.state is not State.CLOSED:
                    self.outbox.put(told)

    async def _do(self, request: Request) -> None:
        is_ended_here = self.state is State.DRAINING and self._end_reason is not CloseReason.END
        if is_ended_here and isinstance(request, Audio | Commit | Clear | Finish):
            return
        match request:
            case Reply():
                self.outbox.put(request)
            case KeepAlive():
                pass
            case Configure():
                await self._configure(request)
            case Audio():
                await self._hear(request.data)
            case Commit():
                await self._commit()
            case Clear():
                await self._clear(request.ref)
            case Finish():
                await self._finish(CloseReason.END)
        self.recorder.asked(request)

    async def run(self) -> None:
        """Tell what the engine writes, until the session has ended."""
        await self._is_begun.wait()
        if self._heard is None:
            return
        try:
            async for event in self._heard:
                if isinstance(event, Token):
                    is_pad = event.id == STREAMING_PAD_ID
                    self.recorder.wrote(event, is_pad=is_pad)
                    self._tell(self._writer.push(event))
                    self._tell_lag(event)
                else:
                    self._tell(self._writer.flushed(event.padding_samples))
        except VoxwireError as error:
            self.fail(error)
        except Exception:
            log.exception("session=%s writing=failed", self.id)
            self.fail(SessionFailedError("the transcript could not be written"))
        else:
            self._close(self._end_reason, self._end_error)

    async def _finish(self, reason: CloseReason, error: VoxwireError | None = None) -> None:
        """Take no more audio, and end when all that came is written."""
        check_state(self.state, State.CREATED, State.STREAMING, to="finish")
        self.state = State.DRAINING
        self._stopwatch.closing(reason)
        self._end_reason, self._end_error = reason, error
        if self._heard is None:
            self._close(reason, error)
            return
        await self._hearing.finish(self._heard, self._tell, reason)

    async def drain(self, seconds_left: float) -> None:
        """Announce that the server goes down, and finish."""
        async with self._turn:
            if self.state in (State.CREATED, State.STREAMING):
                self._receipts.stop()
                self._tell([Draining(seconds_left)])
                with contextlib.suppress(*_ENGINE_ENDED, IllegalMoveError):  # full: it ended
                    await self._finish(CloseReason.SHUTDOWN)

    async def end_with(self, error: VoxwireError) -> None:
        """End with an error, after all that came is written."""
        async with self._turn:
            if self.state in (State.CREATED, State.STREAMING):
                with contextlib.suppress(*_ENGINE_ENDED):
                    await self._finish(CloseReason.ERROR, error)

    def fail(self, error: VoxwireError) -> None:
        """End with an error at once, after what was written."""
        self._close(CloseReason.ERROR, error)

    def refuse(self, error: InvalidRequestError) -> None:
        """Tell the client that a request was wrong; all else goes on."""
        self._tell([RequestRefused(error, error.ref)])

    def abandon(self) -> None:
        """End because the client is gone; nobody is told."""
        self._close(CloseReason.DISCONNECT, None)

    async def _configure(self, request: Configure) -> None:
        check_state(self.state, State.CREATED, State.STREAMING, to="change its settings")
        wanted = request.settings
        self._backing.engine.check_delay(wanted.delay_ms)
        if self.state is not State.CREATED:
            check_change(self.settings, request, had_pads=self._hearing.had_pads)
        await self._hearing.configure(self._heard, wanted, self._tell)
        self.settings = wanted
        self._tell([Configured(wanted, request.ref)])

    async def _hear(self, data: bytes) -> None:
        check_state(self.state, State.CREATED, State.STREAMING, to="take audio")
        heard, before_s = self._begin(), self.audio_s
        is_too_long = await self._hearing.hear(heard, data, self._tell)
        self._stopwatch.heard(self.audio_s - before_s)
        if is_too_long:
            message = f"expected {self._backing.limits.max_s:g} s of audio at most, got more"
            await self._finish(CloseReason.ERROR, SessionLimitError(message))

    async def _commit(self) -> None:
        check_state(self.state, State.CREATED, State.STREAMING, to="commit")
        heard = self._begin()
        self._stopwatch.closing(CloseReason.COMMIT)
        await self._hearing.commit(heard, self._tell)

    async def _clear(self, ref: str | None) -> None:
        check_state(self.state, State.CREATED, State.STREAMING, to="clear")
        if self._heard is None:
            self._tell([Cleared(ref)])
        else:
            await self._hearing.clear(self._heard, self._tell, ref)

    def _begin(self) -> RollingSession:
        """Return the engine's session, opened with the settings as they are now."""
        if self._heard is None:
            scores = self.settings.wants_scores
            first = self._place.open(self._delay_ms, log_probs=scores)
            self._heard = RollingSession(
                first,
                lambda stuck: self._backing.engine.replace(stuck, self._delay_ms, log_probs=scores),
                self._watch,
                self._clock,
                self._backing.tekken,
                self._on_roll,
            )
            self.state = State.STREAMING
            self._is_begun.set()
        return self._heard

    def _on_roll(self, roll: Roll) -> None:
        self._clock.begin_anew(roll.token, roll.at)
        message = f"the decoder wrote nothing over {roll.seconds:.0f} s of speech; it is asked anew"
        self._tell([Warned("decoder_stuck", message)])

    @property
    def _delay_ms(self) -> int:
        return self.settings.delay_ms or self._backing.default_delay_ms

    def _tell(self, events: list[Event]) -> None:
        for event in events:
            self._stopwatch.told(event, self.audio_s)
            self.recorder.told(event)
            self.outbox.put(event)

    def _tell_lag(self, token: Token) -> None:
        """Tell the lag once a second of audio."""
        written_s = self._clock.session_s(token.index * MS_PER_TOKEN / 1000)
        if written_s - self._told_lag_s >= 1.0:
            self._told_lag_s = written_s
            self.outbox.put(self._lag(token, written_s))

    def _lag(self, token: Token, written_s: float) -> Lag:
        heard_ms = (token.index + 1) * MS_PER_TOKEN + self._delay_ms
        return Lag(
            received_ms=round(self.audio_s * 1000),
            processed_ms=round(self._clock.session_s(heard_ms / 1000) * 1000),
            emitted_ms=round(written_s * 1000),
            real_time_factor=self._backing.engine.real_time_factor,
        )

    def _fail_slow_reader(self) -> None:
        self.fail(SlowReaderError("the client did not read what it was sent"))

    def _close(self, reason: CloseReason, error: VoxwireError | None) -> None:
        if self.state is State.CLOSED:
            return
        check_move(self.state, State.CLOSED)
        self.state = State.CLOSED
        ended = Ended(reason, self.audio_s, error)
        self._tell([*self._writer.break_off(reason), self._receipts.received, ended])
        if self._heard is not None:
            self._heard.close()
        self._place.release()
        self._is_begun.set()
        self.end_code = reason.value if error is None else error.code
        log.info("session=%s end=%s audio_s=%.1f", self.id, self.end_code, self.audio_s)
