"""Turn a checkpoint's canonical weights into the maps that the layers use."""

from __future__ import annotations

import mlx.core as mx

from .checkpoint.load import Checkpoint
from .config import DecoderConfig, EncoderConfig
from .errors import MissingTensorError
from .layers import Embedding, Linear, Packing, Product, stack
from .rope import half_split_order
from .transformer import Heads, Layer, Transformer


class Parts:
    """A checkpoint's weights, each taken once.

    Taking removes a weight from the checkpoint: several are merged into one product, and a model
    that half fills the memory must not be there twice.
    """

    def __init__(self, checkpoint: Checkpoint, dtype: mx.Dtype, *, lays_out: bool) -> None:
        """Begin to take; lays_out: whether `finished` turns weights over in memory."""
        self._checkpoint = checkpoint
        self._dtype = dtype
        self._lays_out = lays_out

    def array(self, name: str) -> mx.array:
        """Take a weight as it is stored. Raises MissingTensorError, also when taken before."""
        try:
            return self._checkpoint.weights.pop(name)
        except KeyError:
            raise MissingTensorError(
                self._checkpoint.path, name, "a weight not yet taken by a model", "none"
            ) from None

    def vector(self, name: str) -> mx.array:
        """Take a norm weight or a bias in the compute dtype."""
        return self.array(name).astype(self._dtype)

    def linear(self, name: str, bias: bool = False) -> Linear:
        """Take the module `name`, plain or quantised, as it is stored."""
        return Linear(
            self.array(f"{name}.weight"),
            self._packing(name),
            self.vector(f"{name}.bias") if bias else None,
        )

    def finished(self, product: Product) -> Product:
        """Lay a product out as it is used, evaluated.

        Now, so that the separate parts of one product at most are in memory beside the merged ones.
        """
        product = product.laid_out() if self._lays_out else product
        mx.eval(product.arrays)
        return product

    def embedding(self, name: str) -> Embedding:
        """Take the token table `name`, plain or quantised."""
        return Embedding(self.array(f"{name}.weight"), self._packing(name), self._dtype)

    def kernel(self, name: str) -> Product:
        """Take a convolution [out, taps, in] as a map of all taps side by side."""
        weight = self.array(f"{name}.weight")
        taps = Linear(weight.reshape(weight.shape[0], -1), bias=self.vector(f"{name}.bias"))
        return self.finished(taps)

    def _packing(self, name: str) -> Packing | None:
        quantisation = self._checkpoint.quantised.get(name)
        if quantisation is None:
            return None
        return Packing(
            self.vector(f"{name}.scales"),
            self.vector(f"{name}.biases"),
            quantisation.bits,
            quantisation.group_size,
        )


def encoder(parts: Parts, config: EncoderConfig) -> Transformer:
    """Take the encoder's layers."""
    heads = Heads(config.n_heads, config.n_heads, config.head_dim)
    prefix = "whisper_encoder.transformer."
    return Transformer(
        heads,
        tuple(
            _layer(parts, f"{prefix}layers.{index}.", heads, biased=True)
            for index in range(config.n_layers)
        ),
        parts.vector(f"{prefix}norm.weight"),
        config.norm_eps,
    )


def decoder(parts: Parts, config: DecoderConfig) -> Transformer:
    """Take the decoder's layers."""
    heads = Heads(config.n_heads, config.n_kv_heads, config.head_dim)
    return Transformer(
        heads,
        tuple(
            _layer(parts, f"layers.{index}.", heads, biased=False)
            for index in range(config.n_layers)
        ),
        parts.vector("norm.weight"),
        config.norm_eps,
    )


def _layer(parts: Parts, prefix: str, heads: Heads, *, biased: bool) -> Layer:
    """Take one layer; the encoder's queries, values, outputs and `w2` have biases."""
    attention, feed_forward = f"{prefix}attention.", f"{prefix}feed_forward."
    gate_up = stack([parts.linear(f"{feed_forward}w1"), parts.linear(f"{feed_forward}w3")])
    return Layer(
        attention_norm=parts.vector(f"{prefix}attention_norm.weight"),
        qkv=parts.finished(_qkv(parts, attention, heads, biased)),
        out=parts.finished(parts.linear(f"{attention}wo", bias=biased)),
        ffn_norm=parts.vector(f"{prefix}ffn_norm.weight"),
        gate_up=parts.finished(gate_up),
        down=parts.finished(parts.linear(f"{feed_forward}w2", bias=biased)),
    )


def _qkv(parts: Parts, prefix: str, heads: Heads, biased: bool) -> Product:
    queries = mx.array(half_split_order(heads.n_heads, heads.head_dim))
    keys = mx.array(half_split_order(heads.n_kv_heads, heads.head_dim))
    return stack(
        [
            parts.linear(f"{prefix}wq", bias=biased).take(queries),
            parts.linear(f"{prefix}wk").take(keys),
            parts.linear(f"{prefix}wv", bias=biased),
        ]
    )
