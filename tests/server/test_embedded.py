"""The embedded checkpoint transcribes people it never heard, in any pieces and any company."""

from __future__ import annotations

import functools
from pathlib import Path

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import voxwire.model
from tests.server.voices import CHILD, Voice, read, voices
from voxwire.model.delay import DELAYS_TOKENS
from voxwire.model.mel import MelStream
from voxwire.model.offline import transcribe_tokens
from voxwire.model.stream import SlotBatch
from voxwire.server.collector import Collector
from voxwire.server.live import LiveTranscriber, OpenModel, open_model

EMBEDDED = Path(voxwire.model.__file__).parent / "embedded"
DELAY = 6  # positions: 480 ms
MAX_BYTES = 12 << 20


@functools.cache
def opened() -> OpenModel:
    return open_model("embedded")


@functools.cache
def heard(name: str, delay: int = DELAY) -> tuple[str, ...]:
    """Return what one recording is transcribed as."""
    voice = next(v for v in voices() if v.name == name)
    collector = Collector()
    stream = LiveTranscriber(opened(), delay)
    collector.add(stream.feed(voice.samples))
    collector.add(stream.finish())
    return tuple(collector.transcript(len(voice.samples), "embedded", 80 * delay).text.split())


def wrong(chosen: list[Voice], delay: int = DELAY) -> float:
    """Return the word error rate over some recordings."""
    owed = [" ".join(v.words) for v in chosen]
    return float(jiwer.wer(owed, [" ".join(heard(v.name, delay)) for v in chosen]))


ADULTS = [v for v in voices() if v.words and v.speaker != CHILD]
CHILDREN = [v for v in voices() if v.words and v.speaker == CHILD]
FOREIGN = [v for v in voices() if not v.words]


@pytest.mark.parametrize("delay", DELAYS_TOKENS)
def test_left_out_adults_are_understood_at_every_delay(delay: int) -> None:
    assert wrong(ADULTS, delay) <= 0.10


def test_a_left_out_childs_naturally_spoken_digits_are_mostly_understood() -> None:
    assert wrong(CHILDREN) <= 0.35


def test_sentences_outside_the_domain_become_nothing_rather_than_invented_words() -> None:
    assert sum(len(heard(v.name)) for v in FOREIGN) <= 1


def test_noise_and_silence_become_nothing() -> None:
    rng = np.random.default_rng(0)
    for level in (0.0, 0.001, 0.03):
        samples = (level * rng.normal(0, 1, 20 * 16000)).astype(np.float32)
        stream = LiveTranscriber(opened(), DELAY)
        deltas = stream.feed(samples) + stream.finish()
        assert "".join(delta.text for delta in deltas) == ""


def test_the_demo_says_what_is_beside_it() -> None:
    samples = read(EMBEDDED / "demo/digits.flac")
    stream = LiveTranscriber(opened(), DELAY)
    collector = Collector()
    collector.add(stream.feed(samples))
    collector.add(stream.finish())
    transcript = collector.transcript(len(samples), "embedded", 480)
    owed = (EMBEDDED / "demo/digits.txt").read_text()
    assert jiwer.wer(owed.strip(), transcript.text) <= 0.1
    ends = [word.end_s for word in transcript.words]
    assert ends == sorted(ends)
    assert 0 < ends[0] < ends[-1] <= transcript.duration_s + 0.1


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_any_cutting_of_a_voice_gives_its_offline_tokens(data: st.DataObject) -> None:
    voice = data.draw(st.sampled_from(voices()))
    cuts = data.draw(st.lists(st.integers(0, len(voice.samples)), max_size=20).map(sorted))
    offline = transcribe_tokens(opened().model, voice.samples, DELAY)
    stream, batch = MelStream(opened().model.config, DELAY), SlotBatch(opened().model, 1)
    batch.reset(0, DELAY)
    live: list[int] = []
    for piece in np.split(voice.samples, cuts):
        stream.feed(piece)
        live += _drain(batch, stream)
    stream.flush()
    live += _drain(batch, stream)
    assert live == offline


def _drain(batch: SlotBatch, stream: MelStream) -> list[int]:
    tokens: list[int] = []
    while stream.n_ready:
        tokens += [int(t) for t in batch.step([0], stream.take(1)[None]) if t >= 0]
    return tokens


def test_a_room_full_of_voices_gives_each_what_it_says_alone() -> None:
    delays = [(2, 6, 12)[i % 3] for i in range(len(voices()))]
    batch = SlotBatch(opened().model, len(delays))
    streams, tokens = [], [list[int]() for _ in delays]
    for slot, (voice, delay) in enumerate(zip(voices(), delays, strict=True)):
        batch.reset(slot, delay)
        stream = MelStream(opened().model.config, delay)
        stream.feed(voice.samples)
        stream.flush()
        streams.append(stream)
    while ready := [slot for slot, stream in enumerate(streams) if stream.n_ready]:
        mel = np.stack([streams[slot].take(1) for slot in ready])
        for slot, token in zip(ready, batch.step(ready, mel), strict=True):
            tokens[slot] += [int(token)] if token >= 0 else []
    for voice, delay, batched in zip(voices(), delays, tokens, strict=True):
        assert batched == transcribe_tokens(opened().model, voice.samples, delay), voice.name


def test_the_checkpoint_fits_its_room() -> None:
    files = [path for path in EMBEDDED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES
