"""From a client's bytes to the model's samples: 16 kHz, mono, float32. Any one thread."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import soxr

from ...protocol.errors import InvalidRequestError
from ...protocol.session import AudioFormat, Encoding
from ..sound import EXPECTED_SOUND, is_sound, what_is_none

RATE_HZ = 16000
Samples = npt.NDArray[np.float32]

_DTYPES: dict[Encoding, np.dtype[Any]] = {
    Encoding.PCM16: np.dtype("<i2"),
    Encoding.FLOAT32: np.dtype("<f4"),
    Encoding.MULAW: np.dtype("u1"),
    Encoding.ALAW: np.dtype("u1"),
}


def _mulaw_table() -> Samples:
    """Return the sample that each byte stands for. Source: ITU-T G.711, as G.191 writes it."""
    code = ~np.arange(256, dtype=np.uint8)
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = ((mantissa << 3) + 132 << exponent) - 132
    return (np.where(code & 128, -magnitude, magnitude) / 32768).astype(np.float32)


def _alaw_table() -> Samples:
    """Return the sample that each byte stands for. Source: ITU-T G.711, as G.191 writes it."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    exponent, mantissa = (code >> 4 & 7).astype(np.int32), (code & 15).astype(np.int32)
    magnitude = (mantissa << 4) + 8 + np.where(exponent > 0, 256, 0) << np.maximum(exponent - 1, 0)
    return (np.where(code & 128, magnitude, -magnitude) / 32768).astype(np.float32)


_TABLES = {Encoding.MULAW: _mulaw_table(), Encoding.ALAW: _alaw_table()}


class SampleReader:
    """Decodes, mixes down and resamples one stream, cut anywhere: within a sample, too."""

    def __init__(self, form: AudioFormat) -> None:
        self._form = form
        self._dtype = _DTYPES[form.encoding]
        self._rest = b""
        self._resampler = self._new_resampler()

    def check(self, data: bytes) -> None:
        """Raise InvalidRequestError if what is read next, `data`, holds what is no sound."""
        if self._form.encoding is Encoding.FLOAT32:
            whole = self._rest + data
            samples = np.frombuffer(whole[: len(whole) // 4 * 4], "<f4")
            if not is_sound(samples):
                got = what_is_none(samples)
                raise InvalidRequestError(f"expected {EXPECTED_SOUND}, got {got}")

    def read(self, data: bytes) -> Samples:
        """Return the samples that `data` completes, [n] float32, of what was checked."""
        whole = self._rest + data
        n_used = len(whole) // self._form.frame_bytes * self._form.frame_bytes
        mono = self._mono(whole[:n_used])
        self._rest = whole[n_used:]
        if self._resampler is None:
            return mono
        resampled: Samples = self._resampler.resample_chunk(mono)
        return resampled

    def flush(self) -> Samples:
        """Return what the resampler still holds; what is read next begins anew.

        But for an unfinished sample: its end comes first.
        """
        if self._resampler is None:
            return np.zeros(0, np.float32)
        tail: Samples = self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        self._resampler = self._new_resampler()
        return tail

    def _mono(self, data: bytes) -> Samples:
        raw = np.frombuffer(data, self._dtype)
        if self._form.encoding is Encoding.PCM16:
            samples = raw.astype(np.float32) / np.float32(32768)
        elif self._form.encoding is Encoding.FLOAT32:
            samples = raw.astype(np.float32)
        else:
            samples = _TABLES[self._form.encoding][raw]
        if self._form.n_channels == 1:
            return np.asarray(samples, np.float32)
        mixed: Samples = samples.reshape(-1, self._form.n_channels).mean(axis=1, dtype=np.float32)
        return mixed

    def _new_resampler(self) -> soxr.ResampleStream | None:
        if self._form.rate_hz == RATE_HZ:
            return None
        return soxr.ResampleStream(self._form.rate_hz, RATE_HZ, 1, dtype="float32", quality="HQ")
