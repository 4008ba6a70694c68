"""What is known of the sessions that are open or ended lately, for whoever looks for a fault.

No audio and no text, unless the operator asked for recordings. Event loop only.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from .. import __version__
from ..protocol.errors import NotFoundError
from ..protocol.session import SessionSettings
from .session.backing import Backing
from .session.recorder import Decision, Recorder, Timing, settings_facts
from .session.recording import SETTINGS, Recordings
from .session.samples import RATE_HZ
from .settings import ServeSettings, SettingsError

log = logging.getLogger(__name__)

MAX_ENDED = 64  # that are kept: some 60 KB each at most
MAX_FAULT_FILES = 128  # the newest stay
_LOGGED_DECISIONS = 8


class FlightSummary(BaseModel):
    """One session in a line."""

    id: str
    dialect: str
    key_id: str | None = Field(description="Of whom it was; null where nobody needs a key.")
    began_at: datetime
    lasted_s: float
    audio_s: float = Field(description="That came.")
    end: str | None = Field(description="Why it ended: a reason, or an error's code.")
    is_fault: bool = Field(description="Whether an error of the server's ended it.")


class FlightReport(FlightSummary):
    """All that is known of one session: the newest of what happened."""

    decisions: list[Decision]
    timings: list[Timing]


@dataclass(frozen=True, slots=True)
class Flight:
    """One session, and its recorder, which outlives it."""

    id: str
    dialect: str
    key_id: str | None
    recorder: Recorder

    def summary(self) -> FlightSummary:
        """Return it in a line."""
        return FlightSummary(**self._facts())

    def report(self) -> FlightReport:
        """Return all of it."""
        recorder = self.recorder
        return FlightReport(
            **self._facts(), decisions=list(recorder.decisions), timings=list(recorder.timings)
        )

    def _facts(self) -> dict[str, Any]:
        recorder = self.recorder
        return {
            "id": self.id,
            "dialect": self.dialect,
            "key_id": self.key_id,
            "began_at": datetime.fromtimestamp(recorder.began_at_s, UTC),
            "lasted_s": round(recorder.lasted_s, 3),
            "audio_s": round(recorder.n_samples / RATE_HZ, 3),
            "end": recorder.end,
            "is_fault": recorder.is_fault,
        }


class Flights:
    """The recorders of a server's sessions: all that are open, and the last that ended."""

    def __init__(self, settings: ServeSettings) -> None:
        self._model = settings.model
        self._debug_dir = settings.debug_dir
        folder = settings.record_audio_dir
        self._recordings = None if folder is None else Recordings(folder)
        self._open: dict[str, Flight] = {}
        self._ended: OrderedDict[str, Flight] = OrderedDict()

    def begin(
        self,
        session_id: str,
        dialect: str,
        key_id: str | None,
        settings: SessionSettings,
        backing: Backing,
    ) -> Recorder:
        """Return the recorder of a session that begins; `end` must follow."""
        recording = None
        if self._recordings is not None:
            head = self._head(session_id, dialect, settings, backing)
            recording = self._recordings.begin(session_id, head)
        recorder = Recorder(recording)
        recorder.note("opened", **settings_facts(settings))
        self._open[session_id] = Flight(session_id, dialect, key_id, recorder)
        return recorder

    def end(self, session_id: str) -> None:
        """Note that a session has ended; where that was a fault, write down what is known."""
        flight = self._open.pop(session_id)
        self._ended[session_id] = flight
        while len(self._ended) > MAX_ENDED:
            self._ended.popitem(last=False)
        if flight.recorder.is_fault:
            self._write_down(flight)

    def summaries(self) -> tuple[list[FlightSummary], list[FlightSummary]]:
        """Return those that are open, and those that ended, the newest last."""
        open_, ended = self._open.values(), self._ended.values()
        return [each.summary() for each in open_], [each.summary() for each in ended]

    def report(self, session_id: str) -> FlightReport:
        """Return what is known of a session. Raises NotFoundError."""
        flight = self._open.get(session_id) or self._ended.get(session_id)
        if flight is None:
            raise NotFoundError("expected the id of a session that is open or ended lately")
        return flight.report()

    def _head(
        self, session_id: str, dialect: str, settings: SessionSettings, backing: Backing
    ) -> dict[str, Any]:
        limits = backing.limits
        return {
            "voxwire": __version__,
            "session": session_id,
            "dialect": dialect,
            "began_at": datetime.now(UTC).isoformat(),
            "model": self._model,
            "default_delay_ms": backing.default_delay_ms,
            "max_segment_s": limits.max_segment_s,
            "stuck_after_s": limits.stuck_after_s,
            "settings": SETTINGS.dump_python(settings, mode="json"),
        }

    def _write_down(self, flight: Flight) -> None:
        report = flight.report()
        last = [f"{each.at_s:.1f}:{each.what}" for each in report.decisions[-_LOGGED_DECISIONS:]]
        line = "session=%s fault=%s audio_s=%.1f last=%s"
        log.error(line, flight.id, report.end, report.audio_s, json.dumps(last))
        if self._debug_dir is not None:
            # In a thread: a disk that hangs holds up nobody.
            path = self._debug_dir / f"{flight.id}.json"
            asyncio.get_running_loop().run_in_executor(None, _write, path, report)


def check_folders(settings: ServeSettings) -> None:
    """Make the folders that the settings name, for nobody else to read. Raises SettingsError."""
    for folder in (settings.debug_dir, settings.record_audio_dir):
        if folder is None:
            continue
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{folder}: {error.strerror}") from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise SettingsError(f"{folder}: cannot be written to")


def _write(path: Path, report: FlightReport) -> None:
    """Write a report, and remove the oldest of too many. Any thread."""
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(report.model_dump_json() + "\n")
        files = sorted(path.parent.glob("sess_*.json"), key=lambda each: each.stat().st_mtime)
        for each in files[:-MAX_FAULT_FILES]:
            each.unlink(missing_ok=True)
    except OSError as error:
        log.error("fault_file=none reason=%s", error.strerror)
