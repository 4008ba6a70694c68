"""Text comes out whole characters at a time, words with times on the audio clock."""

from __future__ import annotations

import json
import sys
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.random_checkpoint import tiny_tekken
from voxwire.model.tekken import Tekken
from voxwire.model.text import MAX_WORD_CHARS, SETTLED_AFTER_PADS, Delta, TextAssembler, Word

BOS, EOS, PAD, WORD, FIRST_BYTE = 1, 2, 32, 33, 1000


@pytest.fixture(scope="module")
def tekken(tmp_path_factory: pytest.TempPathFactory) -> Tekken:
    file: Path = tmp_path_factory.mktemp("tekken") / "tekken.json"
    file.write_text(json.dumps(tiny_tekken()))
    return Tekken.load(file)


def spell(text: str) -> list[int]:
    """One token per byte."""
    return [FIRST_BYTE + byte for byte in text.encode()]


def run(tekken: Tekken, ids: list[int]) -> tuple[list[Delta], str, list[Word]]:
    assembler = TextAssembler(tekken)
    deltas = [assembler.push(token_id) for token_id in ids] + [assembler.finish()]
    text = "".join(delta.text for delta in deltas)
    return deltas, text, [word for delta in deltas for word in delta.words]


def texts(words: list[Word]) -> list[str]:
    return [word.text for word in words]


def test_a_character_split_over_tokens_appears_with_its_last_byte(tekken: Tekken) -> None:
    deltas, text, _ = run(tekken, spell("é日🙂"))
    assert [delta.text for delta in deltas] == ["", "é", "", "", "日", "", "", "", "🙂", ""]
    assert text == "é日🙂"


def test_a_character_split_by_control_tokens_is_still_whole(tekken: Tekken) -> None:
    first, second, third = spell("日")
    _, text, _ = run(tekken, [first, PAD, second, WORD, EOS, third])
    assert text == "日"


def test_a_broken_character_becomes_a_replacement_only_at_the_end(tekken: Tekken) -> None:
    deltas, text, words = run(tekken, spell("a") + spell("日")[:2])
    assert [delta.text for delta in deltas] == ["a", "", "", "\ufffd"]
    assert text == "a\ufffd"
    assert texts(words) == ["a\ufffd"]


def test_control_tokens_never_print_and_the_leading_space_goes(tekken: Tekken) -> None:
    _, text, _ = run(tekken, [BOS, PAD, 0, 24, *spell("  hi"), EOS, 999, *spell(" you")])
    assert text == "hi you"


def test_words_end_80_ms_times_the_index_of_their_first_token(tekken: Tekken) -> None:
    ids = [PAD] * 9 + [WORD, *spell(" one"), PAD, PAD, WORD, *spell(" two")]
    _, _, words = run(tekken, ids)
    assert texts(words) == ["one", "two"]
    assert [word.first_token for word in words] == [11, 18]
    assert [word.end_s for word in words] == [0.88, 1.44]
    assert all(word.end_s - 0.4 <= word.start_s < word.end_s for word in words)


def test_a_word_starts_no_earlier_than_the_one_before_ended(tekken: Tekken) -> None:
    one, two = 1257, 1258
    _, _, words = run(tekken, [PAD] * 20 + [WORD, one, two])
    assert words[0].end_s == 1.68
    assert (words[1].start_s, words[1].end_s) == (1.68, 1.76)


def test_a_character_is_timed_by_its_first_byte(tekken: Tekken) -> None:
    _, _, words = run(tekken, [PAD, PAD, WORD, *spell("日"), WORD, *spell("本")])
    assert [(word.text, word.first_token) for word in words] == [("日", 3), ("本", 7)]


def test_groups_are_words_in_scripts_without_spaces(tekken: Tekken) -> None:
    _, text, words = run(
        tekken, [WORD, *spell("今日"), WORD, *spell("は"), PAD, WORD, *spell("晴")]
    )
    assert text == "今日は晴"
    assert texts(words) == ["今日", "は", "晴"]
    assert not any(word.space_before for word in words)


def test_a_group_of_several_words_is_split_at_spaces(tekken: Tekken) -> None:
    _, _, words = run(tekken, [WORD, *spell(" to be or")])
    assert texts(words) == ["to", "be", "or"]
    assert [word.space_before for word in words] == [False, True, True]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello, world.", ["hello,", "world."]),
        ("quoi ? oui", ["quoi ?", "oui"]),
        ('he said "no" twice', ["he", "said", '"no"', "twice"]),
        ("¿ qué", ["¿ qué"]),
        ("it costs $ 5", ["it", "costs $", "5"]),
        ("rock & roll", ["rock &", "roll"]),
        ("don't", ["don't"]),
    ],
)
def test_punctuation_is_no_word_of_its_own(tekken: Tekken, text: str, expected: list[str]) -> None:
    assert texts(run(tekken, spell(text))[2]) == expected


def test_punctuation_in_its_own_group_joins_the_word_before(tekken: Tekken) -> None:
    ids = [WORD, *spell("你好"), PAD, PAD, WORD, *spell("。"), WORD, *spell("再见")]
    assert texts(run(tekken, ids)[2]) == ["你好。", "再见"]


