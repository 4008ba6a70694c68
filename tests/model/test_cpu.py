"""The CPU's own activations and attention are the usual ones."""

from __future__ import annotations

import math

import mlx.core as mx
import numpy as np
import pytest

from voxwire.model import cpu

RNG = np.random.default_rng(0)
RANGE = np.concatenate([np.linspace(-12, 12, 4001), [-1e30, -200, 200, 1e30]]).astype(np.float32)


def random(*shape: int, scale: float = 1.0) -> mx.array:
    return mx.array(scale * RNG.standard_normal(shape).astype(np.float32))


def test_gelu_is_exact_but_for_rounding() -> None:
    x = RANGE.astype(np.float64)
    exact = 0.5 * x * np.array([1 + math.erf(v / math.sqrt(2)) for v in x])
    assert (np.abs(np.array(cpu.gelu(mx.array(RANGE))) - exact) <= 3e-7 * (1 + np.abs(x))).all()


def test_swiglu_is_exact_but_for_rounding_and_never_overflows() -> None:
    gate = RANGE
    with np.errstate(over="ignore"):
        exact = 0.75 * gate / (1 + np.exp(-gate.astype(np.float64)))
    mine = np.array(cpu.swiglu(mx.array(gate), mx.array(0.75)))
    np.testing.assert_allclose(mine, exact, rtol=2e-6, atol=1e-30)


def test_a_spoilt_number_stays_spoilt() -> None:
    x = mx.array([1.0, math.nan, 1.0])
    for y in (cpu.gelu(x), cpu.swiglu(x, mx.array(1.0))):
        assert np.flatnonzero(np.isnan(np.array(y))).tolist() == [1]


@pytest.mark.parametrize(("n_heads", "n_groups"), [(2, 2), (3, 1), (4, 2)])
@pytest.mark.parametrize("n_new", [1, 4])
@pytest.mark.parametrize("scale", [1.0, 300.0])
@pytest.mark.parametrize("n_rows", [1, 70])  # few scores, and many
def test_attention_is_the_usual_one(
    n_heads: int, n_groups: int, n_new: int, scale: float, n_rows: int
) -> None:
    queries = random(n_rows, n_heads, n_new, 16, scale=scale)
    keys, values = random(n_rows, n_groups, 19, 16), random(n_rows, n_groups, 19, 16)
    mask = RNG.random((n_rows, 1, n_new, 19)) < 0.5
    mask[..., 0] = True
    prepared = cpu.attention_mask(mx.array(mask), n_groups, n_heads // n_groups)
    mine = cpu.attend(queries, keys, values, 0.25, prepared)
    usual = mx.fast.scaled_dot_product_attention(
        queries, keys, values, scale=0.25, mask=mx.array(mask)
    )
    # Scores of thousands are themselves rounded to a ten-thousandth.
    np.testing.assert_allclose(np.array(mine), np.array(usual), atol=1e-6 * scale + 1e-5)


def test_a_query_that_sees_nothing_yields_numbers() -> None:
    for n in (1, 70):
        mask = cpu.attention_mask(mx.zeros((n, 1, 2, 9), mx.bool_), 2, 1)
        keys, values = random(n, 2, 9, 16), random(n, 2, 9, 16)
        mixed = cpu.attend(random(n, 2, 2, 16), keys, values, 0.25, mask)
        assert np.isfinite(np.array(mixed)).all()


def test_a_mask_is_made_for_all_heads_only_where_that_is_little() -> None:
    short, long = (mx.ones((1, 1, n, 2000), mx.bool_) for n in (4, 500))
    assert cpu.attention_mask(short, 8, 2).shape == (1, 8, 8, 2000)
    assert cpu.attention_mask(long, 8, 2).shape == (1, 1, 1000, 2000)


def test_only_float32_on_the_cpu_is_served() -> None:
    is_cpu = mx.default_device().type == mx.DeviceType.cpu
    assert cpu.serves(mx.float32) == is_cpu
    assert not cpu.serves(mx.float16)
