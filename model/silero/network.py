"""The network: spectrum, four convolutions, one LSTM cell, one probability. NumPy only.

Every matrix product is of one row: BLAS may round differently for other numbers of rows, and what
a session hears must not depend on who else is in the batch. It costs nothing: a product of few rows
spends its time on packing the weights, which that of one row does not need.
Source of the maths: the ONNX graph of silero-vad 6.2.3, 16 kHz branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file

Floats = npt.NDArray[np.float32]

WINDOW_SAMPLES = 512  # new ones, 32 ms
CONTEXT_SAMPLES = 64  # of the window before
STATE_SIZE = 128
_FFT_SAMPLES, _HOP_SAMPLES = 256, 128
_WEIGHTS = Path(__file__).parent / "weights.safetensors"


def _zeros(shape: int | tuple[int, ...]) -> Floats:
    return np.zeros(shape, np.float32)


@dataclass(slots=True)
class VadState:
    """What the network remembers of one stream, which begins in silence."""

    hidden: Floats = field(default_factory=lambda: _zeros(STATE_SIZE))  # [128]
    cell: Floats = field(default_factory=lambda: _zeros(STATE_SIZE))  # [128]
    context: Floats = field(default_factory=lambda: _zeros(CONTEXT_SAMPLES))  # [64]


class SileroVad:
    """The network with its weights, for any number of streams. One thread at a time."""

    def __init__(self) -> None:
        weights = load_file(_WEIGHTS)
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_FFT_SAMPLES) / _FFT_SAMPLES)
        self._hann = hann.astype(np.float32)
        # Taps that only ever meet the zeros around a single frame are left out.
        self._convolutions = (
            _Product(_taps(weights, "conv1", 0, 3), weights["conv1.bias"]),
            _Product(_taps(weights, "conv2", 0, 3), weights["conv2.bias"]),
            _Product(_taps(weights, "conv3", 1, 3), weights["conv3.bias"]),
            _Product(_taps(weights, "conv4", 1, 2), weights["conv4.bias"]),
        )
        bias = weights["lstm.bias_ih"] + weights["lstm.bias_hh"]
        both = np.concatenate([weights["lstm.weight_ih"], weights["lstm.weight_hh"]], axis=1)
        self._from_both = _Product(np.ascontiguousarray(both.T), bias)
        self._out = weights["out.weight"].reshape(STATE_SIZE)
        self._out_bias = weights["out.bias"]

    def probabilities(self, windows: Sequence[Floats], states: Sequence[VadState]) -> list[Floats]:
        """Return how likely each window holds speech, and move the states on.

        windows: for each of the different streams whose states these are its next windows,
        [n, 512] float32, finite; beyond -1..1 they are clipped, lest the state overflow for good.
        Returns for each [n] float32 in 0..1.
        """
        clipped = [np.clip(new, -1, 1) for new in windows]
        streams = list(zip(clipped, states, strict=True))
        features = self._features(np.concatenate([_with_context(*stream) for stream in streams]))
        ends = np.cumsum([len(new) for new in windows])
        found = _zeros(len(features))
        for step in range(max(len(new) for new in windows)):
            going = [i for i, new in enumerate(windows) if len(new) > step]
            rows = [ends[i] - len(windows[i]) + step for i in going]
            found[rows] = self._step(features[rows], [states[i] for i in going])
        for new, state in streams:
            if len(new):
                state.context = new[-1, -CONTEXT_SAMPLES:].copy()
        return np.split(found, ends[:-1])

    def _features(self, samples: Floats) -> Floats:
        """Turn windows with their contexts, [N, 576], into one feature row each, [N, 128]."""
        n_rows = len(samples)
        mirrored = samples[:, -2 : -2 - CONTEXT_SAMPLES : -1]
        extended = np.concatenate([samples, mirrored], axis=1)
        frames = np.lib.stride_tricks.sliding_window_view(extended, _FFT_SAMPLES, axis=1)
        spectrum = np.abs(np.fft.rfft(frames[:, ::_HOP_SAMPLES] * self._hann))  # [N, 4, 129]
        first, second, third, fourth = self._convolutions
        padded = _zeros((n_rows, 6, spectrum.shape[2]))
        padded[:, 1:5] = spectrum
        three = [padded[:, i : i + 4] for i in range(3)]
        x = np.maximum(first(np.concatenate(three, axis=2)), 0)  # [N, 4, 128]
        padded = _zeros((n_rows, 5, x.shape[2]))
        padded[:, 1:] = x
        pairs = np.stack([padded[:, 0:3], padded[:, 2:5]], axis=1)  # stride 2: [N, 2, 3, 128]
        x = np.maximum(second(pairs.reshape(n_rows, 2, 3 * x.shape[2])), 0)  # [N, 2, 64]
        x = np.maximum(third(x.reshape(n_rows, 2 * x.shape[2])), 0)
        features: Floats = np.maximum(fourth(x), 0)
        return features

    def _step(self, features: Floats, states: Sequence[VadState]) -> Floats:
        """Advance the LSTM of B streams by one window, [B, 128]; returns probabilities, [B]."""
        hidden = np.stack([state.hidden for state in states])
        cell = np.stack([state.cell for state in states])
        gates = self._from_both(np.concatenate([features, hidden], axis=1))
        into, forget, new, out = np.split(gates, 4, axis=1)
        cell = _sigmoid(forget) * cell + _sigmoid(into) * np.tanh(new)
        hidden = _sigmoid(out) * np.tanh(cell)
        for state, hidden_row, cell_row in zip(states, hidden, cell, strict=True):
            state.hidden, state.cell = hidden_row.copy(), cell_row.copy()
        score = (np.maximum(hidden, 0) * self._out).sum(axis=1) + self._out_bias
        return _sigmoid(score)


@dataclass(frozen=True, slots=True)
class _Product:
    """x @ weight + bias, row by row; x: [..., in]."""

    weight: Floats  # [in, out]
    bias: Floats  # [out]

    def __call__(self, x: Floats) -> Floats:
        rows: Floats = np.matmul(x[..., None, :], self.weight)[..., 0, :] + self.bias
        return rows


def _with_context(windows: Floats, state: VadState) -> Floats:
    """Return windows, [n, 512], each after the last samples of the one before, [n, 576]."""
    tails = windows[:-1, -CONTEXT_SAMPLES:]
    contexts = np.concatenate([state.context[None], tails])[: len(windows)]
    return np.concatenate([contexts, windows], axis=1)


def _taps(weights: dict[str, Floats], name: str, first: int, last: int) -> Floats:
    """Return the taps first to last of a convolution, [out, in, k], as [k * in, out]."""
    kept = weights[f"{name}.weight"][:, :, first:last].transpose(2, 1, 0)
    return np.ascontiguousarray(kept.reshape(-1, kept.shape[2]))


def _sigmoid(x: Floats) -> Floats:
    result: Floats = 0.5 + 0.5 * np.tanh(0.5 * x)  # never overflows
    return result
