"""A recorded session through the engine again, at full speed, and where its transcript differs."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..model.tekken import Tekken
from ..model.text import TextAssembler
from ..protocol.errors import IllegalMoveError
from ..protocol.session import (
    Audio,
    AudioFormat,
    Clear,
    CloseReason,
    Commit,
    Configure,
    Encoding,
    Ended,
    Final,
    Finish,
    Request,
    SessionSettings,
    VadEndpoint,
)
from .engine.admission import Kind
from .engine.engine import Engine
from .engine.session import EngineSession, Token
from .metrics import Metrics
from .session.backing import Backing, SessionLimits
from .session.recording import SETTINGS, WAV_HEADER_BYTES
from .session.samples import RATE_HZ, Samples
from .session.session import Session

_PIECE_SAMPLES = RATE_HZ
_FORMAT = AudioFormat(Encoding.FLOAT32, RATE_HZ, 1)
# A recording that ends so stops in the middle of what the model was writing.
_BROKEN_OFF = (CloseReason.DISCONNECT.value, CloseReason.ERROR.value)
_PLAIN_REQUESTS: dict[str, type[Commit | Clear | Finish]] = {
    "Commit": Commit,
    "Clear": Clear,
    "Finish": Finish,
}


class RecordingError(Exception):
    """A file that is no recording of a session."""


@dataclass(frozen=True, slots=True)
class Written:
    """A final: its segment's number, its text, and why it was closed."""

    segment: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recording that was read.

    asked: requests, each with how many samples came before. is_whole: it goes to the end that the
    session's client asked for, so that nothing may be written after its last final.
    """

    head: dict[str, Any]
    samples: Samples
    settings: SessionSettings
    asked: tuple[tuple[int, Request], ...]
    finals: tuple[Written, ...]
    is_whole: bool

    @property
    def delay_ms(self) -> int:
        """The delay that the session was begun with, if it changed none."""
        wanted = [each.settings for _, each in self.asked if isinstance(each, Configure)]
        default_ms: int = self.head["default_delay_ms"]
        return [self.settings, *wanted][-1].delay_ms or default_ms

    @property
    def is_cut(self) -> bool:
        """Whether something but the audio's end had the model write what it had heard."""
        wanted = [each for _, each in self.asked]
        settings = [self.settings, *(x.settings for x in wanted if isinstance(x, Configure))]
        return any(isinstance(each, Commit | Clear) for each in wanted) or any(
            isinstance(each.endpoint, VadEndpoint) for each in settings
        )


