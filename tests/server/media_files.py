"""Small recordings in many containers, written with PyAV."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float32]


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
