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

    Raises SourceError where there is none, or the server falls 30 s behind.
    """
    sounddevice = _sounddevice()
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING_PIECES)

    def put(piece: bytes | None) -> None:
        if pieces.full():
            pieces.get_nowait()  # the reader is told by what it finds last
            piece = None
        pieces.put_nowait(piece)

    def hear(data: Any, _frames: int, _time: Any, _status: Any) -> None:  # PortAudio's thread
        loop.call_soon_threadsafe(put, bytes(data))

    try:
        microphone = sounddevice.RawInputStream(
            samplerate=RATE_HZ, blocksize=PIECE_SAMPLES, channels=1, dtype="int16", callback=hear
        )
        with microphone:
            while (piece := await _next(pieces, stop)) is not None:
                yield piece
    except sounddevice.PortAudioError as error:
        raise SourceError(f"the microphone does not open: {error}") from error


async def _next(pieces: asyncio.Queue[bytes | None], stop: asyncio.Event) -> bytes | None:
    """Return the next piece; None after `stop`. Raises SourceError where too many waited."""
    heard, stopped = asyncio.ensure_future(pieces.get()), asyncio.ensure_future(stop.wait())
    await asyncio.wait([heard, stopped], return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not heard.done():
        heard.cancel()
        return None
    if heard.result() is None:
        raise SourceError("the server is 30 s behind; it has too much to do, or the network has")
    return heard.result()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), max(0.0, seconds))
    except TimeoutError:
        return


def _decoded(path: Path) -> Iterator[bytes]:
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise SourceError(f"{path}: there is no audio in it")
            resampler = av.AudioResampler("s16", "mono", RATE_HZ, frame_size=PIECE_SAMPLES)
            for frame in container.decode(audio=0):
                yield from _pcm(resampler.resample(frame))
            yield from _pcm(resampler.resample(None))
    except av.FFmpegError as error:
        raise SourceError(f"{path}: {error.strerror}") from error


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
