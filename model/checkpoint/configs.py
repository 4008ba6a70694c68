"""Read the configuration of a checkpoint in whichever of three forms it comes.

`params.json` (Mistral; voxmlx calls it `config.json`), Hugging Face's `config.json`, and
mlx-audio's. The form is recognised by its keys, not by its file name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config import (
    AudioConfig,
    DecoderConfig,
    EncoderConfig,
    ModelConfig,
    audio_config,
    decoder_config,
    encoder_config,
)
from ..errors import ConfigError
from ..fields import Section
from .files import read_json


def read_config(file: Path, ada_dim: int) -> ModelConfig:
    """Return the configuration in `file`.

    `ada_dim`: the delay conditioning's bottleneck as the weights show it, for Hugging Face's
    form, which does not say it. Raises ConfigError naming the file and the key.
    """
    data = read_json(file)
    try:
        if "audio_config" in data:
            return from_hf(data, ada_dim)
        return from_mlx_audio(data) if "encoder_args" in data else ModelConfig.from_params(data)
    except ConfigError as error:
        raise error.at(file) from None


def from_mlx_audio(data: Mapping[str, Any]) -> ModelConfig:
    """Read mlx-audio's `config.json`. Raises ConfigError."""
    encoder = Section(data).section("encoder_args")
    decoder = Section(data).section("decoder")
    decoder.allow("tied_embeddings", True)
    decoder.allow("ada_rms_norm_t_cond", True)
    return ModelConfig(
        audio=audio_config(encoder.section("audio_encoding_args")),
        encoder=encoder_config(encoder),
        decoder=decoder_config(decoder),
        downsample=encoder.integer("downsample_factor"),
    )


def from_hf(data: Mapping[str, Any], ada_dim: int) -> ModelConfig:
    """Read Hugging Face's `config.json`. Raises ConfigError.

    It leaves the front end's constants to a preprocessor of fixed class: they are the defaults.
    """
    top = Section(data)
    top.allow("model_type", "voxtral_realtime")
    top.allow("tie_word_embeddings", True)
    top.allow("projector_hidden_act", "gelu")
    downsample = top.integer("downsample_factor")
    top.allow("audio_length_per_tok", 2 * downsample)
    audio, text = top.section("audio_config"), top.section("text_config")
    return ModelConfig(
        audio=AudioConfig(n_mels=audio.integer("num_mel_bins")),
        encoder=_hf_encoder(audio),
        decoder=_hf_decoder(text, ada_dim),
        downsample=downsample,
        default_delay_tokens=top.integer("default_num_delay_tokens"),
    )


def _hf_encoder(section: Section) -> EncoderConfig:
    section.allow("activation_function", "gelu")
    n_heads = section.integer("num_attention_heads")
    section.allow("num_key_value_heads", n_heads)
    return EncoderConfig(n_heads=n_heads, **_hf_transformer(section))


def _hf_decoder(section: Section, ada_dim: int) -> DecoderConfig:
    section.allow("tie_word_embeddings", True)
    return DecoderConfig(
        n_heads=section.integer("num_attention_heads"),
        n_kv_heads=section.integer("num_key_value_heads"),
        vocab_size=section.integer("vocab_size"),
        ada_dim=ada_dim,
        **_hf_transformer(section),
    )


def _hf_transformer(section: Section) -> dict[str, Any]:
    section.allow("hidden_act", "silu")
    # transformers 5 nests theta; 4 had it beside the sizes.
    rope = section.section("rope_parameters") if section.has("rope_parameters") else section
    rope.allow("rope_type", "default")
    return {
        "dim": section.integer("hidden_size"),
        "n_layers": section.integer("num_hidden_layers"),
        "head_dim": section.integer("head_dim"),
        "hidden_dim": section.integer("intermediate_size"),
        "window": section.integer("sliding_window"),
        "rope_theta": rope.number("rope_theta"),
        "norm_eps": section.number("rms_norm_eps"),
    }
