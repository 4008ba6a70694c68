"""The delay and the numbers that follow from it."""

from __future__ import annotations

import pytest

from voxwire.model.delay import (
    check_delay,
    delay_tokens_from_ms,
    prompt_tokens,
    right_pad_tokens,
    sampled_tokens,
)
from voxwire.model.errors import DelayError


@pytest.mark.parametrize(
    ("delay_ms", "delay", "prompt", "right_pad"),
    [
        (80, 1, 34, 12),
        (160, 2, 35, 13),
        (480, 6, 39, 17),
        (960, 12, 45, 23),
        (1200, 15, 48, 26),
        (2400, 30, 63, 41),
    ],
)
def test_prompt_and_padding_follow_the_delay(
    delay_ms: int, delay: int, prompt: int, right_pad: int
) -> None:
    assert delay_tokens_from_ms(delay_ms) == delay
    assert prompt_tokens(delay) == prompt
    assert right_pad_tokens(delay) == right_pad


@pytest.mark.parametrize("delay_ms", [-80, 0, 1, 79, 81, 1280, 2320, 2480])
def test_other_delays_are_refused(delay_ms: int) -> None:
    with pytest.raises(DelayError, match=str(delay_ms)):
        delay_tokens_from_ms(delay_ms)


@pytest.mark.parametrize("delay", [-1, 0, 16, 29, 31])
def test_other_numbers_of_tokens_are_refused(delay: int) -> None:
    with pytest.raises(DelayError, match=str(delay)):
        check_delay(delay)


@pytest.mark.parametrize(
    ("n_samples", "expected"), [(0, 11), (1, 12), (1280, 12), (1281, 13), (960_000, 761)]
)
def test_number_of_tokens_depends_on_the_samples_alone(n_samples: int, expected: int) -> None:
    assert {sampled_tokens(n_samples, delay) for delay in (1, 6, 30)} == {expected}
