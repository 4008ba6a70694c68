"""Transcribe a whole recording, block by block: memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from .errors import LogitsError
from .mel import Floats, MelStream
from .stream import NO_TOKEN, NOT_FINITE, SlotBatch
from .voxtral import Voxtral

# Audio positions encoded in one pass: it costs little more for 16 than for one.
BLOCK_TOKENS = 16
_FEED_SAMPLES = 1 << 16


def transcribe_tokens(
    model: Voxtral,
    samples: Floats,
    delay_tokens: int,
    on_token: Callable[[int], None] | None = None,
) -> list[int]:
    """Return the tokens of a recording: [n] float32, mono, 16 kHz, of any length, zero too.

    on_token: called with each token as its block is done. MLX thread only.
    Raises AudioError, DelayError, LogitsError.
    """
    chunks = (samples[at : at + _FEED_SAMPLES] for at in range(0, len(samples), _FEED_SAMPLES))
    tokens: list[int] = []
    for block in token_blocks(model, chunks, delay_tokens):
        tokens += block
        if on_token is not None:
            for token in block:
                on_token(token)
    return tokens


def token_blocks(
    model: Voxtral, chunks: Iterable[Floats], delay_tokens: int
) -> Iterator[list[int]]:
    """Yield the tokens of a recording that comes in chunks of any size, block by block."""
    stream = MelStream(model.config, delay_tokens)
    batch = SlotBatch(model, 1)
    batch.reset(0, delay_tokens)
    for chunk in chunks:
        stream.feed(chunk)
        while stream.n_ready >= BLOCK_TOKENS:
            yield advance(batch, stream, BLOCK_TOKENS)
    stream.flush()
    while stream.n_ready:
        yield advance(batch, stream, min(BLOCK_TOKENS, stream.n_ready))


def advance(batch: SlotBatch, stream: MelStream, n: int) -> list[int]:
    """Advance slot 0 by `n` positions that the stream has ready; return the tokens sampled.

    Raises LogitsError.
    """
    tokens = batch.advance([0], stream.take(n)[None])[0]
    if NOT_FINITE in tokens:
        raise LogitsError("expected finite logits, got NaN or infinity: weights that overflow?")
    return [int(token) for token in tokens[np.flatnonzero(tokens != NO_TOKEN)]]
