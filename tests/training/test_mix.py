"""Rows are composed from every pool, always the same after a seed, with labels where words end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from voxwire.model.training.clips import HEARD_SIZE, STRIDE, Clip
from voxwire.model.training.labels import IGNORED, LEFT_PAD
from voxwire.model.training.mix import KINDS, RATE_HZ, ROW_POSITIONS, Mixer
from voxwire.model.training.vocabulary import DIGITS, STREAMING_WORD, WORDS, token_id
from voxwire.model.training.voice import Row, Voice

CLIP_SAMPLES = 12 * STRIDE


def packed() -> tuple[list[Clip], np.ndarray, np.ndarray]:
    """Return a catalogue of tone bursts, one clip or more for every pool, and what is told of it.

    Of its row k in every number k is told.
    """
    clips: list[Clip] = []

    def add(corpus: str, speaker: str, text: str, spoken: bool) -> None:
        start = len(clips) * CLIP_SAMPLES
        words = [w for w in text.split() if w in WORDS] if spoken else []
        width = 0.3 / max(1, len(words))
        spans = [(w, 0.1 + i * width, 0.1 + (i + 1) * width) for i, w in enumerate(words)]
        clips.append(Clip("", corpus, speaker, text, "train", start, CLIP_SAMPLES, spans))

    for digit in DIGITS:
        add("fsdd", "a", digit, True)
        add("commands", "b", digit, True)
    add("commands", "b", "yes", True)
    add("wake", "c", "smart mirror", True)
    add("flite:slt", "flite:slt", "one two", True)
    add("kokoro", "k", "one two", True)
    add("ocean", "d", "three four", True)
    add("ocean", "d", "you may go", True)
    for corpus in ("ocean", "lj", "coffee", "commands", "kokoro"):
        add(corpus, "e", "something else", False)
    add("noise", "rain", "", False)
    t = np.arange(len(clips) * CLIP_SAMPLES)
    heard = np.arange(len(t) // STRIDE, dtype=np.float16)[:, None].repeat(HEARD_SIZE, 1)
    return clips, (8000 * np.sin(0.2 * t)).astype(np.int16), heard


@pytest.fixture(scope="module")
def mixer() -> Mixer:
    return Mixer(*packed())


def test_a_seed_gives_the_same_batch_for_ever(mixer: Mixer) -> None:
    mixer.reseed(5)
    first = mixer.batch(2)
    mixer.batch(1)
    mixer.reseed(5)
    again = mixer.batch(2)
    assert all(np.array_equal(first[key], again[key], equal_nan=True) for key in first)


def test_a_batch_has_one_mel_position_for_each_label(mixer: Mixer) -> None:
    mixer.reseed(1)
    batch = mixer.batch(2)
    n = LEFT_PAD + ROW_POSITIONS + int(batch["delay"].max()) + 11
    assert batch["mel"].shape == (2, 8 * n, 128)
    assert batch["tokens"].shape == batch["targets"].shape == batch["words"].shape == (2, n)
    assert np.isfinite(batch["mel"]).all()
    assert np.all(batch["mel"][:, : 8 * LEFT_PAD - 8] == -0.625)


def test_what_the_teacher_hears_is_the_row_before_noise(mixer: Mixer) -> None:
    mixer.reseed(4)
    batch = mixer.batch(4)
    assert batch["clean"].shape == (4, ROW_POSITIONS * 1280)
    assert batch["clean"].dtype == np.float32
    assert np.isfinite(batch["clean"]).all()
    assert (batch["clean"] == 0).any(axis=1).all()  # the gaps between clips stay silent


def test_a_domain_word_in_a_fluent_sentence_is_unsure_and_never_owed(mixer: Mixer) -> None:
    sentence = next(clip for clip in mixer.pools["negative_ocean"] if clip.spans)
    mixer.reseed(1)
    row = Row.of(RATE_HZ)
    mixer._place(row, 1000, sentence, Voice.draw(mixer.rng))
    assert row.words == []
    assert {word for word, _, _ in row.unsure} == {"go"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_segment_puts_its_words_where_its_sound_is(mixer: Mixer, kind: str) -> None:
    mixer.reseed(2)
    for _ in range(5):
        row = Row.of(20 * RATE_HZ)
        end = getattr(mixer, f"_add_{kind}")(row, 1000)
        assert end > 1000
        for word, start_s, end_s in row.words:
            assert word in WORDS
            assert 0 <= start_s < end_s
            sound = row.samples[int(start_s * RATE_HZ) : int(end_s * RATE_HZ)]
            assert np.abs(sound).max() > 1e-4
    if kind in ("negative", "pause"):
        assert not row.words
    else:
        assert row.words or row.unsure


def test_targets_open_a_group_for_what_was_spoken(mixer: Mixer) -> None:
    mixer.reseed(3)
    batch = mixer.batch(1)
    targets = batch["targets"][0]
    words = set(targets[targets >= token_id(WORDS[0])])
    assert words
    assert (targets == STREAMING_WORD).sum() > 0
    assert {WORDS[label - 1] for label in set(batch["words"][0]) - {0, IGNORED}} >= {
        WORDS[int(token) - token_id(WORDS[0])] for token in words
    }


def test_what_whisper_tells_stands_where_the_clip_is_however_fast_it_is_spoken(
    mixer: Mixer,
) -> None:
    mixer.reseed(6)
    clip = mixer.pools["wake"][0]
    first = clip.start // STRIDE
    for speed in (1.0, 0.8, 1.25):
        voice = replace(Voice.draw(mixer.rng), speed=speed, tempo=1.0)
        row = Row.of(2 * RATE_HZ)
        end = mixer._place(row, 1280, clip, voice)
        told = row.heard[:, 0]
        positions = np.flatnonzero(~np.isnan(told))
        assert positions[0] == 1
        assert positions[-1] == end // 1280 - 1
        middle_s = (1280 * positions + 640 - 1280) / RATE_HZ * speed
        np.testing.assert_allclose(told[positions], first + middle_s * RATE_HZ / STRIDE, atol=1)
