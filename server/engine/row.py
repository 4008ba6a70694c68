"""One session as the engine's thread sees it: its queue, its frames, its place in the batch."""

from __future__ import annotations

from collections import deque

from ...model.config import ModelConfig
from ...model.mel import Floats, MelStream
from .admission import Kind
from .messages import Audio, Flush, Flushed, Open
from .plan import MAX_BLOCK

# Positions cut ahead of the next pass. More stays in the queue, whose bound the client feels.
_AHEAD = 2 * MAX_BLOCK
MAX_UNREAD_TOKENS = 1024  # 82 s of text: a session whose reader is further behind waits for it
_REPORTED_SAMPLES = 16_000  # a tenth of the queue: the client need not hear of every message


class Row:
    """A leased session. Engine thread only. Raises DelayError."""

    def __init__(self, request: Open, slot: int, config: ModelConfig) -> None:
        self.lease = request.lease
        self.kind: Kind = request.kind
        self.wants_log_probs = request.log_probs
        self.slot = slot
        self.n_tokens = 0
        self.n_unread = 0
        self.last_turn = 0
        self.is_ending = False
        self._mel = MelStream(config, request.delay_tokens)
        self._queue: deque[Audio | Flush] = deque()
        self._n_taken = 0  # positions
        self._n_freed = 0  # samples that left the queue and were not reported
        self._marks: deque[tuple[int, int]] = deque()  # of flushes: last position, padding

    @property
    def n_ready(self) -> int:
        """Positions that the session could advance now."""
        return self._mel.n_ready if self.n_unread < MAX_UNREAD_TOKENS else 0

    @property
    def is_done(self) -> bool:
        """Whether the session was ended by its client and has written everything."""
        return self.is_ending and not self._marks

    def push(self, item: Audio | Flush) -> None:
        """Append audio or a flush to the queue, which the client's side bounds."""
        self._queue.append(item)

    def pull(self) -> int:
        """Cut frames for the next passes; return how many samples left the queue, now and then.

        Raises AudioError.
        """
        while self._queue and self._mel.n_ready < _AHEAD and not self.is_ending:
            item = self._queue.popleft()
            if isinstance(item, Audio):
                self._n_freed += len(item.samples)
                self._mel.feed(item.samples)
            else:
                padding = self._mel.flush()
                self._marks.append((self._n_taken + self._mel.n_ready, padding))
                self.is_ending = item.is_end
        if self._n_freed < _REPORTED_SAMPLES:
            return 0
        n_samples, self._n_freed = self._n_freed, 0
        return n_samples

    def cut(self, n_positions: int, turn: int) -> Floats:
        """Return the samples of the next positions, as `MelStream.cut` does."""
        span = self._mel.cut(n_positions)
        self._n_taken += n_positions
        self.last_turn = turn
        return span

    def wrote(self, n_tokens: int) -> None:
        """Count tokens that were sent to the reader."""
        self.n_tokens += n_tokens
        self.n_unread += n_tokens

    def finished_flushes(self) -> list[Flushed]:
        """Return the flushes whose last position was taken, once."""
        flushed = []
        while self._marks and self._marks[0][0] <= self._n_taken:
            _, padding = self._marks.popleft()
            flushed.append(Flushed(self.lease, self.n_tokens, padding))
        return flushed
