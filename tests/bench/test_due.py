"""A token is due when the model could first have written it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.bench.due import due_s, lateness, samples_needed, tokens_due
from tests.random_checkpoint import PARAMS
from voxwire.model.config import ModelConfig
from voxwire.model.delay import DELAYS_TOKENS, N_PREFIX_TOKENS, prompt_tokens
from voxwire.model.mel import MelStream

CONFIG = ModelConfig.from_params(PARAMS["tiny"])


def tokens_written(n_samples: int, delay_tokens: int) -> int:
    """Return how many tokens the model's own framing lets it sample from so much audio."""
    stream = MelStream(CONFIG, delay_tokens)
    stream.feed(np.zeros(n_samples, np.float32))
    n_positions = N_PREFIX_TOKENS + stream.n_ready
    return max(0, n_positions - prompt_tokens(delay_tokens) + 1)


@pytest.mark.parametrize("delay_tokens", DELAYS_TOKENS)
@pytest.mark.parametrize("token", [0, 1, 7, 749])
def test_a_token_can_be_written_when_it_is_due_and_not_a_sample_before(
    token: int, delay_tokens: int
) -> None:
    needed = samples_needed(token, delay_tokens)
    assert tokens_written(needed, delay_tokens) == token + 1
    assert tokens_written(needed - 1, delay_tokens) == token


@given(st.integers(0, 100_000), st.sampled_from(DELAYS_TOKENS))
def test_what_is_due_is_what_the_model_can_write(n_samples: int, delay_tokens: int) -> None:
    assert tokens_due(n_samples, delay_tokens) == tokens_written(n_samples, delay_tokens)


def test_the_first_word_of_the_usual_delay_is_due_after_562_ms() -> None:
    assert due_s(0, 6) == pytest.approx(0.5625)  # 7 positions and 40 samples


def test_one_late_token_in_a_hundred_is_forgiven_and_two_are_not() -> None:
    assert lateness([0.2] * 99 + [5.0], 100).is_kept
    assert not lateness([0.2] * 98 + [5.0] * 2, 100).is_kept


def test_tokens_that_never_came_are_late() -> None:
    late = lateness([0.01] * 97, 100)
    assert (late.n_missing, late.is_kept) == (3, False)
    assert math.isinf(late.max_ms)


def test_no_tokens_at_all_are_not_kept() -> None:
    assert not lateness([], 0).is_kept
