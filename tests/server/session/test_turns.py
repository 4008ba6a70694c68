"""Turns that a detector tells are segments; it may come and go while audio comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.server.session.sessions import N_SAMPLES, PCM, finals, in_pieces, transcribe
from voxwire.protocol.session import (
    Audio,
    AudioFormat,
    Clear,
    Cleared,
    CloseReason,
    Commit,
    Committed,
    Configure,
    Encoding,
    Finish,
    Request,
    SessionSettings,
    SpeechStarted,
    SpeechStopped,
    VadEndpoint,
)
from voxwire.server.session.shared_vad import VoiceSource, shared_vad


def scripted(probability_of: Callable[[int], float]) -> Callable[[], VoiceSource]:
    """Return what opens a source that tells each window's probability by its number."""

    def open_() -> VoiceSource:
        n_seen = 0

        async def voices(windows: np.ndarray) -> np.ndarray:
            nonlocal n_seen
            told = [probability_of(n_seen + i) for i in range(len(windows))]
            n_seen += len(windows)
            return np.array(told, np.float32)

        return voices

    return open_


@pytest.fixture
def two_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the detector hear speech in windows 20 to 34 and from window 70 on."""
    source = scripted(lambda n: 1.0 if 20 <= n < 35 or n >= 70 else 0.0)
    monkeypatch.setattr(shared_vad(), "open", source)


@pytest.mark.usefixtures("two_turns")
@pytest.mark.parametrize("cuts", [[], [1, 5000, 33_333, 71_001, 99_999]])
def test_turns_are_segments_with_their_own_times(checkpoint: Path, cuts: list[int]) -> None:
    chosen = SessionSettings(endpoint=VadEndpoint(prefix_padding_ms=300, silence_ms=320))
    events = transcribe(checkpoint, [*in_pieces(PCM, cuts), Finish()], chosen)
    turns = [e for e in events if isinstance(e, SpeechStarted | SpeechStopped | Committed)]
    first_s, stop_s = (20 * 512 - 4800) / 16000, 45 * 512 / 16000
    second_s = (70 * 512 - 4800) / 16000
    assert turns == [
        SpeechStarted(0, first_s),
        SpeechStopped(0, stop_s),
        Committed(0, CloseReason.ENDPOINT),
        SpeechStarted(1, second_s),
    ]
    first, second = finals(events)
    assert (first.reason, second.reason) == (CloseReason.ENDPOINT, CloseReason.END)
    assert (first.start_s, first.end_s) == (first_s, stop_s)
    assert (second.start_s, second.end_s) == (second_s, N_SAMPLES / 16000)
    for final in (first, second):
        for heard in final.words:
            assert final.start_s <= heard.word.start_s <= heard.word.end_s <= final.end_s


@pytest.mark.usefixtures("two_turns")
@pytest.mark.parametrize("n_more", range(-96, 960, 96))
def test_a_turn_that_is_cleared_about_its_end_is_told_whole_or_not_at_all(
    checkpoint: Path, n_more: int
) -> None:
    chosen = SessionSettings(
        format=AudioFormat(Encoding.PCM16, 24000),  # the resampler holds what came last
        endpoint=VadEndpoint(prefix_padding_ms=300, silence_ms=320),
    )
    n_until_stop = 45 * 512 * 24000 // 16000
    audio = bytes(2 * (n_until_stop + n_more))
    events = transcribe(checkpoint, [Audio(audio), Clear(), Finish()], chosen)
    stopped = [event.segment for event in events if isinstance(event, SpeechStopped)]
    committed = [event.segment for event in events if isinstance(event, Committed)]
    assert [final.segment for final in finals(events)] == committed == stopped
    assert not committed or events.index(Committed(0, CloseReason.ENDPOINT)) < events.index(
        Cleared()
    )


@pytest.mark.usefixtures("two_turns")
@pytest.mark.parametrize("cuts", [[], [1, 5000, 33_333, 71_001]])
def test_turn_detection_comes_and_goes_between_any_two_samples(
    checkpoint: Path, cuts: list[int]
) -> None:
    said, came, went = PCM + PCM, 20_001, 60_003
    without = SessionSettings(endpoint=None)
    detected = SessionSettings(endpoint=VadEndpoint(prefix_padding_ms=300, silence_ms=320))
    requests: list[Request] = [
        *in_pieces(said[: 2 * came], cuts),
        Configure(detected),
        *in_pieces(said[2 * came : 2 * went], cuts),
        Configure(without),
        *in_pieces(said[2 * went :], cuts),
        Commit(),
        Finish(),
    ]
    events = transcribe(checkpoint, requests, without)
    first_s, stop_s = (came + 20 * 512 - 4800) / 16000, (came + 45 * 512) / 16000
    second_s = (came + 70 * 512 - 4800) / 16000
    assert [e for e in events if isinstance(e, SpeechStarted | SpeechStopped | Committed)] == [
        Committed(0, CloseReason.ENDPOINT),
        SpeechStarted(1, first_s),
        SpeechStopped(1, stop_s),
        Committed(1, CloseReason.ENDPOINT),
        SpeechStarted(2, second_s),
        Committed(2, CloseReason.COMMIT),
    ]
    spans = [(final.start_s, final.end_s) for final in finals(events)]
    assert spans == [(0, came / 16000), (first_s, stop_s), (second_s, 2 * N_SAMPLES / 16000)]
    alone = transcribe(checkpoint, [Audio(said[: 2 * came]), Commit(), Finish()], without)
    assert finals(events)[0].text == finals(alone)[0].text


@pytest.mark.usefixtures("two_turns")
def test_what_a_detector_held_back_is_heard_when_it_goes(checkpoint: Path) -> None:
    before = 10_000
    n_held = 4800 + before % 512  # the pre-roll, and a part of a window
    without = SessionSettings(endpoint=None)
    requests: list[Request] = [
        Audio(PCM[: 2 * before]),
        Configure(without),
        Audio(PCM[2 * before :]),
        Finish(),
    ]
    [final] = finals(transcribe(checkpoint, requests, SessionSettings(endpoint=VadEndpoint())))
    rest = Audio(PCM[2 * (before - n_held) :])
    [alone] = finals(transcribe(checkpoint, [rest, Finish()], without))
    assert final.text == alone.text


@pytest.mark.usefixtures("two_turns")
def test_silence_between_turns_is_not_heard(checkpoint: Path) -> None:
    chosen = SessionSettings(endpoint=VadEndpoint(silence_ms=320))
    turn = PCM[2 * int(16000 * (20 * 0.032 - 0.3)) : 2 * int(16000 * (35 * 0.032 + 0.32))]
    alone = transcribe(checkpoint, [Audio(turn), Finish()], SessionSettings(endpoint=None))
    events = transcribe(checkpoint, [Audio(PCM), Finish()], chosen)
    assert finals(events)[0].text == finals(alone)[0].text
