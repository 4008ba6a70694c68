"""Write fitted weights as a Mistral-layout checkpoint: params.json, safetensors, tekken.json."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from .net import MEL, Shape
from .optim import HEADS
from .vocabulary import tekken

_PREFIX = "mm_streams_embeddings.embedding_module."
_NAMES = (
    (r"^conv(\d)\.", lambda m: f"{_PREFIX}whisper_encoder.conv_layers.{int(m[1]) - 1}.conv."),
    (r"^encoder\.", lambda m: f"{_PREFIX}whisper_encoder.transformer.layers."),
    (r"^encoder_norm\.", lambda m: f"{_PREFIX}whisper_encoder.transformer.norm."),
    (r"^adapter1\.", lambda m: f"{_PREFIX}audio_language_projection.0."),
    (r"^adapter2\.", lambda m: f"{_PREFIX}audio_language_projection.2."),
    (r"^embeddings\.", lambda m: f"{_PREFIX}tok_embeddings."),
    (r"^decoder\.", lambda m: "layers."),
)


def mistral_name(name: str) -> str | None:
    """Return a parameter's name in a Mistral checkpoint; None for an auxiliary head's."""
    if name.startswith(HEADS):
        return None
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def params(s: Shape) -> dict[str, Any]:
    """Return the content of params.json for a shape."""
    audio = {
        "sampling_rate": 16000,
        "frame_rate": 12.5,
        "num_mel_bins": MEL,
        "hop_length": 160,
        "window_size": 400,
        "chunk_length_s": None,
        "global_log_mel_max": 1.5,
        "transcription_format": "streaming",
    }
    encoder = {
        "audio_encoding_args": audio,
        "dim": s.enc_dim,
        "n_layers": s.enc_layers,
        "head_dim": s.head_dim,
        "hidden_dim": s.enc_hidden,
        "n_heads": s.enc_heads,
        "vocab_size": s.vocab_size,
        "n_kv_heads": s.enc_heads,
        "use_biases": True,
        "use_cache": False,
        "rope_theta": s.rope_theta,
        "causal": True,
        "norm_eps": s.norm_eps,
        "pos_embed": "rope",
        "max_source_positions": None,
        "ffn_type": "swiglu",
        "norm_type": "rms_norm",
        "sliding_window": s.enc_window,
    }
    downsample = {"downsample_factor": 4}
    return {
        "dim": s.dec_dim,
        "n_layers": s.dec_layers,
        "head_dim": s.head_dim,
        "hidden_dim": s.dec_hidden,
        "n_heads": s.dec_heads,
        "n_kv_heads": s.dec_kv_heads,
        "use_biases": False,
        "causal": True,
        "rope_theta": s.rope_theta,
        "norm_eps": s.norm_eps,
        "vocab_size": s.vocab_size,
        "model_parallel": 1,
        "tied_embeddings": True,
        "sliding_window": s.dec_window,
        "model_max_length": 131072,
        "multimodal": {
            "whisper_model_args": {"encoder_args": encoder, "downsample_args": downsample}
        },
        "ada_rms_norm_t_cond": True,
        "ada_rms_norm_t_cond_dim": s.ada_dim,
    }


def export(weights: Path, out: Path, shape: Shape) -> None:
    """Write the checkpoint of fitted weights into ``out``, in bfloat16 like the published one."""
    out.mkdir(parents=True, exist_ok=True)
    state: dict[str, torch.Tensor] = torch.load(weights, weights_only=True)
    named = {mistral_name(name): value for name, value in state.items()}
    tensors = {n: v.to(torch.bfloat16).contiguous() for n, v in named.items() if n is not None}
    save_file(tensors, out / "consolidated.safetensors", metadata={"format": "pt"})
    (out / "params.json").write_text(json.dumps(params(shape), indent=1) + "\n")
    (out / "tekken.json").write_text(json.dumps(tekken(), separators=(",", ":")) + "\n")
