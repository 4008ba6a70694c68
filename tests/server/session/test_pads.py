"""Where the model's padding tells silence: real silence closes a segment, a flush's does not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.server.session.sessions import Act, backing, finals, told
from tests.server.voices import FOLDER, read
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.protocol.session import (
    Audio,
    Clear,
    Cleared,
    CloseReason,
    Commit,
    Committed,
    Configure,
    Event,
    Final,
    Finish,
    PadEndpoint,
    Partial,
    Request,
    SessionSettings,
)
from voxwire.server.session.backing import SessionLimits
from voxwire.server.session.session import Session

DIGITS = "eight one five zero nine four two"
RATE_HZ = 16_000
ENDS_S = 4.86  # of its last word
SPEECH = (read(FOLDER / "fsdd-george-8150942.flac") * 32767).astype("<i2")


def heard(
    requests: Sequence[Request | Act],
    endpoint: PadEndpoint | None = None,
    limits: SessionLimits | None = None,
) -> list[Event]:
    """Run one session on the embedded checkpoint."""

    async def run() -> list[Event]:
        async with backing(EMBEDDED, limits) as shared:
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


PAUSED = Audio(SPEECH[: int(2.3 * RATE_HZ)].tobytes() + bytes(2 * 2 * RATE_HZ))
REST = Audio(SPEECH[int(2.3 * RATE_HZ) :].tobytes())
SAID = [  # between the two
    Configure(SessionSettings(endpoint=None)),
    Configure(SessionSettings(endpoint=PadEndpoint(silence_ms=5000))),
    Clear("c"),
]


@pytest.mark.parametrize("said", SAID)
def test_what_is_said_holds_from_its_place_in_the_audio_on(said: Request) -> None:
    async def until_written(session: Session, events: list[Event]) -> None:
        while not finals(events):
            await asyncio.sleep(0.01)

    def run(*waits: Act) -> list[tuple[str, Any]]:
        return [
            ("cleared", event.ref) if isinstance(event, Cleared) else (event.reason, event.text)
            for event in heard([PAUSED, *waits, said, REST, Finish()], PadEndpoint(silence_ms=800))
            if isinstance(event, Final | Cleared)
        ]

    at_once, paced = run(), run(until_written)
    assert at_once == paced
    assert at_once[0][0] is CloseReason.ENDPOINT


def test_deltas_are_the_text_of_their_finals_though_some_are_cleared() -> None:
    events = heard([PAUSED, Clear("c"), REST, Finish()], PadEndpoint(silence_ms=800))
    for final in finals(events):
        parts = [e.delta for e in events if isinstance(e, Partial) and e.segment == final.segment]
        assert "".join(parts).rstrip() == final.text
    place = events.index(Cleared("c"))
    assert max(final.segment for final in finals(events[:place])) < min(
        final.segment for final in finals(events[place:])
    )


def test_pads_that_go_leave_no_segment_that_is_too_long() -> None:
    none = Configure(SessionSettings(endpoint=None))
    limits = SessionLimits(max_segment_s=3.0)
    events = heard([until(4.0), none, until(1.0), Finish()], PadEndpoint(), limits)
    assert [final.reason for final in finals(events)][-1] is CloseReason.END
    assert not [f for f in finals(events) if f.reason is CloseReason.LIMIT and f.end_s >= 4.0]


def test_a_commit_within_a_sample_changes_no_word() -> None:
    data, at = SPEECH.tobytes(), 32_000
    texts = []
    for cut in (at, at + 1):
        events = heard([Audio(data[:cut]), Commit(), Audio(data[cut:]), Finish()])
        texts.append([(final.text, final.reason) for final in finals(events)])
    assert texts[0] == texts[1]
    assert texts[0][0] == ("eight", CloseReason.COMMIT)
    assert " ".join(text for text, _ in texts[1]).split() == DIGITS.split()
