"""The way of the audio into the engine: decoded, gated, and marked where segments end.

Event loop only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ...protocol.session import (
    Cleared,
    CloseReason,
    Committed,
    Event,
    PadEndpoint,
    SessionSettings,
    SpeechStarted,
    SpeechStopped,
    VadEndpoint,
)
from .backing import SessionLimits
from .clock import SessionClock
from .rolling import RollingSession
from .samples import RATE_HZ, SampleReader, Samples
from .segments import Mark, SegmentWriter
from .vad import Heard, Skipped, Speech, TurnDetector, TurnStarted, TurnStopped

Tell = Callable[[list[Event]], None]
_DECODED_BYTES = 64 << 10  # at once; what waits to be heard waits as the client sent it


class Hearing:
    """What a session hears, and where its segments end: both depend on the audio alone.

    tap: is given all audio as it was decoded, before anything is made of it. had_pads: audio was
    heard whose segments pads may close.
    All methods that feed wait while the engine has no room, and raise what its session does.
    """

    def __init__(
        self,
        settings: SessionSettings,
        clock: SessionClock,
        writer: SegmentWriter,
        limits: SessionLimits,
        tap: Callable[[Samples], None],
    ) -> None:
        self.had_pads = False
        self._settings = settings
        self._tap = tap
        self._clock = clock
        self._writer = writer
        self._max_segment_samples = int(limits.max_segment_s * RATE_HZ)
        self._n_left = int(limits.max_s * RATE_HZ) if limits.max_s else None  # samples to take
        self._reader = SampleReader(settings.format)
        self._detector: TurnDetector | None = None
        if isinstance(settings.endpoint, VadEndpoint):
            self._detector = TurnDetector(settings.endpoint)
        self._n_open = 0  # samples heard since a flush, which some final accounts for
        self._n_unmarked = 0  # samples heard since a mark
        self._start_s: float | None = None  # of the turn, where a detector tells

    async def configure(
        self, heard: RollingSession | None, settings: SessionSettings, tell: Tell
    ) -> None:
        """Take new settings. What a resampler still holds of the old format is dropped.

        A detector that comes later begins with the audio that comes after it; what is open then is
        a segment of its own. Where one goes, the open turn becomes a segment that nobody closes but
        the client.
        """
        if settings.format != self._settings.format:
            self._reader = SampleReader(settings.format)
        endpoint = settings.endpoint
        if not isinstance(endpoint, VadEndpoint):
            if self._detector is not None and heard is not None:
                await self._obey(heard, self._detector.release(), tell)
            self._detector = None
        elif self._detector is not None:
            self._detector.configure(endpoint)
        else:
            if self._n_open and heard is not None:
                await self._close(heard, tell, CloseReason.ENDPOINT)
            self._detector = TurnDetector(endpoint, first=self._clock.n_sent)
        if endpoint != self._settings.endpoint:
            self._writer.change_endpoint(endpoint)
        if isinstance(self._settings.endpoint, PadEndpoint):
            self._n_unmarked = 0  # nobody counted: until here, the writer closes what is too long
        self._settings = settings

    async def hear(self, heard: RollingSession, data: bytes, tell: Tell) -> bool:
        """Take bytes of the client's; return whether more came than a session may hear.

        A long message is decoded by and by, as there is room for it. Raises InvalidRequestError,
        having taken nothing.
        """
        self._reader.check(data)
        is_too_long = False
        for start in range(0, len(data), _DECODED_BYTES):
            samples = self._reader.read(data[start : start + _DECODED_BYTES])
            is_too_long = self._n_left is not None and len(samples) > self._n_left
            await self._take(heard, samples, tell)
            if is_too_long:
                break
        return is_too_long

    async def commit(self, heard: RollingSession, tell: Tell) -> None:
        """Close the segment with all that came."""
        await self._take_rest(heard, tell)
        await self._close(heard, tell, CloseReason.COMMIT)

    async def clear(self, heard: RollingSession, tell: Tell, ref: str | None) -> None:
        """Drop what came since the last segment was closed, and what is written of it.

        A segment that ends within what was still held is told, and stays. Where the writer closes
        segments, only it knows what is dropped, and says so after what is not.
        """
        await self._take_rest(heard, tell)
        is_announced = not self._writer.closes_some
        if is_announced:
            tell([Cleared(ref)])
        self._mark(None, is_announced=is_announced, ref=ref)
        await heard.flush()

    async def finish(self, heard: RollingSession, tell: Tell, reason: CloseReason) -> None:
        """Close the last segment with all that came, and end the engine's session."""
        await self._take_rest(heard, tell)
        self._mark(reason if self._n_open else None, is_announced=True)
        await heard.end()

    async def _take_rest(self, heard: RollingSession, tell: Tell) -> None:
        """Take what the resampler and the detector still hold."""
        await self._take(heard, self._reader.flush(), tell)
        if self._detector is not None:
            await self._obey(heard, self._detector.flush(), tell)

    async def _take(self, heard: RollingSession, samples: Samples, tell: Tell) -> None:
        if self._n_left is not None:
            samples = samples[: self._n_left]
            self._n_left -= len(samples)
        self._tap(samples)
        if self._detector is None:
            await self._feed(heard, samples, tell)
        else:
            await self._obey(heard, await self._detector.feed(samples), tell)

    async def _feed(self, heard: RollingSession, samples: Samples, tell: Tell) -> None:
        """Feed samples, and close a segment that becomes too long at the very sample."""
        if isinstance(self._settings.endpoint, PadEndpoint):  # the writer sees to it
            self.had_pads = True
            await self._feed_piece(heard, samples)
            return
        while len(samples):
            piece = samples[: self._max_segment_samples - self._n_unmarked]
            samples = samples[len(piece) :]
            await self._feed_piece(heard, piece)
            if self._n_unmarked >= self._max_segment_samples:
                self._announce_and_mark(CloseReason.LIMIT, tell, is_flush=False)

    async def _feed_piece(self, heard: RollingSession, samples: Samples) -> None:
        self._clock.heard(len(samples))
        self._n_open += len(samples)
        self._n_unmarked += len(samples)
        await heard.feed(samples)

    async def _obey(self, heard: RollingSession, items: Iterable[Heard], tell: Tell) -> None:
        """Do what the detector says of the audio, in its order."""
        for item in items:
            match item:
                case Speech():
                    await self._feed(heard, item.samples, tell)
                case Skipped():
                    self._clock.skipped(item.n_samples)
                case TurnStarted():
                    self._start_s = item.at_sample / RATE_HZ
                    tell([SpeechStarted(self._writer.next_segment, self._start_s)])
                case TurnStopped():
                    at_s = item.at_sample / RATE_HZ
                    tell([SpeechStopped(self._writer.next_segment, at_s)])
                    await self._close(heard, tell, CloseReason.ENDPOINT)

    async def _close(self, heard: RollingSession, tell: Tell, reason: CloseReason) -> None:
        """Close a segment here, and have all of it written."""
        self._announce_and_mark(reason, tell, is_flush=True)
        await heard.flush()

    def _announce_and_mark(self, reason: CloseReason, tell: Tell, *, is_flush: bool) -> None:
        # Where the writer closes segments too, only it knows the number of this one.
        is_announced = not self._writer.closes_some
        if is_announced:
            tell([Committed(self._writer.next_segment, reason)])
        self._mark(reason, is_announced=is_announced, is_flush=is_flush)

    def _mark(
        self,
        reason: CloseReason | None,
        *,
        is_announced: bool,
        is_flush: bool = True,
        ref: str | None = None,
    ) -> None:
        mark = Mark(
            reason=reason,
            n_heard=self._clock.n_heard,
            end_s=self._clock.sent_s,
            start_s=self._start_s,
            is_announced=is_announced,
            is_flush=is_flush,
            ref=ref,
        )
        self._writer.mark(mark)
        if is_flush:
            self._clock.flush_begins()
            self._n_open = 0
        self._n_unmarked = 0
        self._start_s = None
