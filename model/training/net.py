"""The trainable twin of the model: Voxtral's architecture in torch, over whole rows at once.

Parameters carry the names of a Mistral checkpoint, so that export is a copy. Attention is
computed in blocks of one window, each block over itself and the one before it.
Source of the maths: Voxtral Mini 4B Realtime's params.json and mistral-common's audio padding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .clips import HEARD_SIZE
from .vocabulary import VOCAB_SIZE, WORDS

FRAMES_PER_POSITION = 4
MEL = 128
# Positions after which what Whisper hears of one is told: it hears ahead. Soon, from little of the
# word, and again when most words are over.
HEARD_LATE = (2, 5)
# Of the tokens' gradient, what reaches encoder and adapter. They learn from Whisper what a word
# sounds like, which holds for new voices; the tokens would teach them the voices there are.
TOKEN_PULL = 0.2


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the small model. Windows are in encoder frames (20 ms) and positions (80 ms)."""

    enc_dim: int = 192
    enc_layers: int = 6
    enc_heads: int = 3
    enc_hidden: int = 576
    enc_window: int = 64
    dec_dim: int = 192
    dec_layers: int = 3
    dec_heads: int = 3
    dec_kv_heads: int = 1
    dec_hidden: int = 576
    dec_window: int = 64
    head_dim: int = 64
    ada_dim: int = 16
    vocab_size: int = VOCAB_SIZE
    rope_theta: float = 1e6
    norm_eps: float = 1e-5


