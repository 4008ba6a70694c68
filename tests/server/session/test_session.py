"""A session's transcript depends on its audio and commits alone; each segment ends exactly once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.session.sessions import (
    N_SAMPLES,
    PCM,
    TIMEOUT_S,
    backing,
    finals,
    in_pieces,
    transcribe,
)
from voxwire.protocol.errors import (
    IdleError,
    IllegalMoveError,
    InvalidRequestError,
    SessionLimitError,
)
from voxwire.protocol.session import (
    Audio,
    AudioFormat,
    Clear,
    Cleared,
    CloseReason,
    Commit,
    Committed,
    Configure,
    Configured,
    Encoding,
    Ended,
    Endpoint,
    Event,
    Final,
    Finish,
    PadEndpoint,
    Partial,
    Received,
    Reply,
    Request,
    SessionSettings,
    VadEndpoint,
)
from voxwire.server.live import LiveTranscriber, OpenModel
from voxwire.server.session.backing import SessionLimits
from voxwire.server.session.rolling import MAX_FLUSHES
from voxwire.server.session.samples import SampleReader, Samples
from voxwire.server.session.session import Session

ENDPOINTS: tuple[Endpoint, ...] = (None, PadEndpoint(silence_ms=160))
few = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def offline_text(opened: OpenModel, pcm: bytes) -> str:
    stream = LiveTranscriber(opened, 6)
    deltas = stream.feed(np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32768))
    return "".join(delta.text for delta in [*deltas, *stream.finish()]).rstrip()


def letters(text: str) -> str:
    """Return what a random model wrote, but for characters that an endpoint cut in half."""
    return "".join(char for char in text if char.isascii() and not char.isspace())


@few
@given(
    cuts=st.lists(st.integers(0, 2 * N_SAMPLES), max_size=8),
    endpoint=st.sampled_from(ENDPOINTS),
    commit_at=st.integers(0, N_SAMPLES).map(lambda n: 2 * n),
)
def test_any_cutting_gives_the_same_finals(
    checkpoint: Path, cuts: list[int], endpoint: Endpoint, commit_at: int
) -> None:
    chosen = SessionSettings(endpoint=endpoint)
    before, after = PCM[:commit_at], PCM[commit_at:]
    whole: list[Request] = [Audio(before), Commit(), Audio(after), Finish()]
    pieces = [*in_pieces(before, cuts), Commit(), *in_pieces(after, cuts), Finish()]
    expected = finals(transcribe(checkpoint, whole, chosen))
    assert finals(transcribe(checkpoint, pieces, chosen)) == expected
    assert [final.segment for final in expected] == list(range(len(expected)))


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_text_is_that_of_the_file(
    checkpoint: Path, opened: OpenModel, endpoint: Endpoint
) -> None:
    events = transcribe(checkpoint, [Audio(PCM), Finish()], SessionSettings(endpoint=endpoint))
    live = "".join(final.text for final in finals(events))
    assert letters(live) == letters(offline_text(opened, PCM))
    assert events[-1] == Ended(CloseReason.END, N_SAMPLES / 16000)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_deltas_of_a_segment_make_its_final(checkpoint: Path, endpoint: Endpoint) -> None:
    chosen = SessionSettings(endpoint=endpoint)
    events = transcribe(checkpoint, [Audio(PCM), Commit(), Audio(PCM), Finish()], chosen)
    for final in finals(events):
        deltas = [e.delta for e in events if isinstance(e, Partial) and e.segment == final.segment]
        assert "".join(deltas).rstrip() == final.text


def test_word_times_never_run_backwards(checkpoint: Path) -> None:
    requests: list[Request] = [Audio(PCM), Commit(), Audio(PCM), Commit(), Audio(PCM), Finish()]
    events = transcribe(checkpoint, requests)
    words = [heard.word for final in finals(events) for heard in final.words]
    times = [time for word in words for time in (word.start_s, word.end_s)]
    assert times == sorted(times)
    assert times[-1] <= 3 * N_SAMPLES / 16000


def test_each_commit_has_one_answer_and_one_final_even_without_audio(checkpoint: Path) -> None:
    chosen = SessionSettings(endpoint=None)
    requests: list[Request] = [Commit(), Audio(PCM[:64000]), Commit(), Commit(), Finish()]
    events = transcribe(checkpoint, requests, chosen)
    wanted = [Committed(segment, CloseReason.COMMIT) for segment in range(3)]
    assert [event for event in events if isinstance(event, Committed)] == wanted
    assert [final.segment for final in finals(events)] == [0, 1, 2]
    assert [final.reason for final in finals(events)] == [CloseReason.COMMIT] * 3
    assert finals(events)[1].text
    assert isinstance(events[-1], Ended)


def test_commits_faster_than_the_engine_wait_and_each_is_answered(checkpoint: Path) -> None:
    async def run() -> list[Event]:
        async with backing(checkpoint) as shared:
            chosen = SessionSettings(endpoint=None)
            session = Session("sess_1", shared, shared.engine.reserve(), chosen)
            most, events = 0, list[Event]()

            async def ask() -> None:
                nonlocal most
                for _ in range(3 * MAX_FLUSHES):
                    await session.handle(Commit())
                    heard = session._heard
                    assert heard is not None
                    most = max(most, len(heard._flushes))
                await session.handle(Finish())

            async def listen() -> None:
                while not events or not isinstance(events[-1], Ended):
                    event = await session.outbox.get()
                    assert not isinstance(event, Reply)
                    events.append(event)

            async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as tasks:
                for work in (session.run(), listen(), ask()):
                    tasks.create_task(work)
            assert most == MAX_FLUSHES
            return events

    events = asyncio.run(run())
    assert [final.segment for final in finals(events)] == list(range(3 * MAX_FLUSHES))


def test_who_waits_with_a_commit_is_let_go_when_the_session_ends(checkpoint: Path) -> None:
    async def run() -> None:
        async with backing(checkpoint) as shared:
            session = Session("sess_1", shared, shared.engine.reserve(), SessionSettings())
            # Nobody reads what the engine flushes.
            waiting = asyncio.create_task(_commit(session, MAX_FLUSHES + 1))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.shield(waiting), 0.5)
            session.abandon()
            await asyncio.wait_for(waiting, TIMEOUT_S)

    asyncio.run(run())


async def _commit(session: Session, n: int) -> None:
    for _ in range(n):
        await session.handle(Commit())


def test_cleared_audio_leaves_no_final(checkpoint: Path) -> None:
    chosen = SessionSettings(endpoint=None)
    requests: list[Request] = [Audio(PCM[:64000]), Clear("c1"), Audio(PCM), Commit(), Finish()]
    events = transcribe(checkpoint, requests, chosen)
    assert Cleared("c1") in events
    assert [final.reason for final in finals(events)] == [CloseReason.COMMIT]
    assert finals(events)[0].start_s == 2.0


def test_a_segment_that_nobody_closes_is_closed_at_the_limit(checkpoint: Path) -> None:
    chosen = SessionSettings(endpoint=None)
    limits = SessionLimits(max_segment_s=1.0)
    events = transcribe(checkpoint, [Audio(PCM), Finish()], chosen, limits)
    reasons = [final.reason for final in finals(events)]
    assert reasons == [CloseReason.LIMIT] * 3 + [CloseReason.END]
    announced = [e.segment for e in events if isinstance(e, Committed)]
    assert announced == [0, 1, 2]
    alone = finals(transcribe(checkpoint, [Audio(PCM), Finish()], chosen))
    assert letters("".join(final.text for final in finals(events))) == letters(alone[0].text)


@pytest.mark.parametrize("cuts", [[], [1, 5000, 33_333, 71_001]])
def test_a_session_that_may_hear_no_more_tells_all_that_it_heard(
    checkpoint: Path, cuts: list[int]
) -> None:
    chosen = SessionSettings(endpoint=None)
    limits = SessionLimits(max_s=2.0)
    events = transcribe(checkpoint, [*in_pieces(PCM, cuts), Finish()], chosen, limits)
    (alone,) = finals(transcribe(checkpoint, [Audio(PCM[:64_000]), Finish()], chosen))
    (final,) = finals(events)
    assert (final.text, final.reason) == (alone.text, CloseReason.ERROR)
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert (ended.audio_s, type(ended.error)) == (2.0, SessionLimitError)


def test_a_session_that_the_server_ends_tells_all_that_it_heard(checkpoint: Path) -> None:
    async def end(session: Session, _: list[Event]) -> None:
        await session.end_with(IdleError("no audio"))

    chosen = SessionSettings(endpoint=None)
    late = Audio(PCM)  # that was on its way: dropped
    events = transcribe(checkpoint, [Audio(PCM), end, late], chosen)
    (alone,) = finals(transcribe(checkpoint, [Audio(PCM), Finish()], chosen))
    (final,) = finals(events)
    assert (final.text, final.reason) == (alone.text, CloseReason.ERROR)
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert isinstance(ended.error, IdleError)


def test_a_long_message_is_decoded_by_and_by(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    read = SampleReader.read

    def watched(reader: SampleReader, data: bytes) -> Samples:
        sizes.append(len(data))
        return read(reader, data)

    monkeypatch.setattr(SampleReader, "read", watched)
    events = transcribe(checkpoint, [Audio(PCM * 5), Finish()])
    assert events[-1] == Ended(CloseReason.END, 5 * len(PCM) / 32_000)
    assert sum(sizes) == 5 * len(PCM)
    assert max(sizes) <= 64 << 10


def test_scores_are_of_the_tokens_that_wrote_the_text(checkpoint: Path) -> None:
    chosen = SessionSettings(endpoint=None, wants_scores=True)
    events = transcribe(checkpoint, [Audio(PCM), Finish()], chosen)
    (final,) = finals(events)
    written = b"".join(score.data for score in final.scores).decode(errors="replace")
    assert written.split() == final.text.split()
    assert all(score.log_prob <= 0 for score in final.scores)
    assert all(0 <= (heard.confidence or 0) <= 1 for heard in final.words)


def test_a_session_without_audio_ends_without_a_final(checkpoint: Path) -> None:
    assert transcribe(checkpoint, [Finish()]) == [Ended(CloseReason.END, 0.0)]


def test_settings_change_until_the_first_audio(checkpoint: Path) -> None:
    wanted = SessionSettings(format=AudioFormat(Encoding.MULAW, 8000), delay_ms=960, endpoint=None)
    requests: list[Request] = [Configure(wanted, "r"), Audio(bytes(16000)), Finish()]
    events = transcribe(checkpoint, requests)
    assert events[0] == Configured(wanted, "r")
    assert events[-1] == Ended(CloseReason.END, 2.0)


async def _refused(checkpoint: Path, *requests: Request) -> tuple[InvalidRequestError, list[Event]]:
    """Return what the last request is refused with, and what the session tells until it is over."""
    async with backing(checkpoint) as shared:
        session = Session("sess_1", shared, shared.engine.reserve(), SessionSettings())
        for request in requests[:-1]:
            await session.handle(request)
        with pytest.raises(InvalidRequestError) as refused:
            await session.handle(requests[-1])
        running = asyncio.create_task(session.run())
        if not isinstance(requests[-2], Finish):
            await session.handle(Finish())
        events: list[Event] = []
        while not events or not isinstance(events[-1], Ended):
            event = await session.outbox.get()
            if not isinstance(event, Received | Reply):
                events.append(event)
        await running
        return refused.value, events


def test_audio_after_the_end_is_refused_by_both_states_and_costs_nothing(checkpoint: Path) -> None:
    error, events = asyncio.run(_refused(checkpoint, Audio(PCM), Finish(), Audio(PCM)))
    assert isinstance(error, IllegalMoveError)
    assert "created or streaming" in error.message
    assert "draining" in error.message
    assert events[-1] == Ended(CloseReason.END, N_SAMPLES / 16000)


def test_a_delay_after_the_first_audio_is_refused_and_costs_nothing(checkpoint: Path) -> None:
    late = Configure(SessionSettings(delay_ms=960))
    error, events = asyncio.run(_refused(checkpoint, Audio(PCM), late))
    assert error.param == "delay_ms"
    assert isinstance(events[-2], Final)


def test_turn_detection_takes_the_place_of_pads_before_the_first_audio_only(
    checkpoint: Path,
) -> None:
    late = Configure(SessionSettings(endpoint=VadEndpoint()))
    error, events = asyncio.run(_refused(checkpoint, Audio(PCM), late))
    assert error.param == "endpoint"
    assert isinstance(events[-2], Final)


def test_a_session_ends_at_its_longest_with_an_error_that_says_so(checkpoint: Path) -> None:
    limits = SessionLimits(max_s=1.0)
    events = transcribe(checkpoint, [Audio(PCM)], None, limits)
    assert isinstance(events[-1], Ended)
    assert events[-1].error is not None
    assert events[-1].error.code == "session_too_long"