def test_a_pause_settles_the_word_without_waiting_for_the_next(tekken: Tekken) -> None:
    deltas, _, _ = run(tekken, [WORD, *spell(" go"), *[PAD] * (SETTLED_AFTER_PADS + 3)])
    n_words = [len(delta.words) for delta in deltas]
    assert n_words == [0] * (4 + SETTLED_AFTER_PADS - 1) + [1, 0, 0, 0, 0]


@pytest.mark.parametrize("silent", [PAD, EOS, BOS])
def test_eos_and_bos_count_as_pad(tekken: Tekken, silent: int) -> None:
    deltas, _, _ = run(tekken, [*spell("go"), *[silent] * SETTLED_AFTER_PADS, *spell(" on")])
    assert texts(list(deltas[2 + SETTLED_AFTER_PADS - 1].words)) == ["go"]


def test_finish_begins_a_new_transcript_on_the_same_clock(tekken: Tekken) -> None:
    assembler = TextAssembler(tekken)
    for token_id in [WORD, *spell(" one "), WORD]:
        assembler.push(token_id)
    first = assembler.finish()
    deltas = [assembler.push(token_id) for token_id in [PAD, *spell(" two")]] + [assembler.finish()]
    words = [word for delta in deltas for word in delta.words]
    assert texts(list(first.words)) == ["one"]
    assert "".join(delta.text for delta in deltas) == "two"
    assert [(word.text, word.first_token, word.space_before) for word in words] == [
        ("two", 9, False)
    ]


def test_finish_with_nothing_said_is_empty(tekken: Tekken) -> None:
    assert run(tekken, [PAD] * 50) == ([Delta()] * 51, "", [])


CONTROL = st.sampled_from([BOS, EOS, PAD, PAD, PAD, WORD, WORD, 0, 24])
RAW_BYTE = st.integers(0, 255).map(lambda byte: [FIRST_BYTE + byte])
PIECE = st.one_of(
    CONTROL.map(lambda token_id: [token_id]),
    RAW_BYTE,
    st.integers(1256, 1299).map(lambda token_id: [token_id]),
    st.sampled_from(["日本", " é", "?", " !", ' "', "\n", " ", " 🙂", "नमस्ते"]).map(spell),
    st.just([PAD] * SETTLED_AFTER_PADS),
)
TOKENS = st.lists(PIECE, max_size=60).map(lambda pieces: [*chain.from_iterable(pieces)])
check = settings(max_examples=150, deadline=None, derandomize=True)


@check
@given(TOKENS)
@example(spell("日")[:2] + [PAD] * 5 + spell(" a"))
def test_deltas_add_up_to_the_bytes_of_all_tokens(tekken: Tekken, ids: list[int]) -> None:
    _, text, _ = run(tekken, ids)
    assert text == tekken.decode(ids).lstrip()


@check
@given(TOKENS)
def test_a_shown_character_is_never_taken_back(tekken: Tekken, ids: list[int]) -> None:
    assembler = TextAssembler(tekken)
    shown = ""
    for n, token_id in enumerate(ids, 1):
        shown += assembler.push(token_id).text
        whole = tekken.decode(ids[:n]).lstrip()
        # All that is shown is final, and all that is complete is shown.
        assert whole.startswith(shown)
        assert set(whole[len(shown) :]) <= {"\ufffd"}


@check
@given(TOKENS)
def test_words_reproduce_the_text_and_their_times_never_go_back(
    tekken: Tekken, ids: list[int]
) -> None:
    _, text, words = run(tekken, ids)
    joined = "".join((" " if word.space_before else "") + word.text for word in words)
    assert " ".join(joined.split()) == " ".join(text.split())
    clock = 0.0
    for word in words:
        assert clock <= word.start_s <= word.end_s <= 0.08 * len(ids)
        assert word.end_s == pytest.approx(0.08 * word.first_token)
        clock = word.end_s


@check
@given(TOKENS)
def test_words_are_complete_when_they_are_given(tekken: Tekken, ids: list[int]) -> None:
    deltas, _, _ = run(tekken, ids)
    shown = ""
    for delta in deltas:
        shown += delta.text
        for word in delta.words:
            assert word.text.split()[-1] in shown


def memory_of(assembler: TextAssembler) -> int:
    """Bytes held by the assembler and all that only it refers to."""
    seen: set[int] = set()

    def size(thing: object) -> int:
        if id(thing) in seen or isinstance(thing, (Tekken, type)):
            return 0
        seen.add(id(thing))
        slots = getattr(type(thing), "__slots__", ())
        names = [*getattr(thing, "__dict__", {}), *(slots if isinstance(slots, tuple) else ())]
        parts = [getattr(thing, name) for name in names if hasattr(thing, name)]
        items = list(thing) if isinstance(thing, (list, tuple, set)) else []
        return sys.getsizeof(thing) + sum(map(size, parts + items))

    return size(assembler)


ENDLESS = {
    "letters": spell("a"),
    "punctuation": spell("!"),
    "punctuation between spaces": spell(" !"),
    "no spaces in the script": spell("日"),
    "words": [WORD, 1257, PAD],
    "pads": [PAD],
    "marks": [WORD],
    "spaces": spell(" "),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_memory_does_not_grow_with_the_session(tekken: Tekken, name: str) -> None:
    assembler = TextAssembler(tekken)
    for _ in range(20_000):
        for token_id in ENDLESS[name]:
            assert all(
                len(word.text) <= 2 * MAX_WORD_CHARS for word in assembler.push(token_id).words
            )
    assert memory_of(assembler) < 10_000