class RMSNorm(nn.Module):
    """Root-mean-square norm with a learned scale."""

    def __init__(self, dim: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


def rope_tables(n: int, dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Return cosines and sines [n, dim/2] of the interleaved rotary embedding."""
    inverse = theta ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angles = torch.arange(n, dtype=torch.float64)[:, None] * inverse
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate neighbouring pairs of the last axis. x [B, H, T, D]."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * torch.complex(cos, sin)).flatten(-2).type_as(x)


def windowed_attention(q: Tensor, k: Tensor, v: Tensor, window: int) -> Tensor:
    """Attend causally to the last ``window`` keys, itself included. q, k, v [B, H, T, D]."""
    b, h, t, d = q.shape
    n_blocks = -(-t // window)
    tail = n_blocks * window - t
    q, k, v = (F.pad(x, (0, 0, 0, tail)).reshape(b * h, n_blocks, window, d) for x in (q, k, v))
    k, v = (torch.cat((F.pad(x, (0, 0, 0, 0, 1, 0))[:, :-1], x), dim=2) for x in (k, v))
    i = torch.arange(window)[:, None] + window
    j = torch.arange(2 * window)[None]
    seen = (i - j >= 0) & (i - j < window)
    mask = seen.expand(n_blocks, -1, -1).clone()
    mask[0, :, :window] = False
    scores = (q @ k.mT).float() * d**-0.5
    out = scores.masked_fill(~mask, float("-inf")).softmax(-1).type_as(v) @ v
    return out.reshape(b, h, n_blocks * window, d)[:, :, :t]


class Attention(nn.Module):
    """Windowed self-attention with rotary positions and grouped key-value heads."""

    def __init__(
        self, dim: int, heads: int, kv_heads: int, head_dim: int, window: int, biases: bool
    ) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim, self.window = heads, kv_heads, head_dim, window
        self.wq = nn.Linear(dim, heads * head_dim, bias=biases)
        self.wk = nn.Linear(dim, kv_heads * head_dim, bias=False)
        self.wv = nn.Linear(dim, kv_heads * head_dim, bias=biases)
        self.wo = nn.Linear(heads * head_dim, dim, bias=biases)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """x [B, T, dim] -> [B, T, dim]."""
        b, t, _ = x.shape
        q = self.wq(x).view(b, t, self.heads, self.head_dim).transpose(1, 2)
        k = self.wk(x).view(b, t, self.kv_heads, self.head_dim).transpose(1, 2)
        v = self.wv(x).view(b, t, self.kv_heads, self.head_dim).transpose(1, 2)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        groups = self.heads // self.kv_heads
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        out = windowed_attention(q, k, v, self.window)
        return self.wo(out.transpose(1, 2).reshape(b, t, -1))


class FeedForward(nn.Module):
    """SwiGLU: w2(silu(w1 x) * w3 x)."""

    def __init__(self, dim: int, hidden: int, bias: bool) -> None:
        super().__init__()
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=bias)
        self.w3 = nn.Linear(dim, hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [..., dim] -> [..., dim]."""
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class RowDropout(nn.Dropout):
    """Dropout that silences a channel over a whole row: few draws, which are slow on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """x [B, T, dim] -> [B, T, dim]."""
        return x * super().forward(torch.ones_like(x[:, :1]))


class Block(nn.Module):
    """One pre-norm layer; the decoder's scales the feed-forward input by its delay."""

    def __init__(self, attention: Attention, dim: int, hidden: int, s: Shape, ada: bool) -> None:
        super().__init__()
        self.attention = attention
        self.feed_forward = FeedForward(dim, hidden, bias=not ada)
        self.attention_norm = RMSNorm(dim, s.norm_eps)
        self.ffn_norm = RMSNorm(dim, s.norm_eps)
        self.drop = RowDropout(0.0)
        self.ada_rms_norm_t_cond = (
            nn.Sequential(
                nn.Linear(dim, s.ada_dim, bias=False),
                nn.GELU(),
                nn.Linear(s.ada_dim, dim, bias=False),
            )
            if ada
            else None
        )

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, condition: Tensor | None) -> Tensor:
        """x [B, T, dim]; condition [B, dim] embeds the delay, or None in the encoder."""
        x = x + self.drop(self.attention(self.attention_norm(x), cos, sin))
        z = self.ffn_norm(x)
        if self.ada_rms_norm_t_cond is not None and condition is not None:
            z = z * (1 + self.ada_rms_norm_t_cond(condition))[:, None]
        return x + self.drop(self.feed_forward(z))


class Net(nn.Module):
    """Encoder, adapter and decoder, plus the auxiliary heads that export drops."""

    def __init__(self, s: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.s = s
        self.conv1 = nn.Conv1d(MEL, s.enc_dim, 3)
        self.conv2 = nn.Conv1d(s.enc_dim, s.enc_dim, 3, stride=2)
        self.encoder = nn.ModuleList(
            Block(self._attention(s, encoder=True), s.enc_dim, s.enc_hidden, s, ada=False)
            for _ in range(s.enc_layers)
        )
        self.encoder_norm = RMSNorm(s.enc_dim, s.norm_eps)
        self.adapter1 = nn.Linear(FRAMES_PER_POSITION * s.enc_dim, s.dec_dim, bias=False)
        self.adapter2 = nn.Linear(s.dec_dim, s.dec_dim, bias=False)
        self.embeddings = nn.Embedding(s.vocab_size, s.dec_dim)
        self.decoder = nn.ModuleList(
            Block(self._attention(s, encoder=False), s.dec_dim, s.dec_hidden, s, ada=True)
            for _ in range(s.dec_layers)
        )
        self.norm = RMSNorm(s.dec_dim, s.norm_eps)
        self.word_head = nn.Linear(s.dec_dim, len(WORDS) + 1)
        n_heard = len(HEARD_LATE) * HEARD_SIZE
        self.heard_head = nn.Linear(FRAMES_PER_POSITION * s.enc_dim, n_heard)
        self.adapter_head = nn.Linear(s.dec_dim, n_heard)
        self.drop = nn.Dropout(0.0)
        self.apply(_initialise)
        # Zero, lest a new one upset a grown encoder.
        for head in (self.word_head, self.heard_head, self.adapter_head):
            nn.init.zeros_(head.weight)
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = dropout

    @staticmethod
    def _attention(s: Shape, encoder: bool) -> Attention:
        if encoder:
            return Attention(s.enc_dim, s.enc_heads, s.enc_heads, s.head_dim, s.enc_window, True)
        return Attention(s.dec_dim, s.dec_heads, s.dec_kv_heads, s.head_dim, s.dec_window, False)

    def encode(self, mel: Tensor) -> Tensor:
        """Mel [B, 8N, 128] -> encoder output by position [B, N, 4 enc_dim]."""
        x = F.gelu(self.conv1(F.pad(mel.transpose(1, 2), (2, 0))))
        x = F.gelu(self.conv2(F.pad(x, (1, 0)))).transpose(1, 2).float()
        cos, sin = rope_tables(x.shape[1], self.s.head_dim, self.s.rope_theta)
        for block in self.encoder:
            x = block(x, cos, sin, None)
        return self.encoder_norm(x).reshape(x.shape[0], -1, FRAMES_PER_POSITION * x.shape[2])

    def decode(self, audio: Tensor, tokens: Tensor, delay: Tensor) -> Tensor:
        """Audio [B, N, dec_dim], previous tokens [B, N], delay [B] in positions -> hidden."""
        x = audio.float() + self.embeddings(tokens)
        condition = delay_embedding(delay, self.s.dec_dim)
        cos, sin = rope_tables(x.shape[1], self.s.head_dim, self.s.rope_theta)
        for block in self.decoder:
            x = block(x, cos, sin, condition)
        return self.norm(x)

    def forward(self, mel: Tensor, tokens: Tensor, delay: Tensor) -> tuple[Tensor, ...]:
        """Return logits of tokens [B, N, V] and of words [B, N, words + 1], and what Whisper tells.

        What it tells, by the encoder's output and by the adapter's: [B, N, 2, HEARD_LATE,
        HEARD_SIZE].
        """
        frames = self.encode(mel)
        audio = self.adapter2(F.gelu(self.adapter1(frames)))
        heard = torch.stack((self.heard_head(frames), self.adapter_head(audio)), 2)
        audio = torch.lerp(audio.detach(), audio, TOKEN_PULL)
        hidden = self.decode(self.drop(audio), tokens, delay)
        told = heard.unflatten(-1, (len(HEARD_LATE), HEARD_SIZE))
        return hidden @ self.embeddings.weight.T, self.word_head(audio), told


def delay_embedding(delay: Tensor, dim: int) -> Tensor:
    """Embed a delay in positions: cosines, then sines. delay [B] -> [B, dim]."""
    half = dim // 2
    frequencies = torch.exp(-math.log(10000.0) * torch.arange(half) / half)
    angles = delay.float()[:, None] * frequencies
    return torch.cat((angles.cos(), angles.sin()), -1)


def _initialise(module: Any) -> None:
    if isinstance(module, nn.Linear):
        nn.init.normal_(module.weight, std=module.in_features**-0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=0.05)
