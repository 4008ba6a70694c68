"""Rows are composed from every pool, with words, and what a teacher tells, where they sound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.tones import packed
from voxwire.model.training.clips import STRIDE
from voxwire.model.training.compose import KINDS, RATE_HZ, Composer
from voxwire.model.training.vocabulary import WORDS
from voxwire.model.training.voice import Row, Voice


@pytest.fixture
def composer() -> Composer:
    made = Composer(*packed())
    made.rng = np.random.default_rng(2)
    return made


def test_a_domain_word_in_a_fluent_sentence_is_unsure_and_never_owed(composer: Composer) -> None:
    sentence = next(clip for clip in composer.pools["negative_ocean"] if clip.spans)
    row = Row.of(RATE_HZ)
    composer._place(row, 1000, sentence, Voice.draw(composer.rng))
    assert row.words == []
    assert {word for word, _, _ in row.unsure} == {"go"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_segment_puts_its_words_where_its_sound_is(
    composer: Composer, kind: str
) -> None:
    for _ in range(5):
        row = Row.of(20 * RATE_HZ)
        end = getattr(composer, f"_add_{kind}")(row, 1000)
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


def test_what_whisper_tells_stands_where_the_clip_is_however_fast_it_is_spoken(
    composer: Composer,
) -> None:
    clip = composer.pools["wake"][0]
    first = clip.start // STRIDE
    for speed in (1.0, 0.8, 1.25):
        voice = replace(Voice.draw(composer.rng), speed=speed, tempo=1.0)
        row = Row.of(2 * RATE_HZ)
        end = composer._place(row, 1280, clip, voice)
        told = row.heard[:, 0]
        positions = np.flatnonzero(~np.isnan(told))
        assert positions[0] == 1
        assert positions[-1] == end // 1280 - 1
        middle_s = (1280 * positions + 640 - 1280) / RATE_HZ * speed
        np.testing.assert_allclose(told[positions], first + middle_s * RATE_HZ / STRIDE, atol=1)


@pytest.mark.parametrize(
    ("heard_s", "is_owed", "is_unsure"),
    [(0.30, True, False), (0.15, True, False), (0.10, False, True), (0.05, False, False)],
)
@pytest.mark.parametrize("by", ["the row", "the clip"])
def test_a_word_that_is_broken_off_is_owed_where_enough_of_it_is_heard(
    composer: Composer, by: str, heard_s: float, is_owed: bool, is_unsure: bool
) -> None:
    clip = composer.by_word["yes"][0]  # from 0.1 to 0.4 s
    voice = replace(Voice.draw(composer.rng), speed=1.0, tempo=1.0)
    row = Row.of(RATE_HZ)
    until = 0.1 + heard_s
    if by == "the row":
        composer._place(row, RATE_HZ - int(until * RATE_HZ), clip, voice)
    else:
        composer._place(row, 800, clip, voice, (0.0, until))
    assert [word for word, _, _ in row.words] == ["yes"] * is_owed
    assert [word for word, _, _ in row.unsure] == ["yes"] * is_unsure
    assert all(end_s * RATE_HZ <= len(row.samples) for _, _, end_s in row.words + row.unsure)


def test_some_words_are_broken_off_before_their_end(composer: Composer) -> None:
    clip = composer.by_word["yes"][0]
    _, start_s, end_s = clip.spans[0]
    ends = [cut[1] for _ in range(200) if (cut := composer._cut_off(clip, None)) is not None]
    assert 10 < len(ends) < 60
    assert all(start_s + 0.29 * (end_s - start_s) < end < end_s for end in ends)
