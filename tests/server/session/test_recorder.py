"""The flight recorder: bounded, cheap, telling, and without a word of what was said."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from tests.server.fake_clock import FakeClock
from tests.server.session.sessions import backing
from voxwire.protocol.errors import (
    IdleError,
    InvalidRequestError,
    NotFiniteError,
    ShutdownError,
    VoxwireError,
)
from voxwire.protocol.session import (
    Audio,
    CloseReason,
    Commit,
    Ended,
    Final,
    Finish,
    Partial,
    SessionSettings,
)
from voxwire.server.engine.messages import Stepped
from voxwire.server.engine.session import Token
from voxwire.server.session.recorder import MAX_DECISIONS, MAX_TIMINGS, TIMED_TOKENS, Recorder
from voxwire.server.session.session import Session

PCM = np.random.default_rng(5).integers(-16000, 16000, 80_000).astype("<i2").tobytes()


def test_the_rings_are_bounded_and_keep_the_newest() -> None:
    recorder = Recorder()
    for at in range(3 * MAX_DECISIONS):
        recorder.note("warned", n=at)
    for index in range(TIMED_TOKENS * (MAX_TIMINGS + 7)):
        recorder.wrote(Token(index, 40, None), is_pad=False)
    assert len(recorder.decisions) == MAX_DECISIONS
    assert recorder.decisions[-1].facts == {"n": 3 * MAX_DECISIONS - 1}
    assert len(recorder.timings) == MAX_TIMINGS
    assert recorder.timings[-1].token == TIMED_TOKENS * (MAX_TIMINGS + 7) - 1
    report = [*map(asdict, recorder.decisions), *map(asdict, recorder.timings)]
    assert len(json.dumps(report)) < 120_000


def test_each_pass_counts_once_whatever_it_wrote() -> None:
    recorder = Recorder()
    passes = [Stepped(rows, 2, rows / 100, rows / 10) for rows in (3, 8, 5)]
    for index in range(TIMED_TOKENS):
        recorder.wrote(Token(index, 32, None, passes[min(index // 2, 2)]), is_pad=True)
    (timing,) = recorder.timings
    assert (timing.n_tokens, timing.n_passes, timing.max_rows) == (TIMED_TOKENS, 3, 8)
    assert timing.step_s == pytest.approx(0.16)
    assert (timing.max_step_s, timing.max_waited_s) == (0.08, 0.8)


def test_a_run_of_pads_is_counted_over_the_borders_of_timings() -> None:
    recorder = Recorder()
    for index in range(3 * TIMED_TOKENS):
        recorder.wrote(Token(index, 32, None), is_pad=index != TIMED_TOKENS - 2)
    runs = [timing.pad_run for timing in recorder.timings]
    assert runs == [TIMED_TOKENS - 2, TIMED_TOKENS + 1, 2 * TIMED_TOKENS + 1]


def test_what_is_told_becomes_decisions_without_words() -> None:
    recorder = Recorder(clock=FakeClock().now_s)
    recorder.heard(np.zeros(8000, np.float32))
    recorder.told(Partial(0, " secret", " secret", 0.1))
    recorder.told(Final(0, CloseReason.LIMIT, "secret", (), 0.0, 1.0))
    recorder.told(Ended(CloseReason.END, 0.5))
    assert [each.what for each in recorder.decisions] == ["final", "ended"]
    assert recorder.decisions[0].facts["reason"] == "limit"
    assert recorder.decisions[0].audio_s == 0.5
    assert "secret" not in str(recorder.decisions)
    assert recorder.end == "end"


@pytest.mark.parametrize(
    ("error", "is_fault"),
    [
        (None, False),
        (IdleError("quiet"), False),
        (ShutdownError("down"), False),
        (NotFiniteError("NaN"), True),
        (VoxwireError("a bug"), True),
    ],
)
def test_only_an_error_of_the_servers_is_a_fault(
    error: VoxwireError | None, is_fault: bool
) -> None:
    recorder = Recorder()
    assert not recorder.is_fault
    recorder.told(Ended(CloseReason.ERROR, 0.0, error))
    assert recorder.is_fault is is_fault


def test_a_session_notes_its_passes_requests_refusals_and_end(checkpoint: Path) -> None:
    async def run() -> Recorder:
        async with backing(checkpoint) as shared, asyncio.timeout(60):
            session = Session("sess_1", shared, shared.engine.reserve(), SessionSettings())
            task = asyncio.create_task(session.run())
            await session.handle(Audio(PCM))
            await session.handle(Commit())
            session.refuse(InvalidRequestError("no"))
            await session.handle(Finish())
            await task
            return session.recorder

    recorder = asyncio.run(run())
    whats = [each.what for each in recorder.decisions]
    asked = [what for what in whats if what.startswith("asked") or what == "refused"]
    assert asked == ["asked_commit", "refused", "asked_finish"]
    assert {"committed", "final"} <= set(whats)
    assert whats[-1] == "ended"
    assert all(each.n_passes and each.max_rows == 1 and each.step_s for each in recorder.timings)
    n_tokens = sum(each.n_tokens for each in recorder.timings)
    assert n_tokens == recorder.timings[-1].token + 1 > 60
