"""Passes of several batches side by side, each on its own stream. MLX thread only."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import mlx.core as mx
import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int32]

# A pass in the making. It yields arrays that it needs next, so that whoever drives it can start
# their evaluation together with that of others; it returns the tokens.
Work = Generator[object, None, Tokens]


def complete(work: Work) -> Tokens:
    """Run one pass to its end."""
    return together([work], [mx.default_stream(mx.default_device())])[0]


def together(works: Sequence[Work], streams: Sequence[mx.Stream]) -> list[Tokens]:
    """Run passes of different batches to their ends, each on its stream; return what they return.

    What they need is evaluated in one call: MLX lets a call run only a few operations ahead of
    the device, so that of two calls the second would wait for most of the first.
    """
    results: dict[int, Tokens] = {}
    while len(results) < len(works):
        needed = []
        for index, (work, stream) in enumerate(zip(works, streams, strict=True)):
            if index in results:
                continue
            try:
                with mx.stream(stream):
                    needed.append(next(work))
            except StopIteration as end:
                results[index] = end.value
        mx.async_eval(needed)  # type: ignore[no-untyped-call]
    return [results[index] for index in range(len(works))]
