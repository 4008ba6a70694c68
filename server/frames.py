"""From FFmpeg's frames to 16 kHz mono samples, on the clock of their container. Any one thread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import av
import numpy as np
import numpy.typing as npt
import soxr

SAMPLE_RATE_HZ = 16000
Samples: TypeAlias = npt.NDArray[np.float32]
_TO_NUMPY = {"u8", "s16", "s32", "flt", "dbl"}  # and their planar kin
# PyAV counts the planes of a frame to the first empty one, and FFmpeg's own array has room for so
# many: with as many channels or more it reads beyond.
_MAX_PLANES = 7
# Less is a clock's jitter, and no gap; more is a clock that was set, as where streams were joined.
_MIN_GAP_S, _MAX_GAP_S = 0.2, 600.0
_MAX_LATE_S = 5.0  # of packets behind one that came late; further back a clock was set


def on_time(
    frames: Iterable[av.AudioFrame], start_s: float | None, *, has_clock: bool
) -> Iterator[tuple[int, Samples]]:
    """Yield each frame's rate and mono samples, and silence where the clock passes without frames.

    start_s: when the container begins; None where it does not say, with the first frame then.
    has_clock: whether the times of frames tell anything.
    """
    at_s = start_s
    for frame in frames:
        rate_hz = frame.sample_rate
        if has_clock and frame.time is not None:
            gap_s = 0.0 if at_s is None else frame.time - at_s
            if _MIN_GAP_S <= gap_s <= _MAX_GAP_S:
                yield from _silence(rate_hz, gap_s)
            if at_s is None or gap_s >= _MIN_GAP_S or gap_s <= -_MAX_LATE_S:
                at_s = frame.time
        samples = _mono(frame)
        yield rate_hz, samples
        at_s = (at_s or 0.0) + len(samples) / rate_hz


def _silence(rate_hz: int, seconds: float) -> Iterator[tuple[int, Samples]]:
    n_left = round(seconds * rate_hz)
    while n_left > 0:
        n = min(n_left, rate_hz)
        yield rate_hz, np.zeros(n, np.float32)
        n_left -= n


def resample(timed: Iterable[tuple[int, Samples]]) -> Iterator[Samples]:
    """Yield samples of a rate as 16 kHz. A broadcast stream may change its rate on the way."""
    rate_hz, stream = 0, None
    for rate_now_hz, samples in timed:
        if stream is None or rate_now_hz != rate_hz:
            if stream is not None:
                yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
            rate_hz = rate_now_hz
            stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
        yield stream.resample_chunk(samples)
    if stream is not None:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def cut(pieces: Iterable[Samples], block_samples: int) -> Iterator[Samples]:
    """Yield the same samples in blocks of `block_samples`, then the rest."""
    held = np.zeros(0, np.float32)
    for piece in pieces:
        held = np.concatenate([held, piece])
        n_whole = len(held) // block_samples * block_samples
        for start in range(0, n_whole, block_samples):
            yield held[start : start + block_samples]
        held = held[n_whole:]
    if len(held):
        yield held


def _mono(frame: av.AudioFrame) -> Samples:
    """Return the mean of a frame's channels, scaled to [-1, 1]: float32 [samples]."""
    frame = _readable(frame)
    raw = frame.to_ndarray()
    channels = raw if frame.format.is_planar else raw.reshape(-1, frame.layout.nb_channels).T
    mean: Samples = _scaled(channels).mean(axis=0, dtype=np.float32)
    return mean


def _readable(frame: av.AudioFrame) -> av.AudioFrame:
    """Return a frame that PyAV can hand to NumPy, of the same samples."""
    packed = frame.format.packed.name
    has_too_many = frame.format.is_planar and frame.layout.nb_channels > _MAX_PLANES
    if packed in _TO_NUMPY and not has_too_many:
        return frame
    packed = packed if packed in _TO_NUMPY else "dbl"
    (readable,) = av.AudioResampler(packed, frame.layout, frame.sample_rate).resample(frame)
    return readable


def _scaled(samples: npt.NDArray[np.generic]) -> Samples:
    floats = samples.astype(np.float32)
    if samples.dtype == np.uint8:  # unsigned: silence is 128
        return (floats - 128) / np.float32(128)
    if np.issubdtype(samples.dtype, np.signedinteger):
        return floats / np.float32(2 ** (8 * samples.dtype.itemsize - 1))
    return floats
