"""Linear maps, embeddings and rotations."""

from __future__ import annotations

import math

import mlx.core as mx
import numpy as np
import pytest

from voxwire.model.layers import Embedding, Linear, Packing, Parallel, gelu, stack, swiglu
from voxwire.model.rope import Rope, half_split_order

RNG = np.random.default_rng(0)


def random(*shape: int) -> mx.array:
    return mx.array(RNG.standard_normal(shape).astype(np.float32))


def packed(weight: mx.array, bits: int, group_size: int = 64) -> tuple[mx.array, Packing]:
    words, scales, biases = mx.quantize(weight, group_size, bits)
    return words, Packing(scales, biases, bits, group_size)


def assert_close(mine: mx.array, theirs: mx.array) -> None:
    np.testing.assert_allclose(np.array(mine), np.array(theirs), rtol=1e-5, atol=1e-5)


def test_activations_keep_their_definition() -> None:
    x = np.linspace(-6, 6, 64)
    erf = np.array([math.erf(v / math.sqrt(2)) for v in x])
    assert_close(gelu(mx.array(x, mx.float32)), mx.array(0.5 * x * (1 + erf)))
    gate, up = x[:32], x[32:]
    expected = gate / (1 + np.exp(-gate)) * up
    assert_close(swiglu(mx.array(x, mx.float32)), mx.array(expected))


@pytest.mark.parametrize("bits", [[None, None, None], [4, 4, 4], [8, 4, None]])
@pytest.mark.parametrize("biased", [False, True])
def test_a_stack_equals_its_parts(bits: list[int | None], biased: bool) -> None:
    parts = []
    for index, n_bits in enumerate(bits):
        weight = random(10 + index, 128)
        bias = random(10 + index) if biased and index != 1 else None
        words, packing = (weight, None) if n_bits is None else packed(weight, n_bits)
        parts.append(Linear(words, packing, bias))
    x = random(2, 3, 128)
    whole = stack(parts)
    assert isinstance(whole, Linear) == (len(set(bits)) == 1)
    assert isinstance(whole, Parallel) == (len(set(bits)) > 1)
    assert_close(whole(x), mx.concatenate([part(x) for part in parts], axis=-1))
    assert_close(whole.laid_out()(x), whole(x))


def test_a_map_that_is_laid_out_is_in_memory_once_as_its_product_reads_it() -> None:
    whole = Linear(random(96, 128))
    mx.eval(whole.arrays)
    before = mx.get_active_memory()
    turned = whole.laid_out()
    del whole
    mx.eval(turned.arrays)
    across = np.array(turned.across, copy=False)
    # MLX may take a freed buffer that is up to two pages larger than what was asked for.
    assert mx.get_active_memory() < before + across.nbytes // 2
    assert across.shape == (128, 96)
    assert across.flags.c_contiguous


@pytest.mark.parametrize("bits", [None, 4, 8])
def test_rows_of_a_map_can_be_taken(bits: int | None) -> None:
    weight = random(12, 128)
    words, packing = (weight, None) if bits is None else packed(weight, bits)
    whole = Linear(words, packing, random(12))
    rows, x = mx.array([3, 0, 11]), random(2, 128)
    assert_close(whole.take(rows)(x), whole(x)[:, rows])


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
def test_a_packed_embedding_equals_its_dequantised_table(bits: int) -> None:
    words, packing = packed(random(20, 128), bits)
    table = mx.dequantize(words, packing.scales, packing.biases, group_size=64, bits=bits)
    embedding = Embedding(words, packing, mx.float32)
    ids, x = mx.array([[0, 19], [7, 7]]), random(2, 128)
    assert_close(embedding(ids), table[ids])
    assert_close(embedding.logits(x), x @ table.T)


def test_half_split_turning_keeps_interleaved_scores() -> None:
    n_heads, size, theta = 3, 8, 1e4
    queries, keys = random(1, 5, n_heads * size), random(1, 5, n_heads * size)
    order = mx.array(half_split_order(n_heads, size))
    positions = np.array([[0, 1, 7, 300, 5000]])
    turn = Rope(size, theta).at(positions)

    def mine(x: mx.array) -> mx.array:
        return turn(x[..., order].reshape(1, 5, n_heads, size))

    def theirs(x: mx.array) -> mx.array:
        heads = x.reshape(1, 5, n_heads, size).transpose(1, 2, 0, 3)  # [5, H, 1, size]
        offsets = mx.array(positions[0])
        turned = mx.fast.rope(heads, size, traditional=True, base=theta, scale=1.0, offset=offsets)
        return turned.transpose(2, 0, 1, 3)

    scores = [np.einsum("blhd,bmhd->hlm", f(queries), f(keys)) for f in (mine, theirs)]
    np.testing.assert_allclose(scores[0], scores[1], atol=2e-3)


def test_turning_forth_and_back_gives_the_heads_again() -> None:
    rope, heads = Rope(8, 1e4), random(1, 1, 2, 8)
    assert_close(rope.by(-4096)(rope.at(np.array([[4096]]))(heads)), heads)


@pytest.mark.parametrize("n_rows", [1, 8, 9, 40])
@pytest.mark.parametrize("bits", [3, 4, 8])
def test_a_packed_map_is_the_unpacked_one_for_few_rows_and_many(n_rows: int, bits: int) -> None:
    words, packing = packed(random(96, 128), bits)
    dense = mx.dequantize(words, packing.scales, packing.biases, 64, bits)
    x = random(n_rows, 128)
    assert_close(Linear(words, packing)(x), x @ dense.T)
