"""Log-mel spectrogram, and the framing that cuts one session's samples into positions.

NumPy only. The same samples give the same bits however they are cut: a frame depends on its own
400 samples alone, and the matrix product always has the 8 rows of one position.
Source of the maths: mistral-common `audio.py` (filter bank) and vLLM `compute_whisper_melspec`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .config import AudioConfig, ModelConfig
from .delay import N_LEFT_PAD_TOKENS, N_PREFIX_TOKENS, check_delay, right_pad_tokens
from .errors import AudioError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_POWER_FLOOR = 1e-10
_LOG_RANGE = 8.0  # decades kept below the ceiling
_ROWS = 8  # frames in one matrix product: BLAS may round differently for other numbers of rows
_CHUNK = 16 * _ROWS  # frames at once: what lies between the steps stays in the cache


def log_mel(windows: Floats, audio: AudioConfig) -> Floats:
    """Turn windows of samples into log-mel frames.

    windows: [N, window_samples] float32 in -1..1. Returns [N, n_mels] float32; digital silence
    is -0.625 in every bin. Any thread.
    """
    frames: Floats = np.empty((len(windows), audio.n_mels), np.float32)
    for start in range(0, len(windows), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        frames[chunk] = _log_mel(windows[chunk], audio)
    return frames


def _log_mel(windows: Floats, audio: AudioConfig) -> Doubles:
    n = len(windows)
    blocks = -(-n // _ROWS)
    spectrum = np.fft.rfft(np.multiply(windows, _hann(audio.window_samples), dtype=np.float64))
    power = np.zeros((blocks * _ROWS, spectrum.shape[1]))
    power[:n] = spectrum.real**2 + spectrum.imag**2
    bank = _slaney_bank(audio.n_mels, audio.window_samples, audio.sampling_rate_hz)
    mel = np.matmul(power.reshape(blocks, _ROWS, -1), bank).reshape(blocks * _ROWS, -1)[:n]
    log = np.maximum(np.log10(np.maximum(mel, _POWER_FLOOR)), audio.log_mel_max - _LOG_RANGE)
    scaled: Doubles = (log + 4) / 4
    return scaled


def frames_of(spans: Sequence[Floats], audio: AudioConfig) -> Floats:
    """Turn what `MelStream.cut` gave of several sessions into frames, faster than one by one.

    spans: of equally many positions n > 0. Returns [B, n * frames_per_token, n_mels] float32.
    """
    samples = np.stack(spans)
    windows = np.lib.stride_tricks.sliding_window_view(samples, audio.window_samples, axis=1)
    windows = windows[:, :: audio.hop_samples].reshape(-1, audio.window_samples)
    return log_mel(windows, audio).reshape(len(spans), -1, audio.n_mels)


@functools.cache
def _hann(n: int) -> Doubles:
    window: Doubles = 0.5 * (1 - np.cos(2 * np.pi * np.arange(n) / n))
    return window


def _hz(mel: Doubles) -> Doubles:
    """Slaney's scale: linear up to 15 mel (1000 Hz), then 27 steps to a factor of 6.4."""
    above = 1000 * np.exp(np.log(6.4) / 27 * (mel - 15))
    return np.where(mel < 15, 200 * mel / 3, above)


@functools.cache
def _slaney_bank(n_mels: int, window_samples: int, rate_hz: int) -> Doubles:
    """Return the triangles of equal area, [window_samples // 2 + 1, n_mels]."""
    nyquist_hz = rate_hz / 2
    top = 15 + np.log(nyquist_hz / 1000) * 27 / np.log(6.4)
    corners = _hz(np.linspace(0, top, n_mels + 2))
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    bins = np.linspace(0, nyquist_hz, window_samples // 2 + 1)[:, None]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    # The reference rounds the bank to float32 and so do the checkpoints trained with it.
    bank: Floats = (np.maximum(triangles, 0) * 2 / (high - low)).astype(np.float32)
    return bank.astype(np.float64)


class MelStream:
    """The mel frames of one session, position by position.

    It starts after the constant prefix of left padding, with the silence that the first windows
    still reach into. What it holds is bounded by what was fed and not yet taken. One thread.
    """

    def __init__(self, config: ModelConfig, delay_tokens: int) -> None:
        check_delay(delay_tokens)
        self._audio = config.audio
        self._delay_tokens = delay_tokens
        self._token_samples = config.samples_per_token
        half_window = self._audio.window_samples // 2
        self._look_ahead = max(0, half_window - self._audio.hop_samples)
        # What one more position needs beyond its own samples: the rest of its last window.
        self._overlap = self._audio.window_samples - self._audio.hop_samples
        start = N_PREFIX_TOKENS * self._token_samples - half_window
        silence = N_LEFT_PAD_TOKENS * self._token_samples - start
        self._buffer: Floats = np.zeros(silence, np.float32)
        self._n_fed = 0

    @property
    def n_ready(self) -> int:
        """Positions that can be taken now."""
        return max(0, len(self._buffer) - self._overlap) // self._token_samples

    def feed(self, samples: Floats) -> None:
        """Append samples: [n] float32, mono, 16 kHz, finite. Raises AudioError."""
        _check_samples(samples)
        self._append(samples)

    def flush(self) -> int:
        """Append the right padding, so that all that was fed can be taken and written.

        Returns the number of samples of silence appended. The stream stays open: audio may
        follow, as after a pause.
        """
        align = -self._n_fed % self._token_samples
        padding = align + right_pad_tokens(self._delay_tokens) * self._token_samples
        padding += self._look_ahead
        self._append(np.zeros(padding, np.float32))
        return padding

    def take(self, n: int) -> Floats:
        """Remove the next `n` positions; returns [n * frames_per_token, n_mels] float32.

        Raises ValueError when fewer are ready.
        """
        span = self.cut(n)
        if n == 0:
            return np.zeros((0, self._audio.n_mels), np.float32)
        frames: Floats = frames_of([span], self._audio)[0]
        return frames

    def cut(self, n: int) -> Floats:
        """Remove the next `n` positions; returns the samples that their windows reach, [samples].

        Raises ValueError when fewer are ready.
        """
        if not 0 <= n <= self.n_ready:
            raise ValueError(f"expected 0 to {self.n_ready} positions, got {n}")
        used = n * self._token_samples
        span: Floats = self._buffer[: used + self._overlap]
        self._buffer = self._buffer[used:]
        return span

    def _append(self, samples: Floats) -> None:
        self._buffer = np.concatenate([self._buffer, samples])
        self._n_fed += len(samples)


def _check_samples(samples: Floats) -> None:
    if samples.dtype != np.float32 or samples.ndim != 1:
        raise AudioError(
            f"expected float32 samples of one channel, got {samples.dtype} of {samples.shape}"
        )
    if not np.isfinite(samples).all():
        raise AudioError("expected finite samples, got NaN or infinity")
