"""Run an exported checkpoint over many clips at once, through the product's own batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..checkpoint.load import load_checkpoint
from ..mel import MelStream
from ..stream import SlotBatch
from ..voxtral import Voxtral
from .vocabulary import FIRST_WORD_ID, WORDS

ROWS = 32


class Listener:
    """A checkpoint ready to transcribe lists of clips into lists of words."""

    def __init__(self, checkpoint: Path) -> None:
        self.model = Voxtral(load_checkpoint(checkpoint))

    def words(self, clips: Sequence[np.ndarray], delay_ms: int = 480) -> list[list[str]]:
        """Return the words heard in each clip. clips: float32 [N] at 16 kHz each."""
        order = sorted(range(len(clips)), key=lambda i: len(clips[i]))
        heard: list[list[str]] = [[] for _ in clips]
        for at in range(0, len(order), ROWS):
            part = order[at : at + ROWS]
            tokens = self._tokens([clips[i] for i in part], delay_ms // 80)
            for i, ids in zip(part, tokens, strict=True):
                heard[i] = [WORDS[t - FIRST_WORD_ID] for t in ids if t >= FIRST_WORD_ID]
        return heard

    def _tokens(self, clips: list[np.ndarray], delay: int) -> list[list[int]]:
        batch = SlotBatch(self.model, len(clips))
        streams, tokens = [], [list[int]() for _ in clips]
        for slot, clip in enumerate(clips):
            batch.reset(slot, delay)
            stream = MelStream(self.model.config, delay)
            stream.feed(np.ascontiguousarray(clip, np.float32))
            stream.flush()
            streams.append(stream)
        while ready := [i for i, stream in enumerate(streams) if stream.n_ready]:
            n = min(8, min(streams[i].n_ready for i in ready))
            ids = batch.advance(ready, np.stack([streams[i].take(n) for i in ready]))
            for i, row in zip(ready, ids, strict=True):
                tokens[i] += [int(t) for t in row if t >= 0]
        return tokens
