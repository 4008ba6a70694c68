"""Check the comparison itself: a harness that excuses everything proves nothing."""

from __future__ import annotations

import numpy as np
import pytest

from tests.parity.compare import Greedy, Thinned


def greedy(margins: list[float]) -> Greedy:
    steps = len(margins)
    tokens = np.full(steps, 7, np.int32)
    return Greedy(tokens, np.full(steps, 9, np.int32), np.array(margins, np.float32))


def tokens_with(changes: dict[int, int], steps: int) -> np.ndarray:
    tokens = np.full(steps, 7, np.int32)
    for step, token in changes.items():
        tokens[step] = token
    return tokens


def test_greedy_finds_best_runner_up_and_margin() -> None:
    logits = np.array([[0, 5, 3, 1], [4, -1, 0, 4.5]], np.float32)
    found = Greedy.of(logits)
    assert found.tokens.tolist() == [1, 3]
    assert found.runner_up.tolist() == [2, 0]
    assert found.margin.tolist() == [2, 0.5]


def test_equal_tokens_need_no_excuse() -> None:
    assert greedy([1.0] * 4).unexcused(tokens_with({}, 4), window=2) == []


def test_a_difference_at_a_clear_margin_is_guilty() -> None:
    assert greedy([1.0] * 4).unexcused(tokens_with({2: 9}, 4), window=8) == [2]


def test_a_tie_excuses_the_window_after_it_and_no_more() -> None:
    margins = [1.0, 1e-5, 1.0, 1.0, 1.0]
    changes = {1: 9, 2: 4, 3: 4}
    assert greedy(margins).unexcused(tokens_with(changes, 5), window=3) == []
    assert greedy(margins).unexcused(tokens_with(changes | {4: 4}, 5), window=3) == [4]


def test_a_tie_excuses_only_its_runner_up() -> None:
    assert greedy([1e-5] * 2).unexcused(tokens_with({0: 5}, 2), window=8) == [0]


def test_a_missing_token_is_an_error_not_a_shorter_comparison() -> None:
    with pytest.raises(ValueError, match="expected 3 tokens, got 2"):
        greedy([1.0] * 3).unexcused(tokens_with({}, 2), window=8)


def test_thinning_tests_every_column_within_a_stride_of_rows() -> None:
    rows = np.random.default_rng(0).standard_normal((4, 8)).astype(np.float32)
    frozen = Thinned.of(rows, stride=4)
    assert frozen.kept.shape == (4, 2)
    for column in range(8):
        changed = rows.copy()
        changed[:, column] += 1
        assert frozen.errors(changed).max() > 0


def test_error_is_relative_to_the_peak_of_the_whole_row() -> None:
    rows = np.array([[8.0, 1.0, 0.5, 0.25]], np.float32)
    frozen = Thinned.of(rows, stride=1)
    assert frozen.errors(rows + np.array([[0, 0, 0.04, 0]], np.float32)) == pytest.approx(0.005)


def test_thinned_rows_can_be_compared_from_any_row_on() -> None:
    rows = np.random.default_rng(0).standard_normal((5, 9)).astype(np.float32)
    frozen = Thinned.of(rows, stride=2)
    assert frozen.errors(rows[3:], first_row=3).tolist() == [0, 0]


def test_thinning_refuses_another_number_of_rows() -> None:
    frozen = Thinned.of(np.ones((3, 4), np.float32), stride=2)
    with pytest.raises(ValueError, match="expected"):
        frozen.errors(np.ones((2, 4), np.float32))
