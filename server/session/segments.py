"""Turn the engine's tokens into partials and finals: what was written, cut into segments.

What comes out depends on the tokens and on where the marks lie in the audio, not on when either
came. Event loop only.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...model.delay import MS_PER_TOKEN
from ...model.tekken import Tekken
from ...model.text import Delta, TextAssembler
from ...model.text import Word as WrittenWord
from ...protocol.session import (
    Cleared,
    CloseReason,
    Committed,
    Endpoint,
    Event,
    Final,
    HeardWord,
    PadEndpoint,
    Partial,
    Score,
)
from ...protocol.transcript import Word
from ..engine.session import Token
from .clock import SessionClock


@dataclass(frozen=True, slots=True)
class Mark:
    """Where in the audio a segment was closed from outside.

    reason: None where what was heard is dropped. n_heard: samples that the model was fed before.
    start_s: where the segment's audio starts, None for the end of the one before. end_s: where it
    ends. is_announced: the client was told Committed, or Cleared, already. ref: of who cleared.
    is_flush: the model was asked to write all; otherwise the segment is closed between words, soon
    after.
    """

    reason: CloseReason | None
    n_heard: int
    end_s: float
    start_s: float | None = None
    is_announced: bool = False
    is_flush: bool = True
    ref: str | None = None


@dataclass(slots=True)
class _Draft:
    """The open segment."""

    text: str = ""
    words: list[tuple[int, Word]] = field(default_factory=list)  # each with its first token
    tokens: list[Token] = field(default_factory=list)  # that wrote text, where scores are wanted
    n_tokens: int = 0
    n_pads: int = 0  # since the model wrote something
    first_text: int | None = None  # token
    last_text: int = 0  # token


class SegmentWriter:
    """The transcript of one session, segment by segment.

    max_segment_s: segments that nothing else closes are closed between words.
    """

    def __init__(
        self, tekken: Tekken, clock: SessionClock, endpoint: Endpoint, max_segment_s: float
    ) -> None:
        self._endpoint = endpoint
        self._endpoints: deque[tuple[int, Endpoint]] = deque()  # to come, each after so much audio
        self.segment = 0  # the open one
        self._tekken = tekken
        self._clock = clock
        self._max_tokens = max_segment_s * 1000 / MS_PER_TOKEN
        self._assembler = TextAssembler(tekken)
        self._marks: deque[Mark] = deque()
        self._draft = _Draft()
        self._end_s = 0.0  # of the segment before
        self._last_word_s = 0.0

    @property
    def next_segment(self) -> int:
        """The number of the segment that the next mark will close, where only marks close any."""
        return self.segment + len(self._marks)

    @property
    def closes_some(self) -> bool:
        """Whether segments that are not written yet may be closed by what is written."""
        endpoints = (self._endpoint, *(endpoint for _, endpoint in self._endpoints))
        return any(isinstance(endpoint, PadEndpoint) for endpoint in endpoints)

    def change_endpoint(self, endpoint: Endpoint) -> None:
        """Close segments otherwise in the audio that comes from here on."""
        n_heard = self._clock.n_heard
        if not n_heard:
            self._endpoint = endpoint
            return
        if self._endpoints and self._endpoints[-1][0] == n_heard:
            self._endpoints.pop()  # of which no audio was to be heard
        self._endpoints.append((n_heard, endpoint))

    def mark(self, mark: Mark) -> None:
        """Note where a segment ends, before the tokens that reach it come."""
        self._marks.append(mark)

    def push(self, token: Token) -> list[Event]:
        """Take the next token; return what there is to tell."""
        self._take_endpoint(token)
        writes_text = bool(self._tekken.token_bytes(token.id))
        events = [] if writes_text else self._close_between_words(token)
        draft = self._draft
        draft.n_tokens += 1
        delta = self._assembler.push(token.id)
        if writes_text:
            draft.n_pads = 0
            draft.last_text = token.index
            if draft.first_text is None:
                draft.first_text = token.index
            if token.log_prob is not None:
                draft.tokens.append(token)
        elif token.id == self._tekken.streaming_word:
            draft.n_pads = 0
        elif not self._is_in_padding(token):
            draft.n_pads += 1
        events += self._add(delta, token)
        if self._is_endpoint():
            events += self._close_here(CloseReason.ENDPOINT)
        elif self._is_too_long(token, times=2):  # nothing but text: no word seems to end
            events += self._close_here(CloseReason.LIMIT)
        return events

    def flushed(self, padding_samples: int) -> list[Event]:
        """Close what the oldest flush closes, now that all before it is written."""
        events: list[Event] = []
        while not self._marks[0].is_flush:
            events += self._close(self._marks.popleft())
        events += self._close(self._marks.popleft())
        self._clock.flush_done(padding_samples)
        return events

    def break_off(self, reason: CloseReason) -> list[Event]:
        """Close the open segment with what was written, if anything was."""
        if not self._draft.text:
            return []
        return self._close(Mark(reason, 0, self._clock.sent_s, is_announced=True))

    def _take_endpoint(self, token: Token) -> None:
        """Close segments as is wanted where the token stands."""
        if self._endpoints and not self._is_in_padding(token):
            heard = self._clock.heard_at(token.index)
            while self._endpoints and self._endpoints[0][0] <= heard:
                self._endpoint = self._endpoints.popleft()[1]

    def _is_in_padding(self, token: Token) -> bool:
        """Tell whether a token lies behind the audio of a flush: what follows is no silence."""
        flush = next((mark for mark in self._marks if mark.is_flush), None)
        return flush is not None and self._clock.heard_at(token.index) >= flush.n_heard

    def _is_endpoint(self) -> bool:
        if not isinstance(self._endpoint, PadEndpoint) or not self._draft.text:
            return False
        return self._draft.n_pads * MS_PER_TOKEN >= self._endpoint.silence_ms

    def _close_between_words(self, token: Token) -> list[Event]:
        """Close the segments whose limit lies before a token that writes no text."""
        events: list[Event] = []
        heard = self._clock.heard_at(token.index)
        while self._marks and not self._marks[0].is_flush and self._marks[0].n_heard <= heard:
            events += self._close(self._marks.popleft())
        if self._is_too_long(token):
            events += self._close_here(CloseReason.LIMIT)
        return events

    def _close_here(self, reason: CloseReason) -> list[Event]:
        """Close the open segment at its last text: the silence after it belongs to the next."""
        end_s = self._time_of(self._draft.last_text)
        return self._close(Mark(reason, 0, end_s, is_announced=True))

    def _is_too_long(self, token: Token, times: int = 1) -> bool:
        first = self._draft.first_text
        if not isinstance(self._endpoint, PadEndpoint) or first is None:
            return False
        return token.index - first >= times * self._max_tokens

    def _add(self, delta: Delta, token: Token) -> list[Event]:
        self._draft.words += self._timed(delta)
        if not delta.text:
            return []
        self._draft.text += delta.text
        if self._marks and self._marks[0].reason is None and self._marks[0].is_announced:
            return []  # the client was told that this segment is dropped
        score = self._scores([token])
        at_s = self._time_of(token.index)
        return [Partial(self.segment, delta.text, self._draft.text, at_s, score)]

    def _close(self, mark: Mark) -> list[Event]:
        events: list[Event] = []
        tail = self._assembler.finish()
        draft, self._draft = self._draft, _Draft()
        draft.words += self._timed(tail)
        if mark.reason is not None:
            if tail.text:
                draft.text += tail.text
                events.append(Partial(self.segment, tail.text, draft.text, mark.end_s))
            if not mark.is_announced:
                events.append(Committed(self.segment, mark.reason))
            events.append(self._final(draft, mark, mark.reason))
        elif not mark.is_announced:
            events.append(Cleared(mark.ref))
        self._end_s = max(self._end_s, mark.end_s)
        self.segment += 1
        return events

    def _final(self, draft: _Draft, mark: Mark, reason: CloseReason) -> Final:
        start_s = self._end_s if mark.start_s is None else max(self._end_s, mark.start_s)
        return Final(
            segment=self.segment,
            reason=reason,
            text=draft.text.rstrip(),
            words=tuple(self._heard_words(draft)),
            start_s=start_s,
            end_s=max(self._end_s, mark.end_s),
            scores=self._scores(draft.tokens),
            n_tokens=draft.n_tokens,
        )

    def _heard_words(self, draft: _Draft) -> list[HeardWord]:
        nexts = [*(first_token for first_token, _ in draft.words[1:]), math.inf]
        heard = []
        for (first_token, word), next_token in zip(draft.words, nexts, strict=False):
            tokens = [t for t in draft.tokens if first_token <= t.index < next_token]
            heard.append(HeardWord(word, _confidence(tokens)))
        return heard

    def _timed(self, delta: Delta) -> list[tuple[int, Word]]:
        """Return the words that a token completed, on the session's clock as it is now."""
        return [(word.first_token, self._on_clock(word)) for word in delta.words]

    def _on_clock(self, word: WrittenWord) -> Word:
        """Return a word with its times, never before the one before."""
        start_s = max(self._last_word_s, self._clock.session_s(word.start_s))
        self._last_word_s = max(start_s, self._clock.session_s(word.end_s))
        return Word(
            text=word.text,
            start_s=round(start_s, 3),
            end_s=round(self._last_word_s, 3),
            space_before=word.space_before,
        )

    def _scores(self, tokens: Sequence[Token]) -> tuple[Score, ...]:
        return tuple(
            Score(self._tekken.token_bytes(token.id), token.log_prob)
            for token in tokens
            if token.log_prob is not None
        )

    def _time_of(self, token_index: int) -> float:
        return self._clock.session_s(token_index * MS_PER_TOKEN / 1000)


def _confidence(tokens: Sequence[Token]) -> float | None:
    """Return the probability of a word's tokens, their geometric mean."""
    scores = [token.log_prob for token in tokens if token.log_prob is not None]
    return round(math.exp(sum(scores) / len(scores)), 4) if scores else None
