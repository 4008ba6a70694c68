"""Seeded random checkpoints in Mistral's format, for tests: NumPy and the standard library only.

Written apart from the package's own loader and converter, so that each checks the other. The
weights are scaled so that tokens depend on the audio, and so that EOS is never the arg max.
`other_layouts.py` beside this file writes the same weights in the other layouts.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Weights = dict[str, npt.NDArray[Any]]
Params = dict[str, Any]

EMBEDDING_MODULE = "mm_streams_embeddings.embedding_module."
ENCODER = EMBEDDING_MODULE + "whisper_encoder."
ADAPTER = EMBEDDING_MODULE + "audio_language_projection."
VOCAB_SIZE = 1300
N_SPECIAL = 1000
NAMED_SPECIALS = {
    0: "<unk>",
    1: "<s>",
    2: "</s>",
    11: "<pad>",
    24: "[AUDIO]",
    25: "[BEGIN_AUDIO]",
    32: "[STREAMING_PAD]",
    33: "[STREAMING_WORD]",
}


def make_params(
    encoder: tuple[int, int, int, int, int, int],
    decoder: tuple[int, int, int, int, int, int, int],
    ada_dim: int,
    n_mels: int = 128,
    vocab_size: int = VOCAB_SIZE,
) -> Params:
    """Return a params.json for the given sizes.

    encoder: dim, layers, heads, head dim, hidden dim, window in 20 ms frames.
    decoder: dim, layers, heads, key-value heads, head dim, hidden dim, window in positions.
    """
    e_dim, e_layers, e_heads, e_head_dim, e_hidden, e_window = encoder
    dim, layers, heads, kv_heads, head_dim, hidden, window = decoder
    audio = {
        "sampling_rate": 16000,
        "frame_rate": 12.5,
        "num_mel_bins": n_mels,
        "hop_length": 160,
        "window_size": 400,
        "chunk_length_s": None,
        "global_log_mel_max": 1.5,
        "transcription_format": "streaming",
    }
    encoder_args = {
        "audio_encoding_args": audio,
        "dim": e_dim,
        "n_layers": e_layers,
        "head_dim": e_head_dim,
        "hidden_dim": e_hidden,
        "n_heads": e_heads,
        "vocab_size": vocab_size,
        "n_kv_heads": e_heads,
        "use_biases": True,
        "use_cache": False,
        "rope_theta": 1000000.0,
        "causal": True,
        "norm_eps": 1e-05,
        "pos_embed": "rope",
        "max_source_positions": None,
        "ffn_type": "swiglu",
        "norm_type": "rms_norm",
        "sliding_window": e_window,
    }
    return {
        "dim": dim,
        "n_layers": layers,
        "head_dim": head_dim,
        "hidden_dim": hidden,
        "n_heads": heads,
        "n_kv_heads": kv_heads,
        "use_biases": False,
        "causal": True,
        "rope_theta": 1000000.0,
        "norm_eps": 1e-05,
        "vocab_size": vocab_size,
        "model_parallel": 1,
        "tied_embeddings": True,
        "sliding_window": window,
        "model_max_length": 131072,
        "multimodal": {
            "whisper_model_args": {
                "encoder_args": encoder_args,
                "downsample_args": {"downsample_factor": 4},
            }
        },
        "ada_rms_norm_t_cond": True,
        "ada_rms_norm_t_cond_dim": ada_dim,
    }


# Both windows are short, so that a few seconds of audio outrun them.
PARAMS: dict[str, Params] = {
    # For speed; grouped queries 2:1.
    "tiny": make_params((32, 2, 2, 16, 64, 24), (48, 2, 4, 2, 16, 96, 16), ada_dim=8),
    # Heads wider than the model, three query heads to one key head, an odd number of layers.
    "wide-heads": make_params((40, 3, 3, 32, 96, 32), (64, 3, 6, 2, 32, 160, 24), ada_dim=16),
    # One key head for all (MQA), other mel bins, windows that no power of two divides.
    "one-kv-head": make_params((48, 2, 4, 8, 80, 20), (32, 2, 4, 1, 24, 64, 12), 4, n_mels=80),
    # No grouping (MHA) and a wide ada bottleneck.
    "all-heads": make_params((64, 2, 4, 16, 128, 28), (64, 2, 4, 4, 16, 128, 20), ada_dim=32),
    # Every input size a multiple of 128, for any group size of quantisation.
    "grouped": make_params((128, 2, 2, 64, 256, 32), (128, 2, 2, 1, 128, 256, 24), ada_dim=128),
}


def random_weights(params: Params, seed: int = 0) -> Weights:
    """Return float32 weights under Mistral's full names; convolutions are [out, in, k]."""
    rng = np.random.default_rng(seed)
    return {**_embedding(rng, params), **_encoder(rng, params), **_decoder(rng, params)}


