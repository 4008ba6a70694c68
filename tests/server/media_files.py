"""Small recordings in many containers, written with PyAV."""

from __future__ import annotations

import os
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from voxwire.server.media import Media

Signal = npt.NDArray[np.float32]


def read(file: Path) -> Signal:
    """Return the whole recording: [samples] at 16 kHz."""
    with Media(file) as media:
        return np.concatenate([np.zeros(0, np.float32), *media.blocks()])


def read_pipe(data: bytes) -> Signal:
    """Return the recording that comes through a pipe: [samples] at 16 kHz."""
    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb") as pipe:
            pipe.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    with open(reading, "rb") as pipe, Media(pipe, "stdin") as media:
        got = np.concatenate(list(media.blocks()))
    writer.join()
    return got


def chirp(rate_hz: int, seconds: float = 2.0) -> Signal:
    """A tone that rises from 150 Hz to 1.5 kHz, so that a shift or a gap shows: [samples]."""
    time_s = np.arange(round(rate_hz * seconds)) / rate_hz
    phase = 2 * np.pi * (150 * time_s + 675 * time_s**2 / seconds)
    return (0.4 * np.sin(phase)).astype(np.float32)


def write_audio(
    file: Path, channels: list[Signal], rate_hz: int, codec: str, packet_samples: int = 1000
) -> Path:
    """Encode `channels` into `file`, whose ending names the container."""
    layout = {1: "mono", 2: "stereo", 8: "7.1"}[len(channels)]
    interleaved = np.stack(channels, axis=1).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(interleaved, format="flt", layout=layout)
    frame.sample_rate = rate_hz
    frame.pts = 0  # else MP4 gets no edit list, and the coder's delay stays in
    with av.open(str(file), "w") as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        assert isinstance(stream, av.AudioStream)
        resampler = av.AudioResampler(
            format=stream.format, layout=layout, rate=rate_hz, frame_size=packet_samples
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return file


def write_picture(file: Path) -> Path:
    """Write a video of one black picture and no sound."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("mpeg4", rate=1, width=16, height=16, pix_fmt="yuv420p")
        picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return file


def write_video(
    file: Path, sound: Signal, heard_s: list[tuple[float, float]], n_streams: int = 1
) -> Path:
    """Write a film with the sound at 16 kHz, of which only some spans are in the file."""
    codec = {".mkv": "pcm_s16le", ".mp4": "aac", ".ts": "mp2"}[file.suffix]
    with av.open(str(file), "w") as container:
        video = container.add_stream("mpeg4", rate=10, width=16, height=16, pix_fmt="yuv420p")
        streams = [container.add_stream(codec, rate=16000, layout="mono") for _ in range(n_streams)]
        assert isinstance(video, av.VideoStream)
        for n in range(len(sound) // 1600):
            picture = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), format="rgb24")
            picture.pts, picture.time_base = n, Fraction(1, 10)
            container.mux(video.encode(picture))
            if not any(first <= n / 10 < last for first, last in heard_s):
                continue
            pcm = np.round(sound[None, n * 1600 : (n + 1) * 1600] * 32767).astype(np.int16)
            for stream in streams:
                assert isinstance(stream, av.AudioStream)
                frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = 16000, n * 1600, Fraction(1, 16000)
                container.mux(stream.encode(frame))
        for each in (video, *streams):
            assert isinstance(each, av.VideoStream | av.AudioStream)
            container.mux(each.encode(None))
    return file
