"""Where the model's padding tells silence: real silence closes a segment, a flush's does not."""

from __future__ import annotations

import asyncio

import pytest

from tests.server.session.sessions import backing, finals, told
from tests.server.voices import FOLDER, read
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.protocol.session import (
    Audio,
    Clear,
    CloseReason,
    Commit,
    Committed,
    Event,
    Finish,
    PadEndpoint,
    Request,
    SessionSettings,
)

DIGITS = "eight one five zero nine four two"
RATE_HZ = 16_000
ENDS_S = 4.86  # of its last word
SPEECH = (read(FOLDER / "fsdd-george-8150942.flac") * 32767).astype("<i2")


def heard(requests: list[Request], endpoint: PadEndpoint | None = None) -> list[Event]:
    """Run one session on the embedded checkpoint."""

    async def run() -> list[Event]:
        async with backing(EMBEDDED) as shared:
            return await told(shared, SessionSettings(endpoint=endpoint or PadEndpoint()), requests)

    return asyncio.run(run())


def until(seconds: float) -> Audio:
    """Return the recording up to a time."""
    return Audio(SPEECH[: int(seconds * RATE_HZ)].tobytes())


@pytest.mark.parametrize("pause_s", [0.0, 0.1, 0.2, 0.4])
def test_a_commit_closes_the_words_before_it_itself(pause_s: float) -> None:
    events = heard([until(ENDS_S + pause_s), Commit(), Finish()])
    [final] = finals(events)
    assert (final.text, final.reason, final.segment) == (DIGITS, CloseReason.COMMIT, 0)
    assert Committed(0, CloseReason.COMMIT) in events


def test_an_end_closes_the_words_before_it_itself() -> None:
    [final] = finals(heard([until(1.0), Finish()]))
    assert (final.text, final.reason) == ("eight", CloseReason.END)


@pytest.mark.parametrize("seconds", [2.3, ENDS_S])
def test_what_is_cleared_has_no_final(seconds: float) -> None:
    assert not finals(heard([until(seconds), Clear(), Finish()]))


def test_silence_that_was_spoken_closes_a_segment_before_the_commit_does() -> None:
    silence = Audio(bytes(2 * 2 * RATE_HZ))
    events = heard([until(ENDS_S), silence, Commit(), Finish()], PadEndpoint(silence_ms=800))
    texts = [(final.text, final.reason) for final in finals(events)]
    assert texts == [(DIGITS, CloseReason.ENDPOINT), ("", CloseReason.COMMIT)]


def test_a_commit_within_a_sample_changes_no_word() -> None:
    data, at = SPEECH.tobytes(), 32_000
    texts = []
    for cut in (at, at + 1):
        events = heard([Audio(data[:cut]), Commit(), Audio(data[cut:]), Finish()])
        texts.append([(final.text, final.reason) for final in finals(events)])
    assert texts[0] == texts[1]
    assert texts[0][0] == ("eight", CloseReason.COMMIT)
    assert " ".join(text for text, _ in texts[1]).split() == DIGITS.split()
