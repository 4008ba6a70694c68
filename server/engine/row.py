"""One session as the engine's thread sees it: its queue, its frames, its place in the batch."""

from __future__ import annotations

from collections import deque

from ...model.config import ModelConfig
from ...model.delay import NO_TOKEN
from ...model.mel import Floats, MelStream
from .admission import Kind
from .messages import Audio, Flush, Flushed, Ids, Open, Tokens
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
        self._queue: deque[tuple[Audio | Flush, float]] = deque()
        self._arrivals: deque[tuple[int, float]] = deque()  # of live audio: last position, when
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

    @property
    def oldest_s(self) -> float | None:
        """When the audio was sent that waits longest; None for uploads, which wait by design."""
        return self._arrivals[0][1] if self._arrivals else None

    def push(self, item: Audio | Flush, sent_s: float) -> None:
        """Append audio or a flush to the queue, which the client's side bounds."""
        self._queue.append((item, sent_s))

    def pull(self) -> int:
        """Cut frames for the next passes; return how many samples left the queue, now and then.

        Raises AudioError.
        """
        while self._queue and self._mel.n_ready < _AHEAD and not self.is_ending:
            item, sent_s = self._queue.popleft()
            if isinstance(item, Audio):
                self._hear(item, sent_s)
            else:
                padding = self._mel.flush()
                self._marks.append((self._n_taken + self._mel.n_ready, padding))
                self.is_ending = item.is_end
        if self._n_freed < _REPORTED_SAMPLES:
            return 0
        n_samples, self._n_freed = self._n_freed, 0
        return n_samples

    def _hear(self, audio: Audio, sent_s: float) -> None:
        n_before = self._mel.n_ready
        self._n_freed += len(audio.samples)
        self._mel.feed(audio.samples)
        if self.kind is Kind.LIVE and self._mel.n_ready > n_before:
            self._arrivals.append((self._n_taken + self._mel.n_ready, sent_s))

    def cut(self, n_positions: int, turn: int) -> Floats:
        """Return the samples of the next positions, as `MelStream.cut` does."""
        span = self._mel.cut(n_positions)
        self._n_taken += n_positions
        self.last_turn = turn
        while self._arrivals and self._arrivals[0][0] <= self._n_taken:
            self._arrivals.popleft()
        return span

    def written(self, ids: Ids, log_probs: Floats | None, n_good: int) -> list[Tokens | Flushed]:
        """Return what to tell of the last positions taken, each flush right after its last token.

        ids: of those positions, [n], NO_TOKEN where the prompt was. n_good: how many can be used.
        """
        told: list[Tokens | Flushed] = []
        start, first = 0, self._n_taken - len(ids)
        while self._marks and self._marks[0][0] <= first + n_good:
            position, padding = self._marks.popleft()
            told += self._tokens(ids, log_probs, start, position - first)
            told.append(Flushed(self.lease, self.n_tokens, padding))
            start = position - first
        return told + self._tokens(ids, log_probs, start, n_good)

    def _tokens(self, ids: Ids, log_probs: Floats | None, start: int, end: int) -> list[Tokens]:
        """Return the tokens of positions `start` to `end` of the last pass, if there are any."""
        is_token = ids[start:end] != NO_TOKEN
        tokens = ids[start:end][is_token]
        if not len(tokens):
            return []
        scores = None if log_probs is None else log_probs[start:end][is_token]
        first_index = self.n_tokens
        self.n_tokens += len(tokens)
        self.n_unread += len(tokens)
        return [Tokens(self.lease, first_index, tokens, scores)]
