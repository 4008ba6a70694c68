"""Decode audio files of any container that FFmpeg reads to 16 kHz mono float32, in blocks.

Memory stays bounded however long the recording is. What comes out depends on the audio and its time
alone, not on how its container cuts it into packets.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import av
from av.stream import Disposition

from .frames import SAMPLE_RATE_HZ, Samples, cut, on_time, resample
from .padded_wave import padded_codec
from .sound import EXPECTED_SOUND, is_sound, what_is_none

MAX_STREAMS = 64
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
_DECLARE_END = {"matroska,webm", "ogg"}  # on their clock, which may begin anywhere
# Of others, FFmpeg counts frames as if all were like the first.
_HAVE_CLOCK = {
    "asf",
    "flv",
    "matroska,webm",
    "mov,mp4,m4a,3gp,3g2,mj2",
    "mpeg",
    "mpegts",
    "ogg",
}
_MP4_BEGINS = {b"ftyp", b"wide", b"mdat", b"free", b"skip", b"moov"}  # QuickTime's too
# Playlists name other files and addresses; an uploaded one must not make us read them.
_NO_OTHER_FILES = {"protocol_whitelist": "none"}
# What PyAV raises for damaged files besides FFmpeg's errors: what its own code trips over.
_DECODING_ERRORS = (av.error.FFmpegError, LookupError, OSError, ValueError)


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
            padded = self._padded_codec()
            self._container = self._open_container()
            self._stream = self._audio_stream()
            self._decoder = _decoder_of(self._stream, padded) if padded else None
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

        All channels are averaged. Where the container's clock passes without audio, before it or
        between, there is silence, so that times are those that a player shows.

        Raises MediaError for a recording longer than `max_s`, of samples that are no sound, or of
        nothing but damaged packets.
        """
        n_samples = 0
        has_clock = self._container.format.name in _HAVE_CLOCK
        timed = on_time(self._frames(), self._start_s(), has_clock=has_clock)
        for block in cut(resample(timed), block_samples):
            n_samples += len(block)
            if max_s is not None and n_samples > max_s * SAMPLE_RATE_HZ:
                raise MediaError(self.name, f"at most {max_s:g} s of audio", "more")
            if not is_sound(block):
                raise MediaError(self.name, EXPECTED_SOUND, what_is_none(block))
            yield block

    def _frames(self) -> Iterator[av.AudioFrame]:
        n_frames, is_flushed = 0, False
        try:
            for packet in self._container.demux(self._stream):
                is_flushed = not packet.size
                frames = self._decode(packet)
                n_frames += len(frames)
                yield from frames
        except _DECODING_ERRORS as error:
            # After its end PyAV trips over streams that came on the way; before it, over the cut.
            is_cut = n_frames and isinstance(error, av.error.InvalidDataError)
            if not is_flushed and not is_cut:
                raise MediaError(self.name, "an undamaged file", _reason(error)) from None
            self.n_damaged += not is_flushed
        if self.n_damaged and not n_frames:
            raise MediaError(self.name, "audio", f"{self.n_damaged} damaged packets")

    def _decode(self, packet: av.Packet[av.AudioStream]) -> list[av.AudioFrame]:
        try:
            return self._decoder.decode(packet) if self._decoder else packet.decode()
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
            raise MediaError(self.name, "a readable file", _reason(error)) from None
        return file

    def _padded_codec(self) -> str | None:
        try:
            return padded_codec(self._file)
        except OSError as error:
            raise MediaError(self.name, "a readable file", _reason(error)) from None

    def _close_file(self) -> None:
        if self._owns_file:
            self._file.close()

    def _open_container(self) -> av.container.InputContainer:
        try:
            container = av.open(
                self._file, mode="r", options=_NO_OTHER_FILES, metadata_errors="replace"
            )
        except _DECODING_ERRORS as error:
            raise MediaError(self.name, "an audio or video file", _reason(error)) from None
        form, n_streams = container.format.long_name, len(container.streams)
        if n_streams > MAX_STREAMS:
            container.close()
            raise MediaError(self.name, f"at most {MAX_STREAMS} streams", f"{n_streams} ({form})")
        return container

    def _audio_stream(self) -> av.AudioStream:
        """Return the stream that a player would play: the default one of those with a decoder."""
        streams = self._container.streams.audio
        # PyAV's types hide that an unknown codec has no context.
        known = [each for each in streams if each.codec_context is not None]  # type: ignore[redundant-expr]
        if known:
            defaults = (each for each in known if each.disposition & Disposition.default)
            return next(defaults, known[0])
        form = self._container.format.long_name
        self._container.close()
        expected = "an audio codec that FFmpeg knows" if streams else "an audio stream"
        raise MediaError(self.name, expected, f"none in this file ({form})")

    def _start_s(self) -> float | None:
        start: int | None = self._container.start_time  # though PyAV's types say that it is known
        return None if start is None else start / av.time_base

    def _declared_duration_s(self) -> float | None:
        duration = self._container.duration
        if duration is None or self._decoder is not None:  # FFmpeg counts by the wrong size
            return None
        is_end = self._container.format.name in _DECLARE_END
        first_s = max(0.0, self._start_s() or 0.0) if is_end else 0.0
        length_s = duration / av.time_base - first_s
        return length_s if length_s > 0 else None


def _reason(error: Exception) -> str:
    """Return what went wrong in words, without the numbers and names that libraries put around."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _decoder_of(stream: av.AudioStream, codec: str) -> av.AudioCodecContext:
    decoder = av.CodecContext.create(codec, "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate = stream.codec_context.sample_rate
    decoder.layout = stream.codec_context.layout
    return decoder


def _seekable(file: BinaryIO) -> BinaryIO:
    """Return a file, or what a pipe brings on disk where it is an MP4: its index may come last."""
    is_pipe = isinstance(file, io.BufferedReader) and not file.seekable()
    if not is_pipe or file.peek(8)[4:8] not in _MP4_BEGINS:  # type: ignore[attr-defined]
        return file
    whole = tempfile.TemporaryFile()  # noqa: SIM115  (Media closes it)
    shutil.copyfileobj(file, whole)
    whole.seek(0)
    return whole
