"""State how two implementations are compared: the norm, the thinning and the margin rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# Of the whole row's largest magnitude; the contract for logits, held by every stage.
RELATIVE_TOLERANCE = 1e-4
# A top-two gap that float32 summation order alone can close, in logits.
TIE_MARGIN = 1e-4

Rows = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Thinned:
    """Part of a [rows, columns] array: the kept columns turn with the row so all get tested."""

    kept: Rows  # [rows, columns // stride]
    peak: Rows  # [rows] largest magnitude of the whole row
    stride: int

    @classmethod
    def of(cls, rows: Rows, stride: int) -> Thinned:
        """Keep every stride-th column of rows, starting one column later in each row."""
        kept = np.take_along_axis(rows, _kept_columns(rows.shape, stride, 0), axis=1)
        return cls(kept, np.abs(rows).max(axis=1), stride)

    def errors(self, rows: Rows, first_row: int = 0) -> Rows:
        """Return max|difference| / max|reference| of each row that rows holds.

        rows: all of the reference's rows from first_row on.
        Raises: ValueError if there are more or fewer rows, or other columns.
        """
        kept, peak = self.kept[first_row:], self.peak[first_row:]
        if len(rows) != len(peak) or rows.shape[1] // self.stride != kept.shape[1]:
            raise ValueError(f"expected {kept.shape} x{self.stride}, got {rows.shape}")
        ours = np.take_along_axis(rows, _kept_columns(rows.shape, self.stride, first_row), axis=1)
        worst: Rows = np.abs(ours - kept).max(axis=1) / peak
        return worst


def _kept_columns(shape: tuple[int, ...], stride: int, first_row: int) -> npt.NDArray[np.int64]:
    n_rows, n_columns = shape
    steps = np.arange(n_columns // stride) * stride
    return (np.arange(first_row, first_row + n_rows)[:, None] + steps) % n_columns


@dataclass(frozen=True, slots=True)
class Greedy:
    """Greedy tokens with, at each step, the reference's runner-up and its distance in logits."""

    tokens: Ids  # [steps]
    runner_up: Ids  # [steps]
    margin: Rows  # [steps]

    @classmethod
    def of(cls, logits: Rows) -> Greedy:
        """Take the top two of logits [steps, vocabulary]."""
        order = np.argpartition(logits, -2, axis=1)[:, -2:]
        pair = np.take_along_axis(logits, order, axis=1)
        best = pair.argmax(axis=1)[:, None]
        tokens = np.take_along_axis(order, best, axis=1)[:, 0].astype(np.int32)
        runner_up = np.take_along_axis(order, 1 - best, axis=1)[:, 0].astype(np.int32)
        return cls(tokens, runner_up, np.abs(pair[:, 0] - pair[:, 1]))

    def unexcused(self, tokens: Ids, window: int) -> list[int]:
        """Return the steps at which tokens differ without the excuse of a tie.

        A first difference is excused where the margin is under TIE_MARGIN and the token is
        the runner-up; so are the differences within window steps after it, since its key and
        value are in view there. Raises: ValueError if the numbers of tokens differ.
        """
        if len(tokens) != len(self.tokens):
            raise ValueError(f"expected {len(self.tokens)} tokens, got {len(tokens)}")
        excused_until, guilty = -1, []
        for step in np.flatnonzero(tokens != self.tokens).tolist():
            if step <= excused_until:
                continue
            if self.margin[step] < TIE_MARGIN and tokens[step] == self.runner_up[step]:
                excused_until = step + window - 1
            else:
                guilty.append(step)
        return guilty
