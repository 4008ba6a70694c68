"""What the decoder is taught to write, and when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxwire.model.training.labels import (
    IGNORED,
    LATEST,
    LEFT_PAD,
    emitted,
    frame_labels,
    position_labels,
)
from voxwire.model.training.vocabulary import (
    BOS,
    STREAMING_PAD,
    STREAMING_WORD,
    WORDS,
    token_id,
)

WORD_LISTS = st.lists(
    st.tuples(st.sampled_from(WORDS), st.floats(0, 7), st.floats(0.05, 0.9)), max_size=12
).map(lambda words: [(w, start, start + length) for w, start, length in words])


def test_a_word_is_written_once_its_end_and_the_delay_were_heard() -> None:
    tokens, owed = emitted([("six", 0.2, 0.5)], 12)
    assert list(tokens) == list(owed)
    # Token 6 has heard 7 positions = 560 ms (plus the delay); token 5 only 480 ms.
    assert list(tokens[6:8]) == [STREAMING_WORD, token_id("six")]
    assert set(tokens[:6]) | set(tokens[8:]) == {STREAMING_PAD}


def test_a_word_due_while_another_is_written_joins_its_group() -> None:
    tokens, _ = emitted([("six", 0.2, 0.5), ("two", 0.5, 0.56)], 12)
    assert list(tokens[6:9]) == [STREAMING_WORD, token_id("six"), token_id("two")]


def test_late_words_shift_by_whole_tokens() -> None:
    on_time, _ = emitted([("six", 0.2, 0.5)], 12)
    late, _ = emitted([("six", 0.2, 0.5)], 12, [2])
    assert list(late[2:]) == list(on_time[:-2])


def test_a_late_word_is_owed_from_when_it_was_due_until_it_is_written() -> None:
    fed, targets = position_labels([("six", 0.2, 0.5)], 6, LEFT_PAD + 30, [2])
    due = LEFT_PAD + 6 + 6
    assert list(targets[due - 1 : due + 5]) == [
        STREAMING_PAD,
        *[STREAMING_WORD] * 3,
        token_id("six"),
        STREAMING_PAD,
    ]
    # What is fed is what was written, one position before: pads until the word opens.
    assert set(fed[1 : due + 3]) == {STREAMING_PAD}
    assert list(fed[due + 3 : due + 5]) == [STREAMING_WORD, token_id("six")]


@given(WORD_LISTS, st.data())
def test_lateness_changes_what_is_owed_in_pads_alone(
    words: list[tuple[str, float, float]], data: st.DataObject
) -> None:
    late = data.draw(st.lists(st.integers(0, 3), min_size=len(words), max_size=len(words)))
    tokens, owed = emitted(words, 200, late)
    early = tokens != owed
    assert set(tokens[early]) <= {STREAMING_PAD}
    assert set(owed[early]) <= {STREAMING_WORD}


@given(WORD_LISTS)
def test_every_word_is_written_once_in_the_order_of_their_ends(
    words: list[tuple[str, float, float]],
) -> None:
    tokens = [int(t) for t in emitted(words, 200)[0]]
    text = [t for t in tokens if t not in (STREAMING_PAD, STREAMING_WORD)]
    assert text == [token_id(w) for w, _, _ in sorted(words, key=lambda word: word[2])]


@given(WORD_LISTS, st.integers(1, 30))
def test_what_is_fed_is_the_prompt_and_then_the_targets_one_later(
    words: list[tuple[str, float, float]], delay: int
) -> None:
    n = LEFT_PAD + 100 + delay + 11
    fed, targets = position_labels(words, delay, n)
    prompt = LEFT_PAD + 1 + delay
    assert len(fed) == len(targets) == n
    assert list(fed[:prompt]) == [BOS] + [STREAMING_PAD] * (prompt - 1)
    assert list(fed[prompt:]) == list(targets[prompt - 1 : -1])
    assert set(targets[: prompt - 1]) == {-100}


def test_a_word_that_is_unsure_owes_neither_itself_nor_pads() -> None:
    unsure = [("go", 0.8, 1.2)]
    fed, targets = position_labels([("six", 2.0, 2.4)], 6, LEFT_PAD + 60, unsure=unsure)
    sure_fed, sure = position_labels([("six", 2.0, 2.4)], 6, LEFT_PAD + 60)
    assert list(fed) == list(sure_fed)
    changed = [i - LEFT_PAD - 6 for i in range(len(sure)) if targets[i] != sure[i]]
    assert changed == list(range(10, 15 + LATEST))  # from its start; it is due at token 14
    assert set(targets[LEFT_PAD + 16 : LEFT_PAD + 21 + LATEST]) == {IGNORED}


def test_an_unsure_word_never_hides_one_that_is_owed() -> None:
    words = [("six", 1.0, 1.2)]
    _, targets = position_labels(words, 6, LEFT_PAD + 60, unsure=[("go", 0.8, 1.4)])
    assert token_id("six") in targets
    assert STREAMING_WORD in targets
    labels = frame_labels(words, LEFT_PAD + 60, [("go", 0.8, 1.4)])
    assert set(labels) == {0, IGNORED, WORDS.index("six") + 1}


def test_the_auxiliary_head_names_a_word_while_it_is_spoken() -> None:
    labels = frame_labels([("go", 0.8, 1.2)], 80)
    spoken = [i - LEFT_PAD for i in range(80) if labels[i] == WORDS.index("go") + 1]
    assert spoken == list(range(12, 17))
    assert set(labels) == {0, WORDS.index("go") + 1}
