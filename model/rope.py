"""Rotary position embedding over tables of exact angles.

Heads are kept in half-split order (the two members of a pair are head_dim / 2 apart): turning is
then two products and a sum. Weights come in interleaved order; `half_split_order` reorders the
rows of the query and key projections once, which no score can notice.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Turn:
    """Cosines and sines of some positions, both [B, L, 1, 2, head_dim / 2] float32."""

    cos: mx.array
    sin: mx.array

    def __call__(self, heads: mx.array) -> mx.array:
        """Turn heads [B, L, H, head_dim] in half-split order; keeps their dtype."""
        halves = heads.reshape(*heads.shape[:-1], 2, -1)
        turned = halves * self.cos + halves[..., ::-1, :] * self.sin
        return turned.reshape(heads.shape).astype(heads.dtype)


class Rope:
    """The angles of one stack of layers.

    Angles are computed in float64 on the host and kept in a table that grows to the largest
    position asked for: the caller re-anchors positions, so that it stays small.
    """

    def __init__(self, head_dim: int, theta: float) -> None:
        self._frequencies = theta ** (-np.arange(0, head_dim, 2) / head_dim)  # [head_dim / 2]
        self._cos, self._sin = self._table(np.arange(1024))

    def at(self, positions: Ints) -> Turn:
        """Return the turn by `positions` [B, L] >= 0."""
        top = int(positions.max(initial=0))
        if top >= len(self._cos):
            self._cos, self._sin = self._table(np.arange(2 * top))
        return _turn(self._cos[positions], self._sin[positions])

    def by(self, delta: int) -> Turn:
        """Return the turn of every row and position by one `delta`, which may be negative."""
        cos, sin = self._table(np.array([[delta]]))
        return _turn(cos, sin)

    def _table(self, positions: Ints) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        angles = positions[..., None] * self._frequencies
        cos, sin = np.cos(angles), np.sin(angles)
        # The sign of the swap, (a, b) -> (-b, a), is folded into the sines.
        cos = np.stack([cos, cos], axis=-2).astype(np.float32)
        return cos, np.stack([-sin, sin], axis=-2).astype(np.float32)


def _turn(cos: npt.NDArray[np.float32], sin: npt.NDArray[np.float32]) -> Turn:
    return Turn(mx.array(cos[:, :, None]), mx.array(sin[:, :, None]))


def half_split_order(n_heads: int, head_dim: int) -> Ints:
    """Return the row order that turns interleaved heads into half-split ones, [H * head_dim]."""
    within = np.concatenate([np.arange(0, head_dim, 2), np.arange(1, head_dim, 2)])
    order: Ints = (np.arange(n_heads)[:, None] * head_dim + within).reshape(-1)
    return order
