"""The flight recorder: what lately happened to one session, with no audio and no text in it.

It is always on, so each call is a few additions or an append to a bounded ring. Event loop only.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TypeAlias

from ...protocol.errors import (
    DisplacedError,
    IdleError,
    SessionLimitError,
    ShutdownError,
    SlowReaderError,
    VoxwireError,
)
from ...protocol.session import (
    Audio,
    Committed,
    Configured,
    Draining,
    Ended,
    Event,
    Final,
    KeepAlive,
    Reply,
    Request,
    RequestRefused,
    SessionSettings,
    SpeechStarted,
    SpeechStopped,
    Warned,
)
from ..engine.messages import Stepped
from ..engine.session import Token
from .recording import Recording
from .samples import RATE_HZ, Samples

MAX_DECISIONS = 256
MAX_TIMINGS = 256
TIMED_TOKENS = 25  # two seconds of audio

# A session that ends by these does as its client, or its operator, made it.
_NO_FAULTS = (DisplacedError, IdleError, SessionLimitError, ShutdownError, SlowReaderError)

Fact: TypeAlias = str | bool | int | float | None


@dataclass(frozen=True, slots=True)
class Decision:
    """Something that was decided. at_s: since the session began. audio_s: that had come."""

    at_s: float
    audio_s: float
    what: str
    facts: dict[str, Fact]


@dataclass(slots=True)
class _Tally:
    """Some tokens that followed each other, up to `token`, and the passes that wrote them.

    pad_run: the longest run of [STREAMING_PAD] that reaches into them. max_rows: of a pass.
    step_s, max_step_s: of the passes, together and the slowest. max_waited_s: of live audio.
    """

    token: int = 0
    n_tokens: int = 0
    pad_run: int = 0
    n_passes: int = 0
    max_rows: int = 0
    step_s: float = 0.0
    max_step_s: float = 0.0
    max_waited_s: float = 0.0

    def add(self, step: Stepped) -> None:
        """Count a pass."""
        self.n_passes += 1
        self.max_rows = max(self.max_rows, step.n_rows)
        self.step_s += step.seconds
        self.max_step_s = max(self.max_step_s, step.seconds)
        self.max_waited_s = max(self.max_waited_s, step.waited_s or 0.0)


@dataclass(frozen=True, slots=True)
class Timing:
    """What a tally was. at_s: since the session began. audio_s: that had come."""

    at_s: float
    audio_s: float
    token: int
    n_tokens: int
    pad_run: int
    n_passes: int
    max_rows: int
    step_s: float
    max_step_s: float
    max_waited_s: float


class Recorder:
    """The rings of one session, and where its operator opted in, a recording of it.

    clock: seconds, monotonic.
    """

    def __init__(
        self, recording: Recording | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.error: VoxwireError | None = None  # that ended it
        self.end: str | None = None  # once it has: a reason, or the error's code
        self.decisions: deque[Decision] = deque(maxlen=MAX_DECISIONS)
        self.timings: deque[Timing] = deque(maxlen=MAX_TIMINGS)
        self.began_at_s = time.time()  # since 1970
        self.n_samples = 0
        self.recording = recording
        self._clock = clock
        self._began_s = clock()
        self._ended_s: float | None = None
        self._pad_run = 0
        self._last_step: Stepped | None = None
        self._tally = _Tally()

    @property
    def is_fault(self) -> bool:
        """Whether the session was ended by an error of the server's, not of its client's."""
        return self.error is not None and not isinstance(self.error, _NO_FAULTS)

    @property
    def lasted_s(self) -> float:
        """Seconds from the beginning of the session to its end, or to now."""
        return (self._ended_s or self._clock()) - self._began_s

    def note(self, what: str, **facts: Fact) -> None:
        """Note a decision. facts: of ours, never a client's text."""
        self.decisions.append(Decision(self._at_s, self._audio_s, what, facts))

    def heard(self, samples: Samples) -> None:
        """Note decoded audio."""
        self.n_samples += len(samples)
        if self.recording is not None:
            self.recording.heard(samples)

    def asked(self, request: Request) -> None:
        """Note what the client asked for, once it is done."""
        if isinstance(request, Audio | KeepAlive | Reply):
            return
        self.note(f"asked_{type(request).__name__.lower()}")
        if self.recording is not None:
            self.recording.asked(request)

    def told(self, event: Event) -> None:
        """Note what the client is told."""
        noted = _noted(event)
        if noted is not None:
            what, facts = noted
            self.note(what, **facts)
        if isinstance(event, Ended):
            self.error = event.error
            self.end = event.reason.value if event.error is None else event.error.code
            self._ended_s = self._clock()
            if self._tally.n_tokens:
                self._time()
        if self.recording is not None:
            self.recording.told(event)

    def wrote(self, token: Token, *, is_pad: bool) -> None:
        """Note a token, and the pass that wrote it."""
        tally = self._tally
        tally.token = token.index
        tally.n_tokens += 1
        self._pad_run = self._pad_run + 1 if is_pad else 0
        tally.pad_run = max(tally.pad_run, self._pad_run)
        if token.step is not None and token.step is not self._last_step:
            self._last_step = token.step
            tally.add(token.step)
        if tally.n_tokens >= TIMED_TOKENS:
            self._time()

    @property
    def _at_s(self) -> float:
        return round(self._clock() - self._began_s, 3)

    @property
    def _audio_s(self) -> float:
        return round(self.n_samples / RATE_HZ, 3)

    def _time(self) -> None:
        tally = {name: round(value, 6) for name, value in asdict(self._tally).items()}
        self.timings.append(Timing(self._at_s, self._audio_s, **tally))
        self._tally = _Tally()


def _noted(event: Event) -> tuple[str, dict[str, Fact]] | None:
    """Return what of an event is worth a line, without the words; None where nothing is."""
    match event:
        case Configured():
            return "configured", settings_facts(event.settings)
        case SpeechStarted():
            return "speech_started", {"segment": event.segment, "at_audio_s": event.at_s}
        case SpeechStopped():
            return "speech_stopped", {"segment": event.segment, "at_audio_s": event.at_s}
        case Committed():
            return "committed", {"segment": event.segment, "reason": event.reason.value}
        case Final():
            return "final", _final_facts(event)
        case Warned():
            return "warned", {"code": event.code}
        case RequestRefused():
            return "refused", {"code": event.error.code}
        case Draining():
            return "draining", {"seconds_left": event.seconds_left}
        case Ended():
            code = None if event.error is None else event.error.code
            return "ended", {"reason": event.reason.value, "code": code}
        case _:
            return None


def _final_facts(final: Final) -> dict[str, Fact]:
    return {
        "segment": final.segment,
        "reason": final.reason.value,
        "n_words": len(final.words),
        "n_tokens": final.n_tokens,
        "start_s": final.start_s,
        "end_s": final.end_s,
    }


def settings_facts(settings: SessionSettings) -> dict[str, Fact]:
    """Return settings on one level: numbers, and names of ours."""
    endpoint = settings.endpoint
    return {
        "encoding": settings.format.encoding.value,
        "rate_hz": settings.format.rate_hz,
        "n_channels": settings.format.n_channels,
        "delay_ms": settings.delay_ms,
        "endpoint": None if endpoint is None else type(endpoint).__name__,
        "silence_ms": None if endpoint is None else endpoint.silence_ms,
        "wants_scores": settings.wants_scores,
    }
