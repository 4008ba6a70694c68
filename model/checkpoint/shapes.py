"""The tensors that a configuration calls for, under canonical names, and their shapes."""

from __future__ import annotations

from ..config import DecoderConfig, EncoderConfig, ModelConfig
from .layouts import DECODER_LAYER, ENCODER_LAYER

Shape = tuple[int, ...]
CONV_KERNEL = 3  # taps of both convolutions of the stem


def canonical_shapes(config: ModelConfig) -> dict[str, Shape]:
    """Return the shape of every tensor of an unquantised checkpoint, in the order of use.

    Linear weights are [out, in], convolutions MLX's [out, k, in].
    """
    encoder, decoder = config.encoder, config.decoder
    shapes: dict[str, Shape] = {"tok_embeddings.weight": (decoder.vocab_size, decoder.dim)}
    n_in = config.audio.n_mels
    for i in range(2):
        conv = f"whisper_encoder.conv_layers.{i}.conv."
        shapes[conv + "weight"] = (encoder.dim, CONV_KERNEL, n_in)
        shapes[conv + "bias"] = (encoder.dim,)
        n_in = encoder.dim
    for i in range(encoder.n_layers):
        shapes |= _prefixed(ENCODER_LAYER.format(i=i), _encoder_layer(encoder))
    shapes["whisper_encoder.transformer.norm.weight"] = (encoder.dim,)
    joined = encoder.dim * config.downsample  # frames of one position, side by side
    shapes["audio_language_projection.0.weight"] = (decoder.dim, joined)
    shapes["audio_language_projection.2.weight"] = (decoder.dim, decoder.dim)
    for i in range(decoder.n_layers):
        shapes |= _prefixed(DECODER_LAYER.format(i=i), _decoder_layer(decoder))
    shapes["norm.weight"] = (decoder.dim,)
    return shapes


def rope_heads(config: ModelConfig, name: str) -> int | None:
    """Return how many heads the rows of a query or key projection hold; None for other tensors."""
    is_key = ".attention.wk." in name
    if not is_key and ".attention.wq." not in name:
        return None
    if name.startswith("whisper_encoder."):
        return config.encoder.n_heads
    return config.decoder.n_kv_heads if is_key else config.decoder.n_heads


def _prefixed(prefix: str, shapes: dict[str, Shape]) -> dict[str, Shape]:
    return {prefix + name: shape for name, shape in shapes.items()}


def _encoder_layer(encoder: EncoderConfig) -> dict[str, Shape]:
    width = encoder.n_heads * encoder.head_dim
    return {
        **_transformer_layer(encoder.dim, width, width, encoder.hidden_dim),
        "attention.wq.bias": (width,),
        "attention.wv.bias": (width,),
        "attention.wo.bias": (encoder.dim,),
        "feed_forward.w2.bias": (encoder.dim,),
    }


def _decoder_layer(decoder: DecoderConfig) -> dict[str, Shape]:
    width, kv_width = (n * decoder.head_dim for n in (decoder.n_heads, decoder.n_kv_heads))
    return {
        **_transformer_layer(decoder.dim, width, kv_width, decoder.hidden_dim),
        "ada_rms_norm_t_cond.0.weight": (decoder.ada_dim, decoder.dim),
        "ada_rms_norm_t_cond.2.weight": (decoder.dim, decoder.ada_dim),
    }


def _transformer_layer(dim: int, width: int, kv_width: int, hidden_dim: int) -> dict[str, Shape]:
    return {
        "attention_norm.weight": (dim,),
        "attention.wq.weight": (width, dim),
        "attention.wk.weight": (kv_width, dim),
        "attention.wv.weight": (kv_width, dim),
        "attention.wo.weight": (dim, width),
        "ffn_norm.weight": (dim,),
        "feed_forward.w1.weight": (hidden_dim, dim),
        "feed_forward.w2.weight": (dim, hidden_dim),
        "feed_forward.w3.weight": (hidden_dim, dim),
    }
