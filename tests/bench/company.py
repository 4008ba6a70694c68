"""Rows with full windows, in the batch that the engine steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tests.bench.recording import record
from voxwire.model.config import ModelConfig
from voxwire.model.mel import Floats, MelStream
from voxwire.server.engine.backend import Backend

_FILL_POSITIONS = 80  # beyond both windows of the embedded checkpoint, 16 and 64 positions
_BLOCK = 16


class Company:
    """Rows that hear different speech, their windows full, taken one step further at a time.

    MLX thread only.
    """

    def __init__(self, backend: Backend, n_rows: int) -> None:
        self.slots: Sequence[int] = range(n_rows)
        self.batch = backend.make_batch(n_rows)
        self._mel = _speech_mel(backend.config)
        self._n_taken = 0
        delay_tokens = backend.config.default_delay_tokens
        for slot in self.slots:
            self.batch.reset(slot, delay_tokens)
        for _ in range(_FILL_POSITIONS // _BLOCK):
            self.batch.advance(self.slots, self.mel(_BLOCK))

    def mel(self, n_positions: int = 1) -> Floats:
        """Return the next frames of each row, [B, n * frames, n_mels]."""
        n_rows, n_known = len(self.slots), len(self._mel)
        starts = self._n_taken + np.arange(n_rows) * n_known // n_rows
        places = (starts[:, None] + np.arange(n_positions)) % n_known
        self._n_taken += n_positions
        mel: Floats = self._mel[places].reshape(n_rows, -1, self._mel.shape[-1])
        return mel


def _speech_mel(config: ModelConfig) -> Floats:
    """Return the mel frames of a minute of speech, [positions, frames, n_mels]."""
    stream = MelStream(config, config.default_delay_tokens)
    stream.feed(record(60).samples)
    mel = stream.take(stream.n_ready)
    return mel.reshape(-1, config.frames_per_token, mel.shape[-1])
