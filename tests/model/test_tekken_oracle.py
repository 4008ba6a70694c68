"""Compare the tokenizer with mistral-common, its own library, in the model's 13 languages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import mistral_common
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mistral_common.tokens.tokenizers.tekken import Tekkenizer

from tests.random_checkpoint import tiny_tekken
from voxwire.model.tekken import Tekken
from voxwire.model.text import TextAssembler

BUNDLED = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"

SENTENCES = {
    "ar": "هل يمكنك أن تخبرني أين تقع أقرب محطة قطار؟ وصلنا في السّاعة العاشرة و٤٥ دقيقة.",
    "de": "Der Zug nach Königsberg fährt um 7:45 Uhr von Gleis 3 ab, größtenteils pünktlich.",
    "en": "It's twenty past nine, and the ferry hasn't left yet; we'll be late again, won't we?",
    "es": "¿Cuánto cuesta el billete? El niño comió piña y bebió agua en la montaña ayer.",
    "fr": "L'été dernier, nous avons mangé des œufs à Besançon; il faisait chaud, n'est-ce pas?",
    "hi": "क्या आप मुझे बता सकते हैं कि यह रेलगाड़ी दिल्ली कब पहुँचेगी? मुझे २५ रुपये चाहिए।",
    "it": "Perché non andiamo a cena stasera? Così possiamo assaggiare più piatti della città.",
    "nl": "Zij reisde één keer per jaar naar België; het ijs smolt 's middags op de coöperatie.",
    "pt": "Não há pão na estação, mas amanhã às 8h30 haverá café com açúcar para os avós.",
    "zh": "今天下午三点,我们在火车站见面。请不要迟到,票价是二十五元!",
    "ja": "明日の会議は午前十時から始まります。コーヒーを飲みながら、ゆっくり話しましょう。",
    "ko": "내일 오후 세 시에 서울역에서 만나기로 했어요. 늦지 않게 와 주세요!",
    "ru": "Сколько стоит билет до Санкт-Петербурга? Поезд отправляется в 23:55, её ещё нет.",
}
# Scripts without spaces, cut into words by hand: only [STREAMING_WORD] can tell them apart.
UNSPACED = {
    "zh": ["今天", "下午", "三点", "我们", "在", "火车站", "见面。"],
    "ja": ["明日", "の", "会議", "は", "午前", "十時", "から", "始まります。"],
}


@pytest.fixture(scope="session")
def oracle() -> Tekkenizer:
    return Tekkenizer.from_file(BUNDLED)


@pytest.fixture(scope="session")
def tekken(tmp_path_factory: pytest.TempPathFactory) -> Tekken:
    """Load the bundled vocabulary in a file of Voxtral's form: with specials and audio."""
    file: dict[str, Any] = json.loads(BUNDLED.read_bytes())
    small = tiny_tekken()
    file |= {"special_tokens": small["special_tokens"], "audio": small["audio"]}
    path = tmp_path_factory.mktemp("tekken") / "tekken.json"
    path.write_text(json.dumps(file))
    return Tekken.load(path)


def encode(oracle: Tekkenizer, text: str) -> list[int]:
    return list(oracle.encode(text, bos=False, eos=False))


def as_spoken(tekken: Tekken, groups: list[list[int]]) -> list[int]:
    """Lay out groups of text tokens as the model emits them: pads, then a word mark, then text."""
    silence = [tekken.streaming_pad] * 2
    return [t for group in groups for t in (*silence, tekken.streaming_word, *group)] + silence


def test_every_text_token_has_the_bytes_mistral_common_gives_it(
    tekken: Tekken, oracle: Tekkenizer
) -> None:
    ids = range(tekken.n_special, tekken.vocab_size)
    assert tekken.vocab_size == oracle.n_words
    assert [tekken.token_bytes(i) for i in ids] == [oracle.id_to_byte_piece(i) for i in ids]


@pytest.mark.parametrize("language", SENTENCES)
def test_whole_sentence_decodes_as_mistral_common_decodes_it(
    language: str, tekken: Tekken, oracle: Tekkenizer
) -> None:
    ids = encode(oracle, SENTENCES[language])
    assert tekken.decode(ids) == oracle.decode(ids) == SENTENCES[language]


@pytest.mark.parametrize("language", SENTENCES)
def test_deltas_add_up_to_the_sentence_and_never_show_half_a_character(
    language: str, tekken: Tekken, oracle: Tekkenizer
) -> None:
    sentence = SENTENCES[language]
    groups = [encode(oracle, part) for part in re.findall(r"\s*\S+", sentence)]
    assembler, shown = TextAssembler(tekken), ""
    for token in as_spoken(tekken, groups):
        shown += assembler.push(token).text
        assert sentence.startswith(shown)
    assert shown + assembler.finish().text == sentence


@pytest.mark.parametrize("language", sorted(SENTENCES.keys() - UNSPACED.keys()))
def test_words_are_what_lies_between_spaces(
    language: str, tekken: Tekken, oracle: Tekkenizer
) -> None:
    sentence = SENTENCES[language]
    assert words_of(tekken, [encode(oracle, " " + sentence)]) == sentence.split()


@pytest.mark.parametrize("language", UNSPACED)
def test_words_of_unspaced_scripts_are_the_marked_groups(
    language: str, tekken: Tekken, oracle: Tekkenizer
) -> None:
    words = UNSPACED[language]
    assert words_of(tekken, [encode(oracle, word) for word in words]) == words


def words_of(tekken: Tekken, groups: list[list[int]]) -> list[str]:
    assembler = TextAssembler(tekken)
    deltas = [assembler.push(token) for token in as_spoken(tekken, groups)]
    deltas.append(assembler.finish())
    return [word.text for delta in deltas for word in delta.words]


def test_some_sentence_splits_a_character_over_tokens(tekken: Tekken, oracle: Tekkenizer) -> None:
    # Otherwise the incremental test above would prove nothing about UTF-8.
    ids = [i for text in SENTENCES.values() for i in encode(oracle, text)]
    assert any("\ufffd" in tekken.decode([i]) for i in ids)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_decodes_to_itself(text: str, tekken: Tekken, oracle: Tekkenizer) -> None:
    assert tekken.decode(encode(oracle, text)) == text
