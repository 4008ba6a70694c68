"""Time matrix products alone, by the BLAS that the model uses. MLX thread only."""

from __future__ import annotations

import time
from collections.abc import Sequence

import mlx.core as mx

from tests.bench.products import Product


class Floor:
    """The products of one step on random numbers, each with a weight of its own as in the model."""

    def __init__(self, products: Sequence[Product]) -> None:
        self._pairs = [_operands(product) for product in products]
        mx.eval(self._pairs)
        self.n_flops = sum(product.n_flops for product in products)

    def run_s(self) -> float:
        """Return the seconds of all products once, evaluated together."""
        started_s = time.perf_counter()
        mx.eval([left @ right for left, right in self._pairs])
        return time.perf_counter() - started_s


def _operands(product: Product) -> tuple[mx.array, mx.array]:
    if product.is_weight:  # [out, in], and used transposed, as checkpoints store it
        left = mx.random.normal((product.m, product.k))
        return left, mx.random.normal((product.n, product.k)).T
    left = mx.random.normal((product.n_batch, product.m, product.k))
    return left, mx.random.normal((product.n_batch, product.k, product.n))


def peak_gflops(n_runs: int = 20) -> float:
    """Return the rate of a product of 512 x 512 x 512: about the best that this BLAS does here."""
    floor = Floor([Product(1, 512, 512, 512)])
    return floor.n_flops / min(floor.run_s() for _ in range(n_runs)) / 1e9
