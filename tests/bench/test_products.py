"""The floor holds every product of a step, and grows with the rows as they do."""

from __future__ import annotations

import json

import mlx.core as mx
import pytest

from tests.bench.operations import counted
from tests.bench.products import Product, step_products
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.model.checkpoint.shapes import canonical_shapes
from voxwire.model.config import ModelConfig

CONFIG = ModelConfig.from_params(json.loads((EMBEDDED / "params.json").read_text()))


def weight_numbers(products: list[Product]) -> int:
    return sum(product.k * product.n for product in products if product.is_weight)


def test_every_weight_of_the_checkpoint_is_in_one_product() -> None:
    """The tied embedding counts as the head; delay conditioning is computed once, at loading."""
    sizes = [
        rows * mx.prod(mx.array(rest)).item()
        for name, (rows, *rest) in canonical_shapes(CONFIG).items()
        if rest and "ada_rms_norm" not in name
    ]
    assert weight_numbers(step_products(CONFIG, 3)) == sum(sizes)


def test_work_is_in_proportion_to_rows() -> None:
    one, many = (sum(p.n_flops for p in step_products(CONFIG, n)) for n in (1, 64))
    assert many == 64 * one


def test_a_product_counts_multiplications_and_additions() -> None:
    assert Product(3, 2, 5, 7).n_flops == 2 * 3 * 2 * 5 * 7


def test_operations_are_counted_as_they_are_evaluated() -> None:
    a = mx.ones((2, 2))
    mx.eval(a)
    with counted() as operations:
        b = a @ a
        mx.eval(b)
        c = b + a
        mx.async_eval([c, {"and": mx.exp(b)}])  # type: ignore[no-untyped-call]
    assert operations == {"Matmul": 1, "Add": 1, "Exp": 1}
    assert c[0, 0].item() == pytest.approx(3)
