"""What the stages made of a pass, beside its tokens."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .mel import Floats


@dataclass(slots=True)
class Probe:
    """What the stages made of the positions of one pass, for comparison and confidence.

    frames: [B, 4n, encoder dim]. audio: [B, n, decoder dim]. logits: [B, n, vocabulary].
    All float32.
    """

    frames: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    audio: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    logits: Floats = field(default_factory=lambda: np.zeros(0, np.float32))

    def log_probs(self) -> Floats:
        """Return the log-probabilities of the likeliest tokens, [B, n]."""
        logits = self.logits - self.logits.max(axis=-1, keepdims=True)
        log_probs: Floats = -np.log(np.exp(logits).sum(axis=-1))
        return log_probs
