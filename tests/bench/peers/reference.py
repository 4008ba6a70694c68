"""What our model writes, with its own attention windows and with a peer's. MLX thread only."""

from __future__ import annotations

import dataclasses

import numpy as np

from tests.bench.peers.compare import Reference
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.model.checkpoint.load import load_checkpoint
from voxwire.model.delay import NO_TOKEN
from voxwire.model.mel import Floats, MelStream
from voxwire.model.stream import Probe, SlotBatch
from voxwire.model.voxtral import Voxtral

Windows = tuple[int, int]


def refer(samples: Floats, windows: Windows | None) -> Reference:
    """Transcribe position by position. windows: of encoder frames and decoder positions."""
    model = _load(windows)
    delay_tokens = model.config.default_delay_tokens
    batch, mel = SlotBatch(model, 1), MelStream(model.config, delay_tokens)
    batch.reset(0, delay_tokens)
    mel.feed(samples)
    mel.flush()
    tokens, margins = [], []
    while mel.n_ready:
        probe = Probe()
        token = int(batch.step([0], mel.take(1)[None], probe)[0])
        if token != NO_TOKEN:
            second, best = np.partition(probe.logits[0, 0], -2)[-2:]
            tokens.append(token)
            margins.append(float(best - second))
    return Reference(tokens, margins)


def _load(windows: Windows | None) -> Voxtral:
    checkpoint = load_checkpoint(EMBEDDED)
    if windows is None:
        return Voxtral(checkpoint)
    config = dataclasses.replace(
        checkpoint.config,
        encoder=dataclasses.replace(checkpoint.config.encoder, window=windows[0]),
        decoder=dataclasses.replace(checkpoint.config.decoder, window=windows[1]),
    )
    return Voxtral(dataclasses.replace(checkpoint, config=config))
