"""Models with random weights, and what one session alone makes of a recording."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from tests.parity.compare import Greedy
from tests.parity.signals import Samples, recording
from tests.random_checkpoint import EMBEDDING_MODULE, PARAMS, Params, Weights, random_weights
from voxwire.model.checkpoint.load import Checkpoint
from voxwire.model.checkpoint.quantised import Quantisation
from voxwire.model.config import ModelConfig
from voxwire.model.mel import Floats, MelStream
from voxwire.model.stream import NO_TOKEN, Probe, SlotBatch
from voxwire.model.voxtral import Voxtral

ROW_TOLERANCE = 1e-4  # of the largest logit of a row


def make_checkpoint(params: Params, weights: Weights | None = None) -> Checkpoint:
    """Return a checkpoint in memory: canonical names, convolutions in MLX's order."""
    weights = random_weights(params) if weights is None else weights
    return Checkpoint(
        config=ModelConfig.from_params(params),
        weights={name.replace(EMBEDDING_MODULE, ""): to_mlx(w) for name, w in weights.items()},
        quantised={},
        tokenizer_file=Path("tekken.json"),
        layout="memory",
        path=Path(),
        dtype=mx.float32,
    )


def to_mlx(weight: Any) -> mx.array:
    """Return a weight as an array; a convolution [out, in, k] as [out, k, in]."""
    return mx.array(np.ascontiguousarray(weight.swapaxes(1, 2) if weight.ndim == 3 else weight))


def quantise(checkpoint: Checkpoint, bits: dict[str, int], group_size: int) -> None:
    """Quantise modules in place; `bits` by the end of their names, "" for the others."""
    for name in [name for name, w in checkpoint.weights.items() if w.ndim == 2]:
        module = name.removesuffix(".weight")
        chosen = next((n for end, n in bits.items() if end and module.endswith(end)), bits[""])
        packed, scales, biases = mx.quantize(checkpoint.weights[name], group_size, chosen)
        new = {name: packed, f"{module}.scales": scales, f"{module}.biases": biases}
        checkpoint.weights.update(new)
        checkpoint.quantised[module] = Quantisation(chosen, group_size)


@functools.cache
def make_model(name: str = "tiny") -> Voxtral:
    """Return one of the random models, made once."""
    return Voxtral(make_checkpoint(PARAMS[name]))


def mel_of(model: Voxtral, samples: Samples, delay_tokens: int) -> Floats:
    """Return all mel frames of a recording that follow the constant prefix."""
    stream = MelStream(model.config, delay_tokens)
    stream.feed(samples)
    stream.flush()
    return stream.take(stream.n_ready)


@dataclass(frozen=True, slots=True)
class Alone:
    """What a session alone in its batch yields: one row for each sampled token."""

    tokens: list[int]
    logits: Floats
    window: int

    def assert_same(self, tokens: list[int]) -> None:
        """Assert that another run gave these tokens, a tie being the only excuse."""
        unexcused = Greedy.of(self.logits).unexcused(np.array(tokens, np.int32), self.window)
        assert not unexcused, f"tokens differ at {unexcused}"

    def assert_close(self, logits: Floats) -> None:
        """Assert that another run gave these logits."""
        assert logits.shape == self.logits.shape
        peak = np.abs(self.logits).max(axis=1)
        worst = np.abs(logits - self.logits).max(axis=1) / peak
        assert worst.max() < ROW_TOLERANCE, f"relative error {worst.max()}"


def run_alone(model: Voxtral, samples: Samples, delay_tokens: int, **options: int) -> Alone:
    """Transcribe in a fresh batch of one slot, all positions encoded in one pass."""
    batch, probe = SlotBatch(model, 1, **options), Probe()
    batch.reset(0, delay_tokens)
    tokens = batch.advance([0], mel_of(model, samples, delay_tokens)[None], probe)[0]
    kept = tokens != NO_TOKEN
    return Alone(tokens[kept].tolist(), probe.logits[0][kept], model.config.decoder.window)


@functools.cache
def alone(name: str, seed: int, n_samples: int, delay_tokens: int) -> Alone:
    """Return what a model makes of a recording, worked out once."""
    return run_alone(make_model(name), make_recording(seed, n_samples), delay_tokens)


@functools.cache
def make_recording(seed: int, n_samples: int) -> Samples:
    """Return a recording of so many samples."""
    return recording(n_samples / 16000, seed)
