"""The whole model in plain NumPy: slow, float64, one recording at once, no caches.

Written from the description of the model and on raw Mistral names, apart from the package: the
oracle that the package's forward must match.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
MODULE = "mm_streams_embeddings.embedding_module."
_erf = np.vectorize(math.erf)


class Reference:
    """One model with weights under Mistral's full names."""

    def __init__(self, params: dict[str, Any], weights: dict[str, Any]) -> None:
        self.params = params
        self.encoder_args = params["multimodal"]["whisper_model_args"]["encoder_args"]
        self.downsample = params["multimodal"]["whisper_model_args"]["downsample_args"][
            "downsample_factor"
        ]
        self.weights = {name: np.asarray(w, np.float64) for name, w in weights.items()}

    def mel(self, samples: Any, delay: int) -> Array:
        """Pad a recording and return all its mel frames, [T, n_mels]."""
        right = -len(samples) % 1280 + (delay + 11) * 1280
        padded = np.concatenate([np.zeros(32 * 1280), samples, np.zeros(right)])
        padded = np.pad(padded, 200, mode="reflect")
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
        n_frames = (len(padded) - 400) // 160  # one fewer than fit: the last is dropped
        frames = np.stack([padded[160 * t : 160 * t + 400] * window for t in range(n_frames)])
        power = np.abs(np.fft.rfft(frames)) ** 2
        n_mels = self.encoder_args["audio_encoding_args"]["num_mel_bins"]
        log = np.log10(np.maximum(power @ mel_bank(n_mels), 1e-10))
        mel: Array = (np.maximum(log, 1.5 - 8) + 4) / 4
        return mel

    def encode(self, mel: Array) -> Array:
        """Return the encoder's output, [T / 2, dim]."""
        prefix = MODULE + "whisper_encoder."
        x = gelu(self._conv(np.pad(mel, [(2, 0), (0, 0)]), prefix + "conv_layers.0.conv.", 1))
        x = gelu(self._conv(np.pad(x, [(1, 0), (0, 0)]), prefix + "conv_layers.1.conv.", 2))
        args = {**self.encoder_args, "n_kv_heads": self.encoder_args["n_heads"]}
        return self._layers(x, prefix + "transformer.", args, None)

    def adapt(self, frames: Array) -> Array:
        """Return the audio embeddings, [T / 8, dim]."""
        prefix = MODULE + "audio_language_projection."
        joined = frames.reshape(len(frames) // self.downsample, -1)
        hidden = gelu(joined @ self.weights[prefix + "0.weight"].T)
        return hidden @ self.weights[prefix + "2.weight"].T

    def decode(self, audio: Array, ids: Any, delay: int) -> Array:
        """Return the logits [L, vocabulary] for given previous tokens."""
        table = self.weights[MODULE + "tok_embeddings.weight"]
        half = self.params["dim"] // 2
        angles = delay * np.exp(-np.log(10000) * np.arange(half) / half)
        condition = np.concatenate([np.cos(angles), np.sin(angles)])
        return self._layers(audio + table[ids], "", self.params, condition) @ table.T

    def transcribe(self, samples: Any, delay: int) -> tuple[list[int], Array]:
        """Return the greedy tokens of a recording and the logits of each, [n, vocabulary].

        The whole sequence is decoded again for every token.
        """
        audio = self.adapt(self.encode(self.mel(samples, delay)))
        ids = [1] + [32] * (32 + delay)
        n_prompt, logits = len(ids), []
        for length in range(n_prompt, len(audio) + 1):
            logits.append(self.decode(audio[:length], ids, delay)[-1])
            ids.append(int(logits[-1].argmax()))
        return ids[n_prompt:], np.array(logits)

    def _conv(self, x: Array, name: str, stride: int) -> Array:
        kernel = self.weights[name + "weight"]  # [out, in, 3]
        starts = range(0, len(x) - 2, stride)
        out = [np.einsum("ti,oit->o", x[at : at + 3], kernel) for at in starts]
        return np.stack(out) + self.weights[name + "bias"]

    def _linear(self, x: Array, name: str) -> Array:
        return x @ self.weights[name + ".weight"].T + self.weights.get(name + ".bias", 0)

    def _layers(self, x: Array, prefix: str, args: dict[str, Any], condition: Any) -> Array:
        for index in range(args["n_layers"]):
            layer = f"{prefix}layers.{index}."
            normed = self._norm(x, layer + "attention_norm", args)
            x = x + self._attention(normed, layer + "attention.", args)
            z = self._norm(x, layer + "ffn_norm", args)
            if condition is not None:
                down = gelu(self._linear(condition, layer + "ada_rms_norm_t_cond.0"))
                z = z * (1 + self._linear(down, layer + "ada_rms_norm_t_cond.2"))
            gate = self._linear(z, layer + "feed_forward.w1")
            gate = gate / (1 + np.exp(-gate)) * self._linear(z, layer + "feed_forward.w3")
            x = x + self._linear(gate, layer + "feed_forward.w2")
        return self._norm(x, prefix + "norm", args)

    def _norm(self, x: Array, name: str, args: dict[str, Any]) -> Array:
        scale = np.sqrt((x * x).mean(-1, keepdims=True) + args["norm_eps"])
        normed: Array = x / scale * self.weights[name + ".weight"]
        return normed

    def _attention(self, x: Array, prefix: str, args: dict[str, Any]) -> Array:
        n_heads, n_kv, size = args["n_heads"], args["n_kv_heads"], args["head_dim"]
        n = len(x)
        q = rope(self._linear(x, prefix + "wq").reshape(n, n_heads, size), args["rope_theta"])
        k = rope(self._linear(x, prefix + "wk").reshape(n, n_kv, size), args["rope_theta"])
        v = self._linear(x, prefix + "wv").reshape(n, n_kv, size)
        k, v = (np.repeat(heads, n_heads // n_kv, axis=1) for heads in (k, v))
        query, key = np.arange(n)[:, None], np.arange(n)[None]
        seen = (key <= query) & (key > query - args["sliding_window"])
        scores = np.where(seen, np.einsum("qhd,khd->hqk", q, k) / np.sqrt(size), -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        mixed = np.einsum("hqk,khd->qhd", scores, v).reshape(n, -1)
        return self._linear(mixed, prefix + "wo")


def gelu(x: Array) -> Array:
    """Return the exact GELU."""
    result: Array = 0.5 * x * (1 + _erf(x / np.sqrt(2)))
    return result


def rope(heads: Array, theta: float) -> Array:
    """Turn interleaved pairs of heads [n, heads, size] by their position."""
    size = heads.shape[-1]
    angles = np.arange(len(heads))[:, None, None] * theta ** (-np.arange(0, size, 2) / size)
    pairs = heads[..., ::2] + 1j * heads[..., 1::2]
    turned = pairs * np.exp(1j * angles)
    return np.stack([turned.real, turned.imag], axis=-1).reshape(heads.shape)


def mel_bank(n_mels: int) -> Array:
    """Return Slaney's triangles over 0..8000 Hz, [201, n_mels]."""

    def to_hz(mel: float) -> float:
        return 200 * mel / 3 if mel < 15 else 1000 * math.exp(math.log(6.4) / 27 * (mel - 15))

    top = 15 + math.log(8) * 27 / math.log(6.4)
    corners = [to_hz(top * i / (n_mels + 1)) for i in range(n_mels + 2)]
    bank = np.zeros((201, n_mels))
    for m in range(n_mels):
        low, centre, high = corners[m : m + 3]
        for b in range(201):
            hz = 40.0 * b
            slope = min((hz - low) / (centre - low), (high - hz) / (high - centre))
            bank[b, m] = max(0.0, slope) * 2 / (high - low)
    return bank
