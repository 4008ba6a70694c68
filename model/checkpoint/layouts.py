"""The names that each known layout gives to the same tensors, as data.

Canonical names are Mistral's without the `mm_streams_embeddings.embedding_module.` prefix. Names
stand here without their `.weight` or `.bias`, so that one table serves plain and quantised files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..config import ModelConfig
from ..errors import UnknownLayoutError

ENCODER_LAYER = "whisper_encoder.transformer.layers.{i}."
DECODER_LAYER = "layers.{i}."
_EMBEDDING_MODULE = "mm_streams_embeddings.embedding_module."

# Modules of one transformer layer, encoder and decoder alike.
_LAYER = (
    "attention.wq",
    "attention.wk",
    "attention.wv",
    "attention.wo",
    "attention_norm",
    "ffn_norm",
    "feed_forward.w1",
    "feed_forward.w2",
    "feed_forward.w3",
)
_ADA = ("ada_rms_norm_t_cond.0", "ada_rms_norm_t_cond.2")
_TOP = (
    "tok_embeddings",
    "whisper_encoder.conv_layers.0.conv",
    "whisper_encoder.conv_layers.1.conv",
    "whisper_encoder.transformer.norm",
    "audio_language_projection.0",
    "audio_language_projection.2",
    "norm",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to name the tensors. Tuples run in the order of `_TOP`, `_LAYER` and `_ADA`."""

    name: str
    signatures: tuple[str, ...]  # a file of this layout, and no other, has names that start so
    top: tuple[str, ...]
    encoder_layer: str
    encoder_modules: tuple[str, ...]
    decoder_layer: str
    decoder_modules: tuple[str, ...]
    ada_modules: tuple[str, ...]
    older_prefixes: dict[str, str] = field(default_factory=dict)  # what older dumps wrote -> now
    tied: tuple[str, ...] = ()  # copies of the embedding, to be passed over
    conv_is_out_in_k: bool = False  # PyTorch's order; MLX's is [out, k, in]
    rope_is_half_split: bool = False  # rows of q and k permuted; canonical is interleaved

    def current_name(self, name: str) -> str:
        """Return `name` as today's writers of this layout would have it."""
        for older, now in self.older_prefixes.items():
            if name.startswith(older):
                return now + name.removeprefix(older)
        return name

    def modules(self, config: ModelConfig) -> dict[str, str]:
        """Return canonical module name -> this layout's, for every module of `config`."""
        table = dict(zip(_TOP, self.top, strict=True))
        for i in range(config.encoder.n_layers):
            here, there = ENCODER_LAYER.format(i=i), self.encoder_layer.format(i=i)
            for module, name in zip(_LAYER, self.encoder_modules, strict=True):
                table[here + module] = there + name
        for i in range(config.decoder.n_layers):
            here, there = DECODER_LAYER.format(i=i), self.decoder_layer.format(i=i)
            names = (*self.decoder_modules, *self.ada_modules)
            for module, name in zip((*_LAYER, *_ADA), names, strict=True):
                table[here + module] = there + name
        return table


MISTRAL = Layout(
    name="mistral",
    signatures=(_EMBEDDING_MODULE, "mm_whisper_embeddings."),
    top=(*(_EMBEDDING_MODULE + module for module in _TOP[:-1]), "norm"),
    encoder_layer=_EMBEDDING_MODULE + ENCODER_LAYER,
    encoder_modules=_LAYER,
    decoder_layer=DECODER_LAYER,
    decoder_modules=_LAYER,
    ada_modules=_ADA,
    older_prefixes={"mm_whisper_embeddings.": _EMBEDDING_MODULE},
    tied=("output",),
    conv_is_out_in_k=True,
)

_PROJECTIONS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
_MLP = ("mlp.gate_proj", "mlp.down_proj", "mlp.up_proj")
HUGGING_FACE = Layout(
    name="huggingface",
    signatures=("audio_tower.", "model.audio_tower."),
    top=(
        "language_model.embed_tokens",
        "audio_tower.embedder.conv1",
        "audio_tower.embedder.conv2",
        "audio_tower.norm",
        "multi_modal_projector.linear_1",
        "multi_modal_projector.linear_2",
        "language_model.norm",
    ),
    encoder_layer="audio_tower.layers.{i}.",
    encoder_modules=(*_PROJECTIONS, "self_attn_layer_norm", "final_layer_norm", *_MLP),
    decoder_layer="language_model.layers.{i}.",
    decoder_modules=(*_PROJECTIONS, "input_layernorm", "post_attention_layernorm", *_MLP),
    ada_modules=("ada_rms_norm.linear1", "ada_rms_norm.linear2"),
    # As saved by transformers 5 ("model."), and as published ("language_model.model.").
    older_prefixes={
        "model.": "",
        "language_model.model.": "language_model.",
        "language_model.lm_head.": "lm_head.",
    },
    tied=("lm_head",),
    conv_is_out_in_k=True,
    rope_is_half_split=True,
)

_VOXMLX_ATTENTION = tuple(f"attention.{name}_proj" for name in "qkvo")
_VOXMLX_MODULES = (*_VOXMLX_ATTENTION, "attn_norm", "ffn_norm", *_MLP)
VOXMLX = Layout(
    name="voxmlx",
    signatures=("encoder.conv1.", "encoder.conv2.", "encoder.layers."),
    top=(
        "language_model.embed_tokens",
        "encoder.conv1",
        "encoder.conv2",
        "encoder.norm",
        "adapter.w_in",
        "adapter.w_out",
        "language_model.norm",
    ),
    encoder_layer="encoder.layers.{i}.",
    encoder_modules=_VOXMLX_MODULES,
    decoder_layer="language_model.layers.{i}.",
    decoder_modules=_VOXMLX_MODULES,
    ada_modules=("ada_norm.linear_in", "ada_norm.linear_out"),
)

_MLX_AUDIO_MODULES = (*_LAYER[:6], "feed_forward_w1", "feed_forward_w2", "feed_forward_w3")
MLX_AUDIO = Layout(
    name="mlx-audio",
    signatures=("encoder.conv_layers_", "encoder.transformer_layers."),
    top=(
        "decoder.tok_embeddings",
        "encoder.conv_layers_0_conv.conv",
        "encoder.conv_layers_1_conv.conv",
        "encoder.transformer_norm",
        "encoder.audio_language_projection_0",
        "encoder.audio_language_projection_2",
        "decoder.norm",
    ),
    encoder_layer="encoder.transformer_layers.{i}.",
    encoder_modules=_MLX_AUDIO_MODULES,
    decoder_layer="decoder.layers.{i}.",
    decoder_modules=_MLX_AUDIO_MODULES,
    ada_modules=("ada_rms_norm_t_cond.ada_down", "ada_rms_norm_t_cond.ada_up"),
)

LAYOUTS = (MISTRAL, HUGGING_FACE, VOXMLX, MLX_AUDIO)


def recognise(names: Iterable[str], file: Path) -> Layout:
    """Return the layout that these tensor names belong to.

    `file` is named in the error. Raises UnknownLayoutError where none, or more than one, fits.
    """
    ordered = sorted(names)
    fitting = [
        layout for layout in LAYOUTS if any(name.startswith(layout.signatures) for name in ordered)
    ]
    if len(fitting) != 1:
        found = f"{len(ordered)} tensors such as {', '.join(ordered[:3])}" if ordered else "none"
        got = " and ".join(layout.name for layout in fitting) + " at once" if fitting else found
        known = ", ".join(layout.name for layout in LAYOUTS)
        raise UnknownLayoutError(file, None, f"tensor names of one layout among {known}", got)
    return fitting[0]
