"""How long a session's client waits for text, for the server's metrics. Event loop only."""

from __future__ import annotations

import asyncio
from collections import deque

from ...protocol.session import CloseReason, Event, Final, Partial, SpeechStopped, Warned
from ..engine.admission import Kind
from ..metrics import Metrics


class Stopwatch:
    """Tells the metrics what one live session told its client, and when."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._first_audio_s: float | None = None  # until the first text
        self._has_text = False
        self._closings: deque[tuple[CloseReason, float]] = deque()  # whose final has not come

    def heard(self, seconds: float) -> None:
        """Note audio that came."""
        self._metrics.heard(Kind.LIVE, seconds)
        if self._first_audio_s is None:
            self._first_audio_s = _now_s()

    def closing(self, reason: CloseReason) -> None:
        """Note that a segment is closed now, whose final will have this reason."""
        self._closings.append((reason, _now_s()))

    def told(self, event: Event, received_s: float) -> None:
        """Note an event, and how much audio had come by then."""
        match event:
            case Partial():
                self._metrics.lagged(max(0.0, received_s - event.at_s))
                if not self._has_text and self._first_audio_s is not None:
                    self._has_text = True
                    self._metrics.first_delta(_now_s() - self._first_audio_s)
            case SpeechStopped():
                self.closing(CloseReason.ENDPOINT)
            case Final(reason=reason) if self._closings and reason is self._closings[0][0]:
                self._metrics.finalised(_now_s() - self._closings.popleft()[1])
            case Warned():
                self._metrics.warned(event.code)
            case _:
                pass


def _now_s() -> float:
    return asyncio.get_running_loop().time()
