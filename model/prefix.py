"""The state after the constant left padding: computed once for each delay, copied into slots."""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from .cache import RingCache, RingRow
from .conditioning import delay_rows
from .config import CONV_STRIDE
from .conv import N_TAIL_FRAMES
from .delay import BOS_ID, N_PREFIX_TOKENS, STREAMING_PAD_ID
from .mel import Floats, log_mel
from .voxtral import Voxtral


@dataclass(frozen=True, slots=True)
class Prefix:
    """What a session has heard and written when its own audio begins."""

    encoder: RingRow
    decoder: RingRow
    tail: Floats  # [N_TAIL_FRAMES, n_mels]


def make_prefix(
    model: Voxtral, delay_tokens: int, encoder_cache: RingCache, decoder_cache: RingCache
) -> Prefix:
    """Run the left padding, which is the same for every session of one delay.

    The caches are empty ones of a single slot, used up here. MLX thread only.
    """
    config = model.config
    silence = np.zeros((1, config.audio.window_samples), np.float32)
    frame = log_mel(silence, config.audio)
    mel = np.tile(frame, (N_PREFIX_TOKENS * config.frames_per_token, 1))
    row = np.zeros(1, np.int64)
    step = encoder_cache.begin(row, len(mel) // CONV_STRIDE)
    frames = model.encode(mx.array(mel[None]), encoder_cache, step, begin=True)
    audio = model.adapt(frames)
    encoder_cache.commit(step, audio)
    step = decoder_cache.begin(row, N_PREFIX_TOKENS)
    ids = mx.array([[BOS_ID] + [STREAMING_PAD_ID] * (N_PREFIX_TOKENS - 1)])
    delays = mx.array(delay_rows([delay_tokens]))
    logits = model.decode(audio, ids, delays, decoder_cache, step)
    decoder_cache.commit(step, logits)
    return Prefix(encoder_cache.row(0), decoder_cache.row(0), mel[-N_TAIL_FRAMES:])
