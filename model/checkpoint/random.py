"""Write checkpoints of random weights: of any shape, up to the real 4B one, on the spot.

They transcribe nothing. They show that files of that size are written, read and computed with in
bounded time and memory.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np

from ..config import AudioConfig, DecoderConfig, EncoderConfig, ModelConfig
from ..delay import MS_PER_TOKEN, N_LEFT_PAD_TOKENS
from .download import Progress
from .files import TOKENIZER_FILE
from .layouts import MISTRAL
from .shapes import Shape, canonical_shapes
from .write import TensorSpec, write_safetensors

# mistralai/Voxtral-Mini-4B-Realtime-2602: 4.43 billion weights.
FULL_SIZE = ModelConfig(
    audio=AudioConfig(),
    encoder=EncoderConfig(
        dim=1280,
        n_layers=32,
        n_heads=32,
        head_dim=64,
        hidden_dim=5120,
        window=750,
        rope_theta=1e6,
        norm_eps=1e-5,
    ),
    decoder=DecoderConfig(
        dim=3072,
        n_layers=26,
        n_heads=32,
        n_kv_heads=8,
        head_dim=128,
        hidden_dim=9216,
        window=8192,
        rope_theta=1e6,
        norm_eps=1e-5,
        vocab_size=131072,
        ada_dim=32,
    ),
)

N_SPECIAL = 1000
_SPECIALS = {0: "<unk>", 1: "<s>", 2: "</s>", 32: "[STREAMING_PAD]", 33: "[STREAMING_WORD]"}
# Drawing 4 billion normals takes minutes. A prime number of them, taken round and round, takes
# seconds, and no two rows of a matrix are alike.
_POOL_SIZE = 4_194_301


def write_random(
    directory: Path, config: ModelConfig, seed: int = 0, progress: Progress | None = None
) -> None:
    """Write a bfloat16 checkpoint in Mistral's format into a new directory.

    In memory of twice its largest tensor. Weights are normal, scaled by their inputs, so that
    activations stay in range. Model thread only.
    """
    directory.mkdir(parents=True)
    (directory / "params.json").write_text(json.dumps(config.to_params(), indent=2) + "\n")
    (directory / TOKENIZER_FILE).write_text(json.dumps(_tekken(config)))
    shapes = canonical_shapes(config)
    specs = [
        TensorSpec(f"{theirs}.{kind}", mx.bfloat16, _stored(shapes[f"{module}.{kind}"]))
        for module, theirs in MISTRAL.modules(config).items()
        for kind in ("weight", "bias")
        if f"{module}.{kind}" in shapes
    ]
    arrays = _arrays(specs, seed)
    write_safetensors(directory / "consolidated.safetensors", specs, arrays, progress)


def _stored(shape: Shape) -> Shape:
    """Return a convolution's shape in Mistral's order."""
    return (shape[0], shape[2], shape[1]) if len(shape) == 3 else shape


def _arrays(specs: list[TensorSpec], seed: int) -> Iterator[mx.array]:
    pool = np.random.default_rng(seed).standard_normal(_POOL_SIZE, dtype=np.float32)
    scaled: dict[int, Any] = {}  # number of inputs -> bits of the pool over its square root
    start = 0
    for spec in specs:
        if len(spec.shape) == 1:  # norms are ones, biases zeros
            yield mx.full(spec.shape, float(spec.name.endswith("norm.weight")), spec.dtype)
            continue
        n_in = math.prod(spec.shape[1:])
        if n_in not in scaled:
            values = mx.array(pool / np.sqrt(n_in)).astype(mx.bfloat16)
            scaled[n_in] = np.array(values.view(mx.uint16))
        n = math.prod(spec.shape)
        bits = np.resize(np.roll(scaled[n_in], -start), n).reshape(spec.shape)
        start = (start + n) % _POOL_SIZE
        yield mx.array(bits).view(mx.bfloat16)


def _tekken(config: ModelConfig) -> dict[str, Any]:
    """Return a tokenizer of as many ids as the model has; all but 256 stand for numbers."""
    n_text = config.decoder.vocab_size - N_SPECIAL
    words = [bytes([value]) for value in range(256)]
    words += [b" %d" % index for index in range(256, n_text)]
    return {
        "config": {
            "pattern": r"\s?\S+",
            "num_vocab_tokens": n_text,
            "default_vocab_size": config.decoder.vocab_size,
            "default_num_special_tokens": N_SPECIAL,
            "version": "v13",
        },
        "special_tokens": [
            {"rank": rank, "token_str": _SPECIALS.get(rank, f"<SPECIAL_{rank}>")}
            for rank in range(N_SPECIAL)
        ],
        "vocab": [
            {"rank": rank, "token_bytes": base64.b64encode(word).decode()}
            for rank, word in enumerate(words[:n_text])
        ],
        "audio": {
            "sampling_rate": config.audio.sampling_rate_hz,
            "frame_rate": config.audio.frame_rate_hz,
            "audio_encoding_config": {
                "num_mel_bins": config.audio.n_mels,
                "hop_length": config.audio.hop_samples,
                "window_size": config.audio.window_samples,
            },
            "transcription_format": "streaming",
            "transcription_delay_ms": config.default_delay_tokens * MS_PER_TOKEN,
            "streaming_n_left_pad_tokens": N_LEFT_PAD_TOKENS,
        },
    }
