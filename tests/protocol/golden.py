"""What the golden transcripts of the dialects share: a context without chance, events in short."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

from pydantic import TypeAdapter

from voxwire.protocol.dialect import Close, Context, Dialect
from voxwire.protocol.session import CloseReason, Event, Final, Partial, Request, Score

CREATED_S = 1_764_111_000.5


def context() -> Context:
    """Return a context whose ids count from 1 for each prefix."""
    counters: dict[str, itertools.count[int]] = {}

    def new_id(prefix: str) -> str:
        return f"{prefix}_{next(counters.setdefault(prefix, itertools.count(1)))}"

    return Context(model="embedded", default_delay_ms=480, new_id=new_id, now_s=lambda: CREATED_S)


class Golden:
    """One dialect with its two sides: what its client sends, and what its session tells."""

    def __init__(self, dialect: Dialect, events: TypeAdapter[Any]) -> None:
        self.dialect = dialect
        self._events = events

    def greets(self) -> list[dict[str, Any]]:
        """Return the greeting."""
        return [self._read(message) for message in self.dialect.greet()]

    def hears(self, message: dict[str, Any]) -> list[Request]:
        """Return what a message of the client's asks for."""
        return list(self.dialect.receive(json.dumps(message)))

    def says(self, event: Event) -> list[dict[str, Any] | Close]:
        """Return what the client is told of an event, validated, without the events' own ids."""
        told = self.dialect.tell(event)
        return [one if isinstance(one, Close) else self._read(one) for one in told]

    def _read(self, message: str | bytes) -> dict[str, Any]:
        self._events.validate_json(message)
        fields: dict[str, Any] = json.loads(message)
        fields.pop("event_id", None)
        return fields


def pcm(milliseconds: int, rate_hz: int = 24000) -> str:
    """Return silence as base64 PCM."""
    return base64.b64encode(bytes(2 * rate_hz * milliseconds // 1000)).decode()


def partial(segment: int, delta: str, text: str = "", scores: tuple[Score, ...] = ()) -> Partial:
    """Return new text of a segment."""
    return Partial(segment, delta, text or delta, at_s=1.0, scores=scores)


def final(
    segment: int,
    text: str,
    reason: CloseReason = CloseReason.COMMIT,
    span_s: tuple[float, float] = (0.0, 1.5),
    scores: tuple[Score, ...] = (),
) -> Final:
    """Return a closed segment of 10 tokens."""
    return Final(segment, reason, text, (), *span_s, scores=scores, n_tokens=10)
