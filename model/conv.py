"""The causal convolution stem: mel frames at 100 Hz to encoder frames at 50 Hz.

Both kernels have three taps; the first keeps the rate, the second halves it. An encoder frame
depends on the mel frames up to three before its own pair, so a session carries the last three
mel frames and nothing else. Blocks must be whole pairs of mel frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx

from .layers import Product, gelu

N_TAIL_FRAMES = 3  # two for the first kernel; one more, because the second wants its output
_TAPS = 3


@dataclass(frozen=True, slots=True)
class ConvStem:
    """Weights as products over three frames side by side, [dim, 3 * channels], with bias."""

    first: Product
    second: Product

    def begin(self, mel: mx.array) -> mx.array:
        """Start a session: mel [B, 2T, n_mels] -> [B, T, dim].

        Each convolution has zeros on its left, which is not what the first would make of zeros.
        """
        hidden = gelu(_convolve(mx.pad(mel, [(0, 0), (2, 0), (0, 0)]), self.first, 1))
        return gelu(_convolve(mx.pad(hidden, [(0, 0), (1, 0), (0, 0)]), self.second, 2))

    def resume(self, mel: mx.array) -> mx.array:
        """Go on: mel [B, 3 + 2T, n_mels], the carried frames first -> [B, T, dim]."""
        return gelu(_convolve(gelu(_convolve(mel, self.first, 1)), self.second, 2))


def _convolve(x: mx.array, kernel: Product, stride: int) -> mx.array:
    """Convolve without padding, as one product over overlapping views of neighbouring frames."""
    n_rows, n_frames, channels = x.shape
    n_out = (n_frames - _TAPS) // stride + 1
    taps = mx.as_strided(
        x, (n_rows, n_out, _TAPS * channels), (n_frames * channels, stride * channels, 1)
    )
    return kernel(taps)