def read_recording(path: Path) -> Recorded:
    """Read NAME.jsonl and NAME.wav beside it, by the name of either. Raises RecordingError."""
    try:
        lines = path.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
        head, *rest = [json.loads(line) for line in lines]
        samples = np.fromfile(path.with_suffix(".wav"), "<f4", offset=WAV_HEADER_BYTES)
        finals = [each for each in rest if each.get("told") == "Final"]
        ends = [each for each in rest if each.get("told") == "Ended"]
        return Recorded(
            head=head,
            samples=samples.astype(np.float32, copy=False),
            settings=SETTINGS.validate_python(head["settings"]),
            asked=tuple(_asked(rest, len(samples))),
            finals=tuple(Written(x["segment"], x["text"], x["reason"]) for x in finals),
            is_whole=bool(ends) and ends[-1]["reason"] not in _BROKEN_OFF,
        )
    except OSError as error:
        raise RecordingError(f"{error.filename}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RecordingError(f"{path}: expected a recording of a session ({error})") from None


def _asked(lines: Sequence[dict[str, Any]], n_samples: int) -> Iterator[tuple[int, Request]]:
    for line in lines:
        if "asked" not in line or line["n_samples"] > n_samples:
            continue
        yield line["n_samples"], _request(line)


def _request(line: dict[str, Any]) -> Request:
    if line["asked"] == "Configure":
        return Configure(SETTINGS.validate_python(line["settings"]))
    return _PLAIN_REQUESTS[line["asked"]]()


async def replay(recorded: Recorded, engine: Engine, tekken: Tekken) -> list[Written]:
    """Feed what was recorded to a session of its own; return its finals. Raises VoxwireError."""
    limits = SessionLimits(recorded.head["max_segment_s"], 0.0, recorded.head["stuck_after_s"])
    backing = Backing(engine, tekken, limits, recorded.head["default_delay_ms"], Metrics())
    settings = replace(recorded.settings, format=_FORMAT)
    # As an upload: this machine need not keep pace with speech to write the same.
    session = Session("replay", backing, engine.reserve(Kind.UPLOAD), settings)
    _, _, finals = await asyncio.gather(session.run(), _ask(session, recorded), _listen(session))
    return finals


async def transcribe_whole(recorded: Recorded, engine: Engine, tekken: Tekken) -> str:
    """Return the text of the audio as of an upload, which nothing cuts. Raises VoxwireError."""
    async with engine.open(Kind.UPLOAD, recorded.delay_ms) as session:
        _, text = await asyncio.gather(
            _feed_whole(session, recorded.samples), _collect(session, TextAssembler(tekken))
        )
    return text


async def _feed_whole(session: EngineSession, samples: Samples) -> None:
    await session.feed(samples)
    session.end()


async def _collect(session: EngineSession, assembler: TextAssembler) -> str:
    text = ""
    async for event in session:
        if isinstance(event, Token):
            text += assembler.push(event.id).text
    return text + assembler.finish().text


async def _ask(session: Session, recorded: Recorded) -> None:
    """Make the requests, each after its samples; `_listen` tells why a session ended early."""
    with contextlib.suppress(IllegalMoveError):
        await _ask_all(session, recorded)


async def _ask_all(session: Session, recorded: Recorded) -> None:
    done = 0
    for at, request in recorded.asked:
        await _speak(session, recorded.samples[done:at])
        done = at
        if isinstance(request, Configure):
            request = Configure(replace(request.settings, format=_FORMAT))
        await session.handle(request)
        if isinstance(request, Finish):
            return
    await _speak(session, recorded.samples[done:])
    await session.handle(Finish())


async def _speak(session: Session, samples: Samples) -> None:
    for at in range(0, len(samples), _PIECE_SAMPLES):
        await session.handle(Audio(samples[at : at + _PIECE_SAMPLES].astype("<f4").tobytes()))


async def _listen(session: Session) -> list[Written]:
    finals = []
    while True:
        event = await session.outbox.get()
        if isinstance(event, Final):
            finals.append(Written(event.segment, event.text, event.reason.value))
        elif isinstance(event, Ended):
            if event.error is not None:
                raise event.error
            return finals


@dataclass(frozen=True, slots=True)
class Compared:
    """One segment, as it was recorded and as it was written again; None where it was not."""

    segment: int
    recorded: str | None
    again: str | None
    is_equal: bool


def compare(recorded: Recorded, again: Sequence[Written]) -> list[Compared]:
    """Lay the finals beside each other.

    Of a segment that was broken off only the beginning was recorded; after it, anything may come.
    """
    ours, theirs = {x.segment: x for x in again}, {x.segment: x for x in recorded.finals}
    return [
        _compared(segment, theirs.get(segment), ours.get(segment), recorded.is_whole)
        for segment in sorted({*ours, *theirs})
    ]


def _compared(
    segment: int, recorded: Written | None, again: Written | None, is_whole: bool
) -> Compared:
    before = None if recorded is None else recorded.text
    now = None if again is None else again.text
    if before is None:
        is_equal = not is_whole
    elif recorded is not None and recorded.reason in _BROKEN_OFF:
        is_equal = (now or "").startswith(before)
    else:
        is_equal = before == now
    return Compared(segment, before, now, is_equal)


def is_same_text(finals: Sequence[Written], whole: str) -> bool:
    """Say whether segments and a whole text are the same, but for what a cut does to a text.

    That is the space where it was made, and a character of which it parted the bytes.
    """
    return _compact("".join(each.text for each in finals)) == _compact(whole)


def _compact(text: str) -> str:
    return "".join(text.replace("\ufffd", "").split())
