"""Decode audio files of any container that FFmpeg reads to 16 kHz mono float32, in blocks.

Memory stays bounded however long the recording is. What comes out depends on the audio alone, not
on how its container cuts it into packets.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, TypeAlias

import av
import numpy as np
import numpy.typing as npt
import soxr

from .sound import EXPECTED_SOUND, is_sound, what_is_none

SAMPLE_RATE_HZ = 16000
MAX_STREAMS = 64
Samples: TypeAlias = npt.NDArray[np.float32]
_DECLARE_LENGTH = {
    "aiff",
    "caf",
    "flac",
    "matroska,webm",
    "mov,mp4,m4a,3gp,3g2,mj2",
    "ogg",
    "w64",
    "wav",
}
# Playlists name other files and addresses; an uploaded one must not make us read them.
_NO_OTHER_FILES = {"protocol_whitelist": "none"}
# What PyAV raises for damaged files besides FFmpeg's errors: what its own code trips over.
_DECODING_ERRORS = (av.error.FFmpegError, LookupError, OSError, ValueError)
_TO_NUMPY = {"u8", "s16", "s32", "flt", "dbl"}  # and their planar kin
# PyAV counts the planes of a frame to the first empty one, and FFmpeg's own array has room for so
# many: with as many channels or more it reads beyond.
_MAX_PLANES = 7


class MediaError(Exception):
    """A file that cannot be decoded; names the file, what was expected and what came."""

    def __init__(self, name: str, expected: str, got: str) -> None:
        self.name = name
        self.expected = expected
        self.got = got
        super().__init__(f"{name}: expected {expected}, got {got}")


class Media:
    """One open recording, to be read once. Use as a context manager; one thread at a time.

    name: how errors call it. duration_s: what the container declares, None where it does not.
    is_estimate: that it declares none, and FFmpeg guesses from the bit rate of the beginning.
    n_damaged: packets skipped so far because they could not be decoded.
    Raises MediaError if there is no audio to decode.
    """

    def __init__(self, source: Path | BinaryIO, name: str | None = None) -> None:
        self.name = name or str(source)
        self.n_damaged = 0
        opened = self._open_file(source) if isinstance(source, Path) else source
        self._file = _seekable(opened)
        self._owns_file = self._file is not source
        if opened not in (source, self._file):
            opened.close()
        try:
            self._container = self._open_container()
        except MediaError:
            self._close_file()
            raise
        self.duration_s = self._declared_duration_s()
        self.is_estimate = self._container.format.name not in _DECLARE_LENGTH

    def __enter__(self) -> Self:
        """Return the media itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the container, and the file if it was opened here."""
        self._container.close()
        self._close_file()

    def blocks(
        self, block_samples: int = SAMPLE_RATE_HZ, *, max_s: float | None = None
    ) -> Iterator[Samples]:
        """Yield the whole recording as float32 [block_samples], the last block as long as it is.

        All channels are averaged. Raises MediaError for a recording longer than `max_s`, of
        samples that are no sound, or of nothing but damaged packets.
        """
        n_samples = 0
        for block in _cut(_resample(self._frames()), block_samples):
            n_samples += len(block)
            if max_s is not None and n_samples > max_s * SAMPLE_RATE_HZ:
                raise MediaError(self.name, f"at most {max_s:g} s of audio", "more")
            if not is_sound(block):
                raise MediaError(self.name, EXPECTED_SOUND, what_is_none(block))
            yield block

    def _frames(self) -> Iterator[av.AudioFrame]:
        n_frames = 0
        try:
            for packet in self._container.demux(audio=0):
                frames = self._decode(packet)
                n_frames += len(frames)
                yield from frames
        except _DECODING_ERRORS as error:
            raise MediaError(self.name, "an undamaged file", str(error)) from None
        if self.n_damaged and not n_frames:
            raise MediaError(self.name, "audio", f"{self.n_damaged} damaged packets")

    def _decode(self, packet: av.Packet[av.AudioStream]) -> list[av.AudioFrame]:
        try:
            return packet.decode()
        except _DECODING_ERRORS:  # a cut-off end or a tag between packets must not cost the rest
            self.n_damaged += 1
            return []

    def _open_file(self, path: Path) -> BinaryIO:
        try:
            file = path.open("rb")
            if path.is_file() and not path.stat().st_size:
                file.close()
                raise MediaError(self.name, "an audio or video file", "an empty one")
        except OSError as error:
            raise MediaError(self.name, "a readable file", error.strerror or str(error)) from None
        return file

    def _close_file(self) -> None:
        if self._owns_file:
            self._file.close()

    def _open_container(self) -> av.container.InputContainer:
        try:
            container = av.open(
                self._file, mode="r", options=_NO_OTHER_FILES, metadata_errors="replace"
            )
        except _DECODING_ERRORS as error:
            got = error.strerror if isinstance(error, OSError) else str(error)
            raise MediaError(self.name, "an audio or video file", got or "another") from None
        form, n_streams = container.format.long_name, len(container.streams)
        if n_streams > MAX_STREAMS:
            container.close()
            raise MediaError(self.name, f"at most {MAX_STREAMS} streams", f"{n_streams} ({form})")
        if not container.streams.audio:
            container.close()
            raise MediaError(self.name, "an audio stream", f"none in this file ({form})")
        return container

    def _declared_duration_s(self) -> float | None:
        duration = self._container.duration
        return None if duration is None else duration / av.time_base


def _seekable(file: BinaryIO) -> BinaryIO:
    """Return a file, or what a pipe brings on disk where it is an MP4: its index may come last."""
    is_pipe = isinstance(file, io.BufferedReader) and not file.seekable()
    if not is_pipe or file.peek(8)[4:8] != b"ftyp":  # type: ignore[attr-defined]
        return file
    whole = tempfile.TemporaryFile()  # noqa: SIM115  (Media closes it)
    shutil.copyfileobj(file, whole)
    whole.seek(0)
    return whole


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


def _resample(frames: Iterable[av.AudioFrame]) -> Iterator[Samples]:
    """Yield frames as 16 kHz mono. A broadcast stream may change its rate on the way."""
    rate_hz, stream = 0, None
    for frame in frames:
        if stream is None or frame.sample_rate != rate_hz:
            if stream is not None:
                yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
            rate_hz = frame.sample_rate
            stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
        yield stream.resample_chunk(_mono(frame))
    if stream is not None:
        yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def _cut(pieces: Iterable[Samples], block_samples: int) -> Iterator[Samples]:
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
