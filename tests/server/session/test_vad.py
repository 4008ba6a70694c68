"""Turns: the same for any cutting, and no sample lost, doubled or out of order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.voices import FOLDER, read
from voxwire.model.silero.network import WINDOW_SAMPLES
from voxwire.protocol.errors import InvalidRequestError
from voxwire.protocol.session import VadEndpoint
from voxwire.server.session.samples import Samples
from voxwire.server.session.vad import (
    Heard,
    Skipped,
    Speech,
    TurnDetector,
    TurnStarted,
    TurnStopped,
)

MS_PER_WINDOW = 32


@dataclass(slots=True)
class Script:
    """A source that answers by the windows' number, and nothing after its end."""

    probabilities: Sequence[float]
    n_asked: int = 0

    async def __call__(self, windows: Samples) -> Samples:
        asked = range(self.n_asked, self.n_asked + len(windows))
        self.n_asked += len(windows)
        given = [self.probabilities[i] if i < len(self.probabilities) else 0.0 for i in asked]
        return np.array(given, np.float32)


def ramp(n: int) -> Samples:
    """Samples of which each one is its own number."""
    return np.arange(n, dtype=np.float32)


def hear(detector: TurnDetector, pieces: Sequence[Samples], *, flush: bool = True) -> list[Heard]:
    async def main() -> list[Heard]:
        heard = [item for piece in pieces for item in await detector.feed(piece)]
        return heard + detector.flush() if flush else heard

    return joined(asyncio.run(main()))


def joined(items: Sequence[Heard]) -> list[Heard]:
    """Join neighbouring pieces, which may be cut anywhere."""
    result: list[Heard] = []
    for item in items:
        last = result[-1] if result else None
        if isinstance(item, Speech) and isinstance(last, Speech):
            result[-1] = Speech(np.concatenate([last.samples, item.samples]))
        elif isinstance(item, Skipped) and isinstance(last, Skipped):
            result[-1] = Skipped(last.n_samples + item.n_samples)
        else:
            result.append(item)
    return result


def spoken(items: Sequence[Heard]) -> list[tuple[str, int, int]]:
    """Return what came out as kinds and spans of samples, from a ramp."""
    told, at = [], 0
    for item in items:
        match item:
            case Speech(samples):
                np.testing.assert_array_equal(samples, np.arange(at, at + len(samples)))
                told.append(("speech", at, at + len(samples)))
                at += len(samples)
            case Skipped(n_samples):
                told.append(("skipped", at, at + n_samples))
                at += n_samples
            case TurnStarted(at_sample):
                told.append(("started", at_sample, at))
            case TurnStopped(at_sample):
                told.append(("stopped", at_sample, at))
    return told


endpoints = st.builds(
    VadEndpoint,
    threshold=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    prefix_padding_ms=st.integers(0, 300),
    silence_ms=st.integers(0, 300),
)
scripts = st.lists(st.sampled_from([0.0, 0.2, 0.4, 0.5, 0.6, 0.95, 1.0]), max_size=40)
cuttings = st.lists(st.integers(0, 40 * WINDOW_SAMPLES), max_size=12)
lengths = st.integers(0, 40 * WINDOW_SAMPLES)


@given(endpoints, scripts, lengths, cuttings)
def test_any_cutting_gives_the_same_turns(
    endpoint: VadEndpoint, script: list[float], n: int, cuts: list[int]
) -> None:
    whole = hear(TurnDetector(endpoint, Script(script)), [ramp(n)])
    cut = hear(TurnDetector(endpoint, Script(script)), np.split(ramp(n), sorted(cuts)))
    assert spoken(cut) == spoken(whole)


@given(endpoints, scripts, lengths, cuttings)
def test_every_sample_comes_out_once_and_in_order_and_turns_lie_around_speech(
    endpoint: VadEndpoint, script: list[float], n: int, cuts: list[int]
) -> None:
    told = spoken(hear(TurnDetector(endpoint, Script(script)), np.split(ramp(n), sorted(cuts))))
    at, is_turn = 0, False
    for kind, first, last in told:
        if kind in ("speech", "skipped"):
            assert first == at  # conserved; pre-rolls reach into no turn before
            assert is_turn == (kind == "speech")
            at = last
        else:
            assert first == last == at
            assert is_turn == (kind == "stopped")
            is_turn = kind == "started"
    assert at == n


