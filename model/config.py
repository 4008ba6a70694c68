"""Sizes, windows and constants of one checkpoint, as its `params.json` gives them.

Nothing in the model knows a size that does not stand here. Pure standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import ConfigError
from .fields import Section

CONV_STRIDE = 2  # the stem halves the frame rate once: 10 ms mel frames -> 20 ms encoder frames


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """The front end: log-mel frames of `window_samples` every `hop_samples`."""

    sampling_rate_hz: int = 16000
    frame_rate_hz: float = 12.5  # tokens a second
    n_mels: int = 128
    hop_samples: int = 160
    window_samples: int = 400
    log_mel_max: float = 1.5  # fixed ceiling, log10 of power; not the recording's own maximum


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """The causal audio encoder; `window` counts 20 ms frames, the query itself included."""

    dim: int
    n_layers: int
    n_heads: int
    head_dim: int
    hidden_dim: int
    window: int
    rope_theta: float
    norm_eps: float


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """The text decoder; `window` counts 80 ms positions, the query itself included."""

    dim: int
    n_layers: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    hidden_dim: int
    window: int
    rope_theta: float
    norm_eps: float
    vocab_size: int
    ada_dim: int  # bottleneck of the delay conditioning


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Everything that fixes the shapes and the arithmetic of one checkpoint.

    Raises ConfigError where the parts contradict each other.
    """

    audio: AudioConfig
    encoder: EncoderConfig
    decoder: DecoderConfig
    downsample: int = 4  # encoder frames per token
    default_delay_tokens: int = 6

    def __post_init__(self) -> None:
        _check_timing(self)
        _check_heads(self)

    @property
    def samples_per_token(self) -> int:
        """Samples of one position (1280: 80 ms)."""
        return round(self.audio.sampling_rate_hz / self.audio.frame_rate_hz)

    @property
    def frames_per_token(self) -> int:
        """Mel frames of one position (8)."""
        return CONV_STRIDE * self.downsample

    @property
    def ms_per_token(self) -> float:
        """Milliseconds of one position (80)."""
        return 1000 / self.audio.frame_rate_hz

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> ModelConfig:
        """Read the contents of `params.json`. Raises ConfigError naming the key."""
        top = Section(params)
        top.allow("tied_embeddings", True)
        top.allow("use_biases", False)
        top.allow("causal", True)
        top.allow("ada_rms_norm_t_cond", True)
        whisper = top.section("multimodal").section("whisper_model_args")
        encoder = whisper.section("encoder_args")
        return cls(
            audio=audio_config(encoder.section("audio_encoding_args")),
            encoder=encoder_config(encoder),
            decoder=decoder_config(top),
            downsample=whisper.section("downsample_args").integer("downsample_factor"),
        )

    def to_params(self) -> dict[str, Any]:
        """Return the contents of a `params.json` from which `from_params` makes this again.

        The default delay is not in it: Mistral's format keeps it in `tekken.json`.
        """
        return {
            **_decoder_params(self.decoder),
            "multimodal": {
                "whisper_model_args": {
                    "encoder_args": {
                        "audio_encoding_args": _audio_params(self.audio),
                        **_encoder_params(self.encoder),
                    },
                    "downsample_args": {"downsample_factor": self.downsample},
                }
            },
        }


def audio_config(section: Section) -> AudioConfig:
    """Read Mistral's `audio_encoding_args`. Raises ConfigError."""
    section.allow("transcription_format", "streaming")
    return AudioConfig(
        sampling_rate_hz=section.integer("sampling_rate"),
        frame_rate_hz=section.number("frame_rate"),
        n_mels=section.integer("num_mel_bins"),
        hop_samples=section.integer("hop_length"),
        window_samples=section.integer("window_size"),
        log_mel_max=section.number("global_log_mel_max"),
    )


def encoder_config(section: Section) -> EncoderConfig:
    """Read Mistral's `encoder_args`. Raises ConfigError."""
    section.allow("use_biases", True)
    section.allow("causal", True)
    section.allow("pos_embed", "rope")
    section.allow("ffn_type", "swiglu")
    section.allow("norm_type", "rms_norm")
    n_heads = section.integer("n_heads")
    section.allow("n_kv_heads", n_heads)
    return EncoderConfig(n_heads=n_heads, **_transformer(section))


def decoder_config(section: Section) -> DecoderConfig:
    """Read the decoder's keys, which stand at the top of `params.json`. Raises ConfigError."""
    return DecoderConfig(
        n_heads=section.integer("n_heads"),
        n_kv_heads=section.integer("n_kv_heads"),
        vocab_size=section.integer("vocab_size"),
        ada_dim=section.integer("ada_rms_norm_t_cond_dim"),
        **_transformer(section),
    )


def _transformer(section: Section) -> dict[str, Any]:
    sizes = {key: section.integer(key) for key in ("dim", "n_layers", "head_dim", "hidden_dim")}
    return {
        **sizes,
        "window": section.integer("sliding_window"),
        "rope_theta": section.number("rope_theta"),
        "norm_eps": section.number("norm_eps"),
    }


def _audio_params(audio: AudioConfig) -> dict[str, Any]:
    return {
        "sampling_rate": audio.sampling_rate_hz,
        "frame_rate": audio.frame_rate_hz,
        "num_mel_bins": audio.n_mels,
        "hop_length": audio.hop_samples,
        "window_size": audio.window_samples,
        "chunk_length_s": None,
        "global_log_mel_max": audio.log_mel_max,
        "transcription_format": "streaming",
    }


def _transformer_params(part: EncoderConfig | DecoderConfig) -> dict[str, Any]:
    names = ("dim", "n_layers", "head_dim", "hidden_dim", "n_heads", "rope_theta", "norm_eps")
    return {**{name: getattr(part, name) for name in names}, "sliding_window": part.window}


def _encoder_params(encoder: EncoderConfig) -> dict[str, Any]:
    return {
        **_transformer_params(encoder),
        "n_kv_heads": encoder.n_heads,
        "use_biases": True,
        "causal": True,
        "pos_embed": "rope",
        "ffn_type": "swiglu",
        "norm_type": "rms_norm",
        "max_source_positions": None,
    }


def _decoder_params(decoder: DecoderConfig) -> dict[str, Any]:
    return {
        **_transformer_params(decoder),
        "n_kv_heads": decoder.n_kv_heads,
        "vocab_size": decoder.vocab_size,
        "use_biases": False,
        "causal": True,
        "tied_embeddings": True,
        "ada_rms_norm_t_cond": True,
        "ada_rms_norm_t_cond_dim": decoder.ada_dim,
    }


def _check_timing(config: ModelConfig) -> None:
    audio = config.audio
    exact = audio.sampling_rate_hz / audio.frame_rate_hz
    if exact != config.frames_per_token * audio.hop_samples:
        raise ConfigError(
            expected=f"frame_rate: {config.frames_per_token} hops of {audio.hop_samples} samples",
            got=f"{exact:g} samples a position",
        )


def _check_heads(config: ModelConfig) -> None:
    decoder = config.decoder
    if decoder.n_heads % decoder.n_kv_heads:
        raise ConfigError(
            expected=f"n_kv_heads: a divisor of n_heads {decoder.n_heads}",
            got=str(decoder.n_kv_heads),
        )
    if decoder.dim % 2:  # half cosines, half sines in the delay embedding
        raise ConfigError(expected="dim: an even number", got=str(decoder.dim))
    for head_dim in (config.encoder.head_dim, decoder.head_dim):
        if head_dim % 2:  # RoPE turns pairs
            raise ConfigError(expected="head_dim: an even number", got=str(head_dim))
