"""Where `voxwire listen` hears: a microphone, or a file as if it were spoken now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import av

RATE_HZ = 16000
PIECE_SAMPLES = 1280  # 80 ms: what the model takes at a time
BYTES_PER_SAMPLE = 2
MAX_WAITING_PIECES = 375  # 30 s: a server that is further behind will not catch up

_BEHIND = "the server is 30 s behind; it has too much to do, or the network has"
# What PyAV raises for damaged files besides FFmpeg's errors: what its own code trips over.
_FILE_ERRORS = (av.FFmpegError, LookupError, OSError, ValueError)


class SourceError(Exception):
    """Nothing can be heard from there; says why."""


async def file_pieces(path: Path, *, is_paced: bool, stop: asyncio.Event) -> AsyncIterator[bytes]:
    """Yield a recording as PCM16 at 16 kHz, by the wall clock if paced, until `stop`.

    Raises SourceError.
    """
    loop = asyncio.get_running_loop()
    started_s, n_samples = loop.time(), 0
    for piece in _decoded(path):
        n_samples += len(piece) // BYTES_PER_SAMPLE
        if is_paced:
            await _wait(stop, started_s + n_samples / RATE_HZ - loop.time())
        if stop.is_set():
            return
        yield piece


async def microphone_pieces(*, stop: asyncio.Event) -> AsyncIterator[bytes]:
    """Yield what the default microphone hears as PCM16 at 16 kHz, until `stop`.

    Raises SourceError where there is none, it goes away, or the server falls 30 s behind.
    """
    sounddevice = _sounddevice()
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes | SourceError] = asyncio.Queue(MAX_WAITING_PIECES)

    def put(piece: bytes | SourceError) -> None:
        if pieces.full():
            pieces.get_nowait()  # the reader is told by what it finds last
            piece = SourceError(_BEHIND)
        pieces.put_nowait(piece)

    def hear(data: Any, _frames: int, _time: Any, _status: Any) -> None:  # PortAudio's thread
        loop.call_soon_threadsafe(put, bytes(data))

    def finish() -> None:  # PortAudio's thread
        loop.call_soon_threadsafe(put, SourceError("the microphone went away"))

    try:
        microphone = sounddevice.RawInputStream(
            samplerate=RATE_HZ,
            blocksize=PIECE_SAMPLES,
            channels=1,
            dtype="int16",
            callback=hear,
            finished_callback=finish,
        )
        with microphone:
            while (piece := await _next(pieces, stop)) is not None:
                yield piece
    except sounddevice.PortAudioError as error:
        raise SourceError(f"the microphone does not open: {error}") from error


async def _next(pieces: asyncio.Queue[bytes | SourceError], stop: asyncio.Event) -> bytes | None:
    """Return the next piece; None after `stop`. Raises the SourceError that is found."""
    heard, stopped = asyncio.ensure_future(pieces.get()), asyncio.ensure_future(stop.wait())
    await asyncio.wait([heard, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not heard.done():
        heard.cancel()
        return None
    piece = heard.result()
    if isinstance(piece, SourceError):
        raise piece
    return piece


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), max(0.0, seconds))
    except TimeoutError:
        return


def _decoded(path: Path) -> Iterator[bytes]:
    try:
        # The open file and not its name, in which a colon would mean a protocol.
        with path.open("rb") as file, av.open(file, "r", metadata_errors="replace") as container:
            if not container.streams.audio:
                raise SourceError(f"{path}: there is no audio in it")
            resampler = av.AudioResampler("s16", "mono", RATE_HZ, frame_size=PIECE_SAMPLES)
            for packet in container.demux(audio=0):
                for frame in _frames(packet):
                    yield from _pcm(resampler.resample(frame))
            yield from _pcm(resampler.resample(None))
    except _FILE_ERRORS as error:
        raise SourceError(f"{path}: {getattr(error, 'strerror', None) or error}") from error


def _frames(packet: av.Packet[av.AudioStream]) -> list[av.AudioFrame]:
    try:
        return packet.decode()
    except _FILE_ERRORS:  # a damaged one must not cost the rest
        return []


def _pcm(frames: list[av.AudioFrame]) -> Iterator[bytes]:
    for frame in frames:
        yield bytes(frame.planes[0])[: frame.samples * BYTES_PER_SAMPLE]


def _sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError:
        raise SourceError("the microphone needs the package sounddevice: make mic") from None
    except OSError as error:  # the package is there, PortAudio is not
        raise SourceError(f"the microphone needs PortAudio: {error}") from error
    return sounddevice
