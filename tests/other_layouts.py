"""Write the weights of `random_checkpoint` in the layouts other than Mistral's.

Renames, permutations and quantisation are written out here apart from the package's own tables.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.random_checkpoint import (
    EMBEDDING_MODULE,
    Params,
    Weights,
    random_weights,
    tiny_tekken,
    write_json,
    write_safetensors,
)

Rules = tuple[tuple[str, str], ...]
HF_ADA_DIM = 32  # transformers fixes the bottleneck; zero rows and columns change nothing

_VOXMLX_RULES: Rules = (
    (r"whisper_encoder\.conv_layers\.0\.conv\.", "encoder.conv1."),
    (r"whisper_encoder\.conv_layers\.1\.conv\.", "encoder.conv2."),
    (r"whisper_encoder\.transformer\.", "encoder."),
    (r"audio_language_projection\.0", "adapter.w_in"),
    (r"audio_language_projection\.2", "adapter.w_out"),
    (r"^tok_embeddings", "language_model.embed_tokens"),
    (r"^(layers|norm)", r"language_model.\1"),
    (r"attention\.w([qkvo])\.", r"attention.\1_proj."),
    (r"attention_norm", "attn_norm"),
    (r"feed_forward\.w1", "mlp.gate_proj"),
    (r"feed_forward\.w2", "mlp.down_proj"),
    (r"feed_forward\.w3", "mlp.up_proj"),
    (r"ada_rms_norm_t_cond\.0", "ada_norm.linear_in"),
    (r"ada_rms_norm_t_cond\.2", "ada_norm.linear_out"),
)
_MLX_AUDIO_RULES: Rules = (
    (r"whisper_encoder\.conv_layers\.(\d)\.conv\.", r"encoder.conv_layers_\1_conv.conv."),
    (r"whisper_encoder\.transformer\.", "encoder.transformer_"),
    (r"audio_language_projection\.(\d)", r"encoder.audio_language_projection_\1"),
    (r"^(tok_embeddings|layers|norm)", r"decoder.\1"),
    (r"feed_forward\.w(\d)", r"feed_forward_w\1"),
    (r"t_cond\.0", "t_cond.ada_down"),
    (r"t_cond\.2", "t_cond.ada_up"),
)
_HF_RULES: Rules = (
    (r"whisper_encoder\.conv_layers\.0\.conv\.", "audio_tower.embedder.conv1."),
    (r"whisper_encoder\.conv_layers\.1\.conv\.", "audio_tower.embedder.conv2."),
    (r"whisper_encoder\.transformer\.", "audio_tower."),
    (r"(audio_tower\.layers\.\d+\.)attention_norm", r"\1self_attn_layer_norm"),
    (r"(audio_tower\.layers\.\d+\.)ffn_norm", r"\1final_layer_norm"),
    (r"audio_language_projection\.0", "multi_modal_projector.linear_1"),
    (r"audio_language_projection\.2", "multi_modal_projector.linear_2"),
    (r"^tok_embeddings", "language_model.model.embed_tokens"),
    (r"^(layers|norm)", r"language_model.model.\1"),
    (r"attention\.w([qkvo])\.", r"self_attn.\1_proj."),
    (r"attention_norm", "input_layernorm"),
    (r"ffn_norm", "post_attention_layernorm"),
    (r"feed_forward\.w1", "mlp.gate_proj"),
    (r"feed_forward\.w2", "mlp.down_proj"),
    (r"feed_forward\.w3", "mlp.up_proj"),
    (r"ada_rms_norm_t_cond\.0", "ada_rms_norm.linear1"),
    (r"ada_rms_norm_t_cond\.2", "ada_rms_norm.linear2"),
)


def renamed(name: str, rules: Rules) -> str:
    """Return a Mistral name after all `rules`."""
    name = name.removeprefix(EMBEDDING_MODULE)
    for pattern, new in rules:
        name = re.sub(pattern, new, name)
    return name


def half_split(rows: npt.NDArray[Any], n_heads: int) -> npt.NDArray[Any]:
    """Return interleaved query or key rows [heads * head_dim, ...] in half-split order."""
    heads = np.split(rows, n_heads)
    return np.concatenate([part for head in heads for part in (head[0::2], head[1::2])])


def mlx_order(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a convolution [out, in, k] as [out, k, in]; other arrays as they are."""
    return np.ascontiguousarray(np.moveaxis(array, 1, 2)) if array.ndim == 3 else array