def _linear(rng: np.random.Generator, n_out: int, n_in: int, gain: float = 1.0) -> Any:
    return (rng.standard_normal((n_out, n_in)) * gain / np.sqrt(n_in)).astype(np.float32)


def _bias(rng: np.random.Generator, n: int) -> Any:
    return (rng.standard_normal(n) * 0.1).astype(np.float32)


def _norm(rng: np.random.Generator, n: int) -> Any:
    return (1 + 0.1 * rng.standard_normal(n)).astype(np.float32)


def _embedding(rng: np.random.Generator, params: Params) -> Weights:
    vocab_size, dim = params["vocab_size"], params["dim"]
    table = (rng.standard_normal((vocab_size, dim)) * 0.25).astype(np.float32)
    table[2] = 0.4 * table[vocab_size - 7]  # EOS's logit is 0.4 of another row's: never the top
    return {EMBEDDING_MODULE + "tok_embeddings.weight": table}


def _conv_stem(rng: np.random.Generator, dim: int, n_mels: int) -> Weights:
    first = rng.standard_normal((dim, n_mels, 3))
    # Zero-sum filters react to the shape of the spectrum, not to its (constant) floor.
    first -= first.mean((1, 2), keepdims=True)
    second = rng.standard_normal((dim, dim, 3)) * 1.5 / np.sqrt(dim * 3)
    prefix = ENCODER + "conv_layers."
    return {
        prefix + "0.conv.weight": (first * 6 / np.sqrt(n_mels * 3)).astype(np.float32),
        prefix + "0.conv.bias": _bias(rng, dim),
        prefix + "1.conv.weight": second.astype(np.float32),
        prefix + "1.conv.bias": _bias(rng, dim),
    }


def _encoder(rng: np.random.Generator, params: Params) -> Weights:
    args = params["multimodal"]["whisper_model_args"]["encoder_args"]
    dim, hidden, width = args["dim"], args["hidden_dim"], args["n_heads"] * args["head_dim"]
    weights = _conv_stem(rng, dim, args["audio_encoding_args"]["num_mel_bins"])
    for layer in range(args["n_layers"]):
        prefix = f"{ENCODER}transformer.layers.{layer}."
        for name in ("wq", "wk", "wv"):
            weights[f"{prefix}attention.{name}.weight"] = _linear(rng, width, dim, 1.3)
        weights[prefix + "attention.wo.weight"] = _linear(rng, dim, width)
        weights[prefix + "attention.wq.bias"] = _bias(rng, width)
        weights[prefix + "attention.wv.bias"] = _bias(rng, width)
        weights[prefix + "attention.wo.bias"] = _bias(rng, dim)
        weights[prefix + "attention_norm.weight"] = _norm(rng, dim)
        weights[prefix + "ffn_norm.weight"] = _norm(rng, dim)
        weights[prefix + "feed_forward.w1.weight"] = _linear(rng, hidden, dim)
        weights[prefix + "feed_forward.w3.weight"] = _linear(rng, hidden, dim)
        weights[prefix + "feed_forward.w2.weight"] = _linear(rng, dim, hidden)
        weights[prefix + "feed_forward.w2.bias"] = _bias(rng, dim)
    weights[ENCODER + "transformer.norm.weight"] = _norm(rng, dim)
    weights[ADAPTER + "0.weight"] = _linear(rng, params["dim"], dim * 4, 2.0)
    weights[ADAPTER + "2.weight"] = _linear(rng, params["dim"], params["dim"], 2.0)
    return weights


