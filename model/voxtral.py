"""The model: stem, encoder, adapter and decoder of one checkpoint, stateless.

One forward serves recordings and streams: every function takes B rows of new positions, and what
a row has seen before is in the caches. Positions, windows and slots are the caches' business.
Source of the architecture: transformers `models/voxtral_realtime`, vLLM `voxtral_realtime.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

import mlx.core as mx

from . import assemble
from .cache import RingCache, RingShape, RingStep
from .checkpoint.load import Checkpoint
from .conditioning import delay_embedding, layer_gain
from .conv import ConvStem
from .layers import gelu

_SMALL_BYTES = 64 << 20


class Voxtral:
    """Weights of one checkpoint in their working form, evaluated; and the maps between stages.

    Takes the weights out of `checkpoint`, so that they are in memory once: a checkpoint makes one
    model. dtype: of activations and caches; None chooses by device. Model thread only.
    Raises MissingTensorError.
    """

    def __init__(self, checkpoint: Checkpoint, dtype: mx.Dtype | None = None) -> None:
        self.config = checkpoint.config
        self.dtype = dtype or compute_dtype()
        self.is_small_on_cpu = is_small_on_cpu(checkpoint.weights.values())
        parts = assemble.Parts(checkpoint, self.dtype, lays_out=self.is_small_on_cpu)
        layers = "whisper_encoder.conv_layers."
        self._stem = ConvStem(parts.kernel(f"{layers}0.conv"), parts.kernel(f"{layers}1.conv"))
        self._encoder = assemble.encoder(parts, self.config.encoder)
        self._adapter_in = parts.finished(parts.linear("audio_language_projection.0"))
        self._adapter_out = parts.finished(parts.linear("audio_language_projection.2"))
        self._embedding = parts.embedding("tok_embeddings")
        self._decoder = assemble.decoder(parts, self.config.decoder)
        self._gains = self._take_gains(parts)  # [n_delays, n_layers, dim]
        mx.eval(self._gains)

    def encode(
        self, mel: mx.array, cache: RingCache, step: RingStep, *, begin: bool = False
    ) -> mx.array:
        """Encode T new frames of B rows; returns [B, T, dim].

        mel: [B, 3 + 2T, n_mels], the last three mel frames of the past first; or [B, 2T, n_mels]
        where `begin` says that there is no past.
        """
        mel = mel.astype(self.dtype)
        frames = self._stem.begin(mel) if begin else self._stem.resume(mel)
        return self._encoder(frames, cache, step)

    def adapt(self, frames: mx.array) -> mx.array:
        """Join encoder frames [B, T, dim] into audio embeddings [B, T / downsample, dim]."""
        n_rows, n_frames, _ = frames.shape
        joined = frames.reshape(n_rows, n_frames // self.config.downsample, -1)
        return self._adapter_out(gelu(self._adapter_in(joined)))

    def decode(
        self,
        audio: mx.array,
        previous_ids: mx.array,
        delay_rows: mx.array,
        cache: RingCache,
        step: RingStep,
    ) -> mx.array:
        """Return the logits [B, L, vocabulary] of L new positions of B rows.

        audio: [B, L, dim] audio embeddings. previous_ids: [B, L] int32, the prompt or the token
        sampled before. delay_rows: [B] int32, places in DELAYS_TOKENS.
        """
        x = audio + self._embedding(previous_ids)
        x = self._decoder(x, cache, step, self._gains[delay_rows])
        return self._embedding.logits(x)

    def encoder_rings(self) -> RingShape:
        """Return the ring sizes of the encoder; one audio position is attended in place."""
        encoder = self.config.encoder
        return RingShape(
            n_layers=encoder.n_layers,
            n_kv_heads=encoder.n_heads,
            head_dim=encoder.head_dim,
            rope_theta=encoder.rope_theta,
            window=encoder.window,
            block=self.config.downsample,
        )

    def decoder_rings(self, block: int = 1) -> RingShape:
        """Return the ring sizes of the decoder, `block` positions being attended in place."""
        decoder = self.config.decoder
        return RingShape(
            n_layers=decoder.n_layers,
            n_kv_heads=decoder.n_kv_heads,
            head_dim=decoder.head_dim,
            rope_theta=decoder.rope_theta,
            window=decoder.window,
            block=block,
        )

    def _take_gains(self, parts: assemble.Parts) -> mx.array:
        embedding = delay_embedding(self.config.decoder.dim)
        gains = []
        for index, layer in enumerate(self._decoder.layers):
            prefix = f"layers.{index}.ada_rms_norm_t_cond."
            down, up = parts.linear(f"{prefix}0"), parts.linear(f"{prefix}2")
            gains.append(layer_gain(embedding, down, up, layer.ffn_norm))
        return mx.stack(gains, axis=1).astype(self.dtype)


def is_small_on_cpu(weights: Iterable[mx.array]) -> bool:
    """Say whether weights stay in the cache of a CPU that computes with them."""
    is_cpu = mx.default_device().type == mx.DeviceType.cpu
    return is_cpu and sum(weight.nbytes for weight in weights) <= _SMALL_BYTES


def compute_dtype() -> mx.Dtype:
    """Return bfloat16 on a GPU; float32 on the CPU, where only it has fast products."""
    return mx.bfloat16 if mx.default_device().type == mx.DeviceType.gpu else mx.float32
