"""Count the operations that MLX carries out in one step. MLX thread only."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import mlx.core as mx

# Their output is another view of their input: they cost the call and touch no number.
VIEWS = frozenset(
    "AsStrided Broadcast ExpandDims Flatten Reshape Slice Squeeze Transpose".split()
) | {"Unflatten"}
_NODE = re.compile(r'(\d+) \[label ="(\w+)"')


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """Count operations by name while the block runs.

    What is counted are the nodes of the graphs that the block has MLX evaluate, each once: just
    before `mx.eval` or `mx.async_eval` runs, `mx.export_to_dot` writes the graph that hangs on
    its arguments. What compiled kernels fuse counts as one.
    """
    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        for name in ("eval", "async_eval"):
            stack.enter_context(mock.patch.object(mx, name, _counting(getattr(mx, name), counts)))
        yield counts


def _counting(evaluate: Callable[..., None], counts: Counter[str]) -> Callable[..., None]:
    def counting(*arrays: Any) -> None:
        text = io.StringIO()
        mx.export_to_dot(text, *_leaves(arrays))
        counts.update(dict(_NODE.findall(text.getvalue())).values())
        evaluate(*arrays)

    return counting


def _leaves(tree: Any) -> list[mx.array]:
    if isinstance(tree, mx.array):
        return [tree]
    items = tree.values() if isinstance(tree, dict) else tree
    return [leaf for item in items for leaf in _leaves(item)]