def _decoder(rng: np.random.Generator, params: Params) -> Weights:
    dim, hidden, ada = params["dim"], params["hidden_dim"], params["ada_rms_norm_t_cond_dim"]
    width, kv = (params[name] * params["head_dim"] for name in ("n_heads", "n_kv_heads"))
    weights: Weights = {}
    for layer in range(params["n_layers"]):
        prefix = f"layers.{layer}."
        for name, n_out in (("wq", width), ("wk", kv), ("wv", kv)):
            weights[f"{prefix}attention.{name}.weight"] = _linear(rng, n_out, dim, 1.3)
        weights[prefix + "attention.wo.weight"] = _linear(rng, dim, width, 2.0)
        weights[prefix + "attention_norm.weight"] = _norm(rng, dim)
        weights[prefix + "ffn_norm.weight"] = _norm(rng, dim)
        weights[prefix + "feed_forward.w1.weight"] = _linear(rng, hidden, dim, 1.3)
        weights[prefix + "feed_forward.w3.weight"] = _linear(rng, hidden, dim, 1.3)
        weights[prefix + "feed_forward.w2.weight"] = _linear(rng, dim, hidden, 3.0)
        weights[prefix + "ada_rms_norm_t_cond.0.weight"] = _linear(rng, ada, dim)
        weights[prefix + "ada_rms_norm_t_cond.2.weight"] = _linear(rng, dim, ada, 0.5)
    weights["norm.weight"] = _norm(rng, dim)
    return weights


def tiny_tekken(
    vocab_size: int = VOCAB_SIZE, n_special: int = N_SPECIAL, delay_ms: int = 480
) -> Params:
    """Return a tekken.json: `n_special` control tokens, the 256 bytes, then short words."""
    words = [bytes([value]) for value in range(256)]
    words += [text.encode() for text in (" the", " one", " two", "ing", "é", "日", "本", " 🙂")]
    words += [f" w{index}".encode() for index in range(len(words), vocab_size - n_special)]
    specials = [
        {"rank": rank, "token_str": NAMED_SPECIALS.get(rank, f"<SPECIAL_{rank}>")}
        for rank in range(n_special)
    ]
    return {
        "config": {
            "pattern": r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s+",
            "num_vocab_tokens": vocab_size - n_special,
            "default_vocab_size": vocab_size,
            "default_num_special_tokens": n_special,
            "version": "v13",
        },
        "special_tokens": [{**token, "is_control": True} for token in specials],
        "vocab": [_vocab_entry(i, word) for i, word in enumerate(words[: vocab_size - n_special])],
        "audio": {
            "sampling_rate": 16000,
            "frame_rate": 12.5,
            "audio_encoding_config": {"num_mel_bins": 128, "hop_length": 160, "window_size": 400},
            "transcription_format": "streaming",
            "transcription_delay_ms": delay_ms,
            "streaming_look_ahead_ms": 2.5,
            "streaming_look_back_ms": 52.5,
            "streaming_n_left_pad_tokens": 32,
        },
    }


def _vocab_entry(rank: int, word: bytes) -> Params:
    try:
        text: str | None = word.decode()
    except UnicodeDecodeError:
        text = None
    return {"rank": rank, "token_bytes": base64.b64encode(word).decode(), "token_str": text}


def stored_bytes(array: npt.NDArray[Any], dtype: str) -> bytes:
    """Return the little-endian bytes of `array` as safetensors `dtype` (F32, F16, BF16, U32)."""
    if dtype == "BF16":
        bits = np.ascontiguousarray(array, "<f4").view("<u4").astype(np.uint64)
        return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()  # to even
    kinds = {"F32": "<f4", "F16": "<f2", "U32": "<u4"}
    return np.ascontiguousarray(array).astype(kinds[dtype]).tobytes()


def write_safetensors(path: Path, weights: Mapping[str, Any], dtype: str = "F32") -> None:
    """Write `weights` as one safetensors file; integers as U32, the rest as `dtype`."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    blobs: list[bytes] = []
    end = 0
    for name, array in weights.items():
        kind = "U32" if array.dtype == np.uint32 else dtype
        blobs.append(stored_bytes(array, kind))
        start, end = end, end + len(blobs[-1])
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))


def write_json(path: Path, data: object) -> None:
    """Write `data` as JSON."""
    path.write_text(json.dumps(data))


def write_mistral(
    directory: Path,
    params: Params,
    weights: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    dtype: str = "F32",
    tekken: Params | None = None,
) -> Path:
    """Write params.json, consolidated.safetensors and tekken.json; return the directory.

    `weights` None: `random_weights(params, seed)`. `tekken` None: `tiny_tekken`.
    """
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / "params.json", params)
    write_json(directory / "tekken.json", tekken or tiny_tekken(params["vocab_size"]))
    weights = random_weights(params, seed) if weights is None else weights
    write_safetensors(directory / "consolidated.safetensors", weights, dtype)
    return directory