@given(endpoints, scripts, lengths)
def test_the_pre_roll_is_as_long_as_the_turn_before_allows(
    endpoint: VadEndpoint, script: list[float], n: int
) -> None:
    script = [*script, *[0.0] * 40]
    told = spoken(hear(TurnDetector(endpoint, Script(script)), [ramp(n)]))
    stopped = 0
    for kind, at, _ in told:
        if kind == "started":
            first = next(
                i
                for i in range(stopped // WINDOW_SAMPLES, len(script))
                if np.float32(script[i]) >= endpoint.threshold
            )
            assert at == max(stopped, first * WINDOW_SAMPLES - endpoint.prefix_padding_ms * 16)
        elif kind == "stopped":
            stopped = at


def test_nothing_is_held_back_while_a_turn_is_open() -> None:
    detector = TurnDetector(VadEndpoint(), Script([0.9]))
    hear(detector, [ramp(WINDOW_SAMPLES)], flush=False)
    (item,) = hear(detector, [ramp(3)], flush=False)
    assert isinstance(item, Speech)
    assert len(item.samples) == 3


def test_a_turn_is_over_when_silence_lasted_long_enough() -> None:
    script = [0, 0.9, 0.9, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.1]
    detector = TurnDetector(VadEndpoint(0.5, 0, 3 * MS_PER_WINDOW), Script(script))
    told = spoken(hear(detector, [ramp(10 * WINDOW_SAMPLES)]))
    assert [(kind, at // WINDOW_SAMPLES) for kind, at, _ in told] == [
        ("skipped", 0),
        ("started", 1),
        ("speech", 1),
        ("stopped", 9),
        ("skipped", 9),
    ]


def test_what_is_just_below_the_threshold_ends_no_turn_and_begins_none() -> None:
    wavering = [0.4, 0.9, *([0.4] * 20), 0.3]
    detector = TurnDetector(VadEndpoint(0.5, 0, MS_PER_WINDOW), Script(wavering))
    told = spoken(hear(detector, [ramp(len(wavering) * WINDOW_SAMPLES)]))
    assert [(kind, at // WINDOW_SAMPLES) for kind, at, _ in told if kind != "speech"] == [
        ("skipped", 0),
        ("started", 1),
        ("stopped", 23),
    ]


def test_a_flush_ends_the_turn_in_silence_and_speech_that_goes_on_begins_another() -> None:
    detector = TurnDetector(VadEndpoint(), Script([0.9, 0.9, 0.9]))
    first = hear(detector, [ramp(WINDOW_SAMPLES + 100)])
    assert [type(item) for item in first] == [TurnStarted, Speech]
    second = hear(detector, [ramp(WINDOW_SAMPLES)])
    assert second[0] == TurnStarted(WINDOW_SAMPLES + 100)


def test_new_settings_hold_from_the_next_window_on() -> None:
    detector = TurnDetector(VadEndpoint(threshold=0.9, prefix_padding_ms=0), Script([0.6, 0.6]))
    assert spoken(hear(detector, [ramp(512)], flush=False)) == [("skipped", 0, 512)]
    detector.configure(VadEndpoint(threshold=0.5, prefix_padding_ms=0))
    assert hear(detector, [ramp(512)], flush=False)[0] == TurnStarted(512)


def test_what_is_held_between_turns_is_bounded_by_the_pre_roll() -> None:
    detector = TurnDetector(VadEndpoint(), Script([]))
    skipped = hear(detector, [ramp(1_000_000)], flush=False)
    (item,) = skipped
    assert isinstance(item, Skipped)
    assert item.n_samples > 1_000_000 - 300 * 16 - WINDOW_SAMPLES


@pytest.mark.parametrize("piece_samples", [160, 1600, 100_000])
def test_a_voice_with_pauses_is_cut_into_turns_by_the_real_network(piece_samples: int) -> None:
    voice, pause = read(FOLDER / "fsdd-george-8150942.flac"), np.zeros(24_000, np.float32)
    audio = np.concatenate([pause, voice, pause, pause, voice, pause])
    pieces = np.split(audio, range(piece_samples, len(audio), piece_samples))
    items = hear(TurnDetector(VadEndpoint(silence_ms=800)), pieces)
    starts = [item.at_sample for item in items if isinstance(item, TurnStarted)]
    stops = [item.at_sample for item in items if isinstance(item, TurnStopped)]
    assert len(starts) == len(stops) == 2
    assert starts[0] == pytest.approx(24_000, abs=8000)
    assert starts[1] - starts[0] == pytest.approx(len(voice) + 48_000, abs=2048)


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 1.1},
        {"threshold": float("nan")},
        {"prefix_padding_ms": -1},
        {"silence_ms": 10**9},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InvalidRequestError, match="expected a threshold of 0 to 1"):
        VadEndpoint(**wrong)  # type: ignore[arg-type]
