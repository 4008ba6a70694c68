"""What the server counts and times, for Prometheus. Methods are named for what happened.

Event loop only. No label holds what a client chose: codes, kinds and dialects are ours and few.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from .. import __version__
from .engine.admission import Kind
from .engine.messages import Stepped

# Half and twice a position's 80 ms, and finer around it: beyond, live sessions fall behind.
_STEP_S = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1, 0.12, 0.16, 0.25, 0.5, 1.0)
_WAIT_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.24, 0.32, 0.48, 0.64, 1.0, 2.0, 4.0, 8.0, 16.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_PREFIX = "voxwire"


class Metrics:
    """The figures of one process, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._gauge("build_info", "The version that runs.", ["version"]).labels(__version__).set(1)
        sessions = ["kind", "dialect"]
        self._open = self._gauge("sessions_open", "Sessions that are open.", sessions)
        self._opened = self._counter("sessions", "Sessions that were begun.", sessions)
        self._ended = self._counter("sessions_ended", "Sessions that ended, by why.", ["reason"])
        self._refusals = self._counter("refusals", "Requests that were refused.", ["code"])
        self._warnings = self._counter("warnings", "Warnings that clients were told.", ["code"])
        self._uploads = self._counter("uploads", "Files, by how it went.", ["outcome"])
        self._audio_s = self._counter("audio_seconds", "Audio that came.", ["kind"])
        self._step_s = self._histogram(
            "step_seconds",
            "One pass of the model, by positions of each row.",
            _STEP_S,
            ["positions"],
        )
        self._rows = self._histogram("batch_rows", "Rows that advanced together.", _ROWS)
        self._queue_s = self._histogram(
            "queue_delay_seconds", "The longest that live audio of a pass waited for it.", _WAIT_S
        )
        self._first_delta_s = self._histogram(
            "first_delta_seconds", "From a session's first audio to its first text.", _WAIT_S
        )
        self._finalise_s = self._histogram(
            "finalise_seconds", "From the end of a segment to its final.", _WAIT_S
        )
        self._lag_s = self._histogram(
            "lag_seconds", "How far text is behind the audio that came, when it is sent.", _WAIT_S
        )

    def watch_capacity(self, n_used: Callable[[], int], n_free: Callable[[], int]) -> None:
        """Read the slots when they are asked for."""
        slots = self._gauge("slots", "Sessions that the engine carries, and could more.", ["state"])
        slots.labels("used").set_function(n_used)
        slots.labels("free").set_function(n_free)

    def session_opened(self, kind: Kind, dialect: str) -> None:
        """Count a session that was begun. dialect: ours, such as deepgram or rest."""
        self._opened.labels(kind.value, dialect).inc()
        self._open.labels(kind.value, dialect).inc()

    def session_ended(self, kind: Kind, dialect: str, reason: str) -> None:
        """Count a session that ended. reason: a CloseReason, or the code of its error."""
        self._open.labels(kind.value, dialect).dec()
        self._ended.labels(reason).inc()

    def refused(self, code: str) -> None:
        """Count a request that was refused: by an error's code."""
        self._refusals.labels(code).inc()

    def warned(self, code: str) -> None:
        """Count a warning to a client."""
        self._warnings.labels(code).inc()

    def upload_ended(self, outcome: str) -> None:
        """Count an upload: done, cancelled, or the code of its error."""
        self._uploads.labels(outcome).inc()

    def heard(self, kind: Kind, seconds: float) -> None:
        """Count audio that came."""
        self._audio_s.labels(kind.value).inc(seconds)

    def stepped(self, step: Stepped) -> None:
        """Note one pass of the model."""
        self._step_s.labels(str(step.n_positions)).observe(step.seconds)
        self._rows.observe(step.n_rows)
        if step.waited_s is not None:
            self._queue_s.observe(step.waited_s)

    def first_delta(self, seconds: float) -> None:
        """Note how long a segment's first text took, from its first audio on."""
        self._first_delta_s.observe(seconds)

    def finalised(self, seconds: float) -> None:
        """Note how long a final took, from the end of its segment on."""
        self._finalise_s.observe(seconds)

    def lagged(self, seconds: float) -> None:
        """Note how far text is behind the audio that came."""
        self._lag_s.observe(seconds)

    def render(self) -> bytes:
        """Return all figures in Prometheus' text format."""
        return generate_latest(self.registry)

    def _gauge(self, name: str, text: str, labels: list[str]) -> Gauge:
        return Gauge(name, text, labels, namespace=_PREFIX, registry=self.registry)

    def _counter(self, name: str, text: str, labels: list[str]) -> Counter:
        return Counter(name, text, labels, namespace=_PREFIX, registry=self.registry)

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], labels: list[str] | None = None
    ) -> Histogram:
        return Histogram(
            name, text, labels or [], namespace=_PREFIX, registry=self.registry, buckets=buckets
        )