def quantise(
    weight: npt.NDArray[Any], bits: int, group_size: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
    """Return packed [out, in*bits/32] uint32, scales and biases [out, in/group] float32.

    Values lie in one stream of bits, lowest first, as MLX packs them for every number of bits.
    """
    groups = weight.reshape(weight.shape[0], -1, group_size).astype(np.float64)
    low, high = groups.min(-1, keepdims=True), groups.max(-1, keepdims=True)
    scales = ((high - low) / (2**bits - 1)).astype(np.float32)
    codes = np.rint((groups - low) / scales).clip(0, 2**bits - 1).astype(np.uint8)
    stream = np.unpackbits(codes[..., None], axis=-1, bitorder="little")[..., :bits]
    packed = np.packbits(stream.reshape(weight.shape[0], -1), axis=-1, bitorder="little")
    return packed.view("<u4"), scales[..., 0], low[..., 0].astype(np.float32)


def write_voxmlx(
    directory: Path,
    params: Params,
    weights: Weights | None = None,
    *,
    dtype: str = "F32",
    bits: Callable[[str], tuple[int, int] | None] | None = None,
) -> Path:
    """Write model.safetensors and a config.json that is params.json.

    `bits` maps a name in this layout to (bits, group size), or to None to leave it plain.
    """
    weights = random_weights(params) if weights is None else weights
    tensors = {renamed(name, _VOXMLX_RULES): mlx_order(w) for name, w in weights.items()}
    config = dict(params)
    if bits is not None:
        tensors = _quantised(tensors, bits)
        config["quantization"] = {"group_size": 64, "bits": 4}
    return _write(directory, config, params, tensors, dtype)


def write_mlx_audio(
    directory: Path, params: Params, weights: Weights | None = None, *, dtype: str = "F32"
) -> Path:
    """Write model.safetensors and mlx-audio's config.json."""
    weights = random_weights(params) if weights is None else weights
    args = params["multimodal"]["whisper_model_args"]["encoder_args"]
    audio = dict(args["audio_encoding_args"])
    for key in ("chunk_length_s", "transcription_format"):
        del audio[key]
    decoder = {name: value for name, value in params.items() if name != "multimodal"}
    config = {
        "model_type": "voxtral_realtime",
        "encoder_args": {**args, "downsample_factor": 4, "audio_encoding_args": audio},
        "decoder": decoder,
        "transcription_delay_ms": 480,
    }
    tensors = {renamed(name, _MLX_AUDIO_RULES): mlx_order(w) for name, w in weights.items()}
    return _write(directory, config, params, tensors, dtype)


def write_hf(
    directory: Path,
    params: Params,
    weights: Weights | None = None,
    *,
    n_shards: int = 1,
    dtype: str = "F32",
    prefix: str = "",
) -> Path:
    """Write Hugging Face's layout: half-split rows, tied lm_head, ada bottleneck of 32.

    n_shards > 1 writes model-0000i-of-0000n.safetensors and their index. prefix "model." gives
    the names that transformers uses in memory, "" those that it publishes.
    """
    tensors = hf_weights(params, random_weights(params) if weights is None else weights, prefix)
    _write(directory, hf_config(params), params, tensors if n_shards == 1 else {}, dtype)
    if n_shards > 1:
        (directory / "model.safetensors").unlink()
        _write_shards(directory, tensors, n_shards, dtype)
    return directory


def hf_weights(params: Params, weights: Mapping[str, Any], prefix: str = "") -> Weights:
    """Return a state dict in the names and row orders of transformers."""
    args = params["multimodal"]["whisper_model_args"]["encoder_args"]
    ada_rows = max(0, HF_ADA_DIM - params["ada_rms_norm_t_cond_dim"])
    state: Weights = {}
    for name, array in weights.items():
        heads = args if "whisper_encoder" in name else params
        if ".wq." in name or ".wk." in name:
            array = half_split(array, heads["n_heads" if ".wq." in name else "n_kv_heads"])
        if "t_cond.0" in name:
            array = np.pad(array, ((0, ada_rows), (0, 0)))
        if "t_cond.2" in name:
            array = np.pad(array, ((0, 0), (0, ada_rows)))
        state[_hf_name(name, prefix)] = array
    head = "lm_head.weight" if prefix else "language_model.lm_head.weight"
    return {**state, head: state[_hf_name("tok_embeddings.weight", prefix)]}


def _hf_name(name: str, prefix: str) -> str:
    name = renamed(name, _HF_RULES)
    return prefix + name.replace("language_model.model.", "language_model.") if prefix else name


def hf_config(params: Params) -> Params:
    """Return Hugging Face's config.json for the same sizes."""
    args = params["multimodal"]["whisper_model_args"]["encoder_args"]
    audio = {
        **_hf_sizes(args),
        "activation_function": "gelu",
        "num_mel_bins": args["audio_encoding_args"]["num_mel_bins"],
        "max_position_embeddings": 1500,
    }
    text = {
        **_hf_sizes(params),
        "num_key_value_heads": params["n_kv_heads"],
        "max_position_embeddings": 131072,
        "tie_word_embeddings": True,
    }
    return {
        "architectures": ["VoxtralRealtimeForConditionalGeneration"],
        "model_type": "voxtral_realtime",
        "audio_length_per_tok": 8,
        "default_num_delay_tokens": 6,
        "downsample_factor": 4,
        "hidden_size": params["dim"],
        "projector_hidden_act": "gelu",
        "audio_config": audio,
        "text_config": text,
    }


def _hf_sizes(args: Params) -> Params:
    return {
        "hidden_size": args["dim"],
        "intermediate_size": args["hidden_dim"],
        "num_hidden_layers": args["n_layers"],
        "num_attention_heads": args["n_heads"],
        "head_dim": args["head_dim"],
        "sliding_window": args["sliding_window"],
        "rms_norm_eps": args["norm_eps"],
        "rope_parameters": {"rope_type": "default", "rope_theta": args["rope_theta"]},
        "hidden_act": "silu",
        "vocab_size": args["vocab_size"],
    }


def _quantised(tensors: Weights, bits: Callable[[str], tuple[int, int] | None]) -> Weights:
    table: Weights = {}
    for name, array in tensors.items():
        chosen = bits(name) if array.ndim == 2 else None
        if chosen is None:
            table[name] = array
            continue
        parts = zip(("weight", "scales", "biases"), quantise(array, *chosen), strict=True)
        table |= {f"{name.removesuffix('.weight')}.{part}": values for part, values in parts}
    return table


def _write(directory: Path, config: Params, params: Params, tensors: Weights, dtype: str) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / "config.json", config)
    write_json(directory / "tekken.json", tiny_tekken(params["vocab_size"]))
    write_safetensors(directory / "model.safetensors", tensors, dtype)
    return directory


def _write_shards(directory: Path, tensors: Weights, n_shards: int, dtype: str) -> None:
    weight_map: dict[str, str] = {}
    names = list(tensors)
    for index in range(n_shards):
        file = f"model-{index + 1:05d}-of-{n_shards:05d}.safetensors"
        chosen = names[index::n_shards]
        write_safetensors(directory / file, {name: tensors[name] for name in chosen}, dtype)
        weight_map |= dict.fromkeys(chosen, file)
    write_json(directory / "model.safetensors.index.json", {"weight_map": weight_map})
