"""A decoder that writes nothing over speech is begun anew, and what was lost is decoded again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from tests.server.session.sessions import TIMEOUT_S, finals, told
from voxwire.model.delay import NO_TOKEN, STREAMING_PAD_ID
from voxwire.model.mel import Floats
from voxwire.model.tekken import Tekken
from voxwire.protocol.session import (
    Audio,
    CloseReason,
    Commit,
    Ended,
    Event,
    Finish,
    Request,
    SessionSettings,
    Warned,
)
from voxwire.server.engine.admission import Limits
from voxwire.server.engine.backend import Backend, Batch, load_backend
from voxwire.server.engine.engine import Engine
from voxwire.server.engine.messages import Ids
from voxwire.server.metrics import Metrics
from voxwire.server.session.backing import Backing, SessionLimits
from voxwire.server.session.session import Session
from voxwire.server.session.shared_vad import shared_vad
from voxwire.server.session.stuck import StuckWatch

N_SAMPLES = 160_000  # ten seconds
PCM = np.random.default_rng(5).integers(-16000, 16000, N_SAMPLES).astype("<i2").tobytes()
RUT_AT = 25  # tokens that the first session writes before it is stuck
PATIENCE_S = 3.0


class RuttingBatch:
    """The real batch, whose first session falls into a run of pads and never leaves it."""

    def __init__(self, batch: Batch, ruts: list[int]) -> None:
        self._batch = batch
        self._ruts = ruts  # tokens until each session is stuck, in the order they come
        self._left: dict[int, int] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self._batch, name)

    def reset(self, slot: int, delay_tokens: int) -> None:
        self._batch.reset(slot, delay_tokens)
        self._left[slot] = self._ruts.pop(0) if self._ruts else 10**9

    def advance(self, slots: Sequence[int], mel: Floats) -> Ids:
        return self._rut(slots, self._batch.advance(slots, mel))

    def advance_guessing(self, slots: Sequence[int], mel: Floats) -> Ids:
        return self._rut(slots, self._batch.advance(slots, mel))

    def _rut(self, slots: Sequence[int], ids: Ids) -> Ids:
        ids = ids.copy()
        for row, slot in zip(ids, slots, strict=True):
            for at in np.flatnonzero(row != NO_TOKEN):
                self._left[slot] -= 1
                if self._left[slot] < 0:
                    row[at] = STREAMING_PAD_ID
        return ids


def transcribe(
    checkpoint: Path,
    requests: list[Request],
    ruts: list[int],
    *,
    voice: float = 1.0,
    patience_s: float = PATIENCE_S,
) -> list[Event]:
    """Run a session whose decoder ruts, over what a detector takes for speech or does not."""

    async def voices(windows: Floats) -> Floats:
        return np.full(len(windows), voice, np.float32)

    async def run() -> list[Event]:
        async with rutting(checkpoint, ruts, patience_s) as backing:
            return await told(backing, SessionSettings(endpoint=None), requests)

    with mock.patch.object(shared_vad(), "open", return_value=voices):
        return asyncio.run(run())


@asynccontextmanager
async def rutting(checkpoint: Path, ruts: list[int], patience_s: float) -> AsyncIterator[Backing]:
    """Yield what sessions work with, whose decoders rut."""
    armed: list[int] = []

    def load() -> Backend:
        backend = load_backend(checkpoint)
        return replace(
            backend,
            make_batch=lambda n: RuttingBatch(backend.make_batch(n), armed),  # type: ignore[arg-type,return-value]
        )

    async with Engine(load, Limits(4, 1)) as engine:
        armed.extend(ruts)  # after the calibration's own sessions
        limits = SessionLimits(stuck_after_s=patience_s)
        yield Backing(engine, Tekken.load(engine.tokenizer_file), limits, 480, Metrics())


def warnings(events: list[Event]) -> list[str]:
    return [event.code for event in events if isinstance(event, Warned)]


def test_what_was_lost_is_decoded_again_with_its_true_times(checkpoint: Path) -> None:
    stuck = transcribe(checkpoint, [Audio(PCM), Finish()], [RUT_AT])
    assert warnings(stuck) == ["decoder_stuck"]
    (final,) = finals(stuck)
    healthy = finals(transcribe(checkpoint, [Audio(PCM), Finish()], []))[0]
    until_s = RUT_AT * 0.08
    early = [heard for heard in healthy.words if heard.word.end_s < until_s - 0.5]
    assert list(final.words[: len(early)]) == early
    last_s = max(heard.word.end_s for heard in final.words if heard.word.end_s < until_s)
    # What came after is what a session that begins there writes.
    start = 2 * round((last_s + 0.08) * 16000)
    anew = finals(transcribe(checkpoint, [Audio(PCM[start:]), Finish()], []))[0]
    rest = [heard.word for heard in final.words if heard.word.end_s >= until_s]
    assert rest
    assert "".join(word.text for word in rest)[-40:] == anew.text.replace(" ", "")[-40:]
    times = [time for heard in final.words for time in (heard.word.start_s, heard.word.end_s)]
    assert times == sorted(times)
    assert times[-1] <= N_SAMPLES / 16000


def test_silence_is_no_rut(checkpoint: Path) -> None:
    events = transcribe(checkpoint, [Audio(PCM), Finish()], [RUT_AT], voice=0.0)
    assert warnings(events) == []


def test_a_segment_that_was_closed_is_not_opened_again(checkpoint: Path) -> None:
    requests: list[Request] = [Audio(PCM[:96_000]), Commit(), Audio(PCM[96_000:]), Finish()]
    events = transcribe(checkpoint, requests, [RUT_AT])
    assert [final.segment for final in finals(events)] == [0, 1]
    assert finals(events)[1].start_s == 3.0


def test_patience_grows_while_decoding_again_brings_nothing(checkpoint: Path) -> None:
    events = transcribe(checkpoint, [Audio(PCM), Finish()], [5, 0, 0, 0])
    assert warnings(events) == ["decoder_stuck", "decoder_stuck"]  # after 3 s, and 6 s more


def test_one_message_longer_than_what_may_wait_for_the_engine_is_heard_to_its_end(
    checkpoint: Path,
) -> None:
    events = transcribe(checkpoint, [Audio(PCM * 13), Finish()], [5])
    assert warnings(events) == ["decoder_stuck"]
    assert finals(events)[-1].words[-1].word.end_s > 125
    assert isinstance(events[-1], Ended)
    assert (events[-1].reason, events[-1].audio_s) == (CloseReason.END, 130)


def test_a_model_that_never_writes_is_asked_now_and_then_and_the_session_ends(
    checkpoint: Path,
) -> None:
    seconds: list[Request] = [Audio(PCM[:32_000])] * 190
    events = transcribe(checkpoint, [*seconds, Finish()], [0] * 100, patience_s=16)
    assert len(warnings(events)) == 5  # at 16, 32 and 64 s, and then with each minute
    assert isinstance(events[-1], Ended)
    assert (events[-1].reason, events[-1].audio_s) == (CloseReason.END, 190)


def test_a_session_that_ends_while_the_detector_listens_leaves_nothing_open(
    checkpoint: Path,
) -> None:
    async def run() -> None:
        listens, goes_on = asyncio.Event(), asyncio.Event()

        async def voices(windows: Floats) -> Floats:
            listens.set()
            await goes_on.wait()
            return np.ones(len(windows), np.float32)

        async with rutting(checkpoint, [5], PATIENCE_S) as backing:
            engine = backing.engine
            chosen = SessionSettings(endpoint=None)
            session = Session("sess_1", backing, engine.reserve(), chosen)
            with mock.patch.object(shared_vad(), "open", return_value=voices):
                running = asyncio.create_task(session.run())
                await session.handle(Audio(PCM))
                await listens.wait()
                session.abandon()
                goes_on.set()
                await running
            while engine.n_open:
                await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), TIMEOUT_S))


@pytest.mark.parametrize("sizes", [[1600] * 50, [80_000], [7, 79_993]])
def test_only_audio_since_the_last_text_is_kept(sizes: list[int]) -> None:
    watch = StuckWatch(16.0)
    ramp = np.arange(80_000, dtype=np.float32)
    at = 0
    for n in sizes:
        watch.heard(ramp[at : at + n])
        at += n
    watch.wrote(50_001)
    start, kept = watch.kept()
    assert start == 50_001
    np.testing.assert_array_equal(kept, ramp[50_001:])


def test_memory_is_bounded_however_long_nothing_is_written() -> None:
    watch = StuckWatch(16.0)
    second = np.zeros(16_000, np.float32)
    for _ in range(500):
        watch.heard(second)
    start, kept = watch.kept()
    assert len(kept) <= 151 * 16_000
    assert start + len(kept) == 500 * 16_000


def test_pads_cost_nothing_while_text_comes() -> None:
    async def run() -> None:
        async def never(windows: Floats) -> Floats:
            raise AssertionError("the detector was asked")

        watch = StuckWatch(16.0, never)
        for second in range(100):
            watch.heard(np.zeros(16_000, np.float32))
            assert not await watch.is_stuck(16_000 * (second + 1))
            watch.wrote(16_000 * (second + 1))

    asyncio.run(run())


@pytest.mark.parametrize("quiet_s", [10, 60, 125, 400])
def test_speech_counts_however_long_silence_was_before_it(quiet_s: int) -> None:
    """A microphone may be mute for hours; the pads of that make a rut likelier."""

    async def loud(windows: Floats) -> Floats:
        loudness: Floats = (windows.max(axis=1) > 0).astype(np.float32)
        return loudness

    async def run() -> tuple[int, int, int]:
        watch = StuckWatch(16.0, loud)
        for second in range(quiet_s + 40):
            watch.heard(np.full(16_000, second >= quiet_s, np.float32))
            if await watch.is_stuck(16_000 * (second + 1)):
                start, kept = watch.kept()
                return second + 1 - quiet_s, start, len(kept)
        raise AssertionError("never seen")

    after_s, start, n_kept = asyncio.run(run())
    assert after_s <= 16
    assert start <= quiet_s * 16_000 < start + n_kept  # all of the speech is decoded again
    assert n_kept <= 19 * 16_000
