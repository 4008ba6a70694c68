"""Recordings in order that decoders trip over: cut, joined, padded, on clocks of their own."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.server.media_files import chirp, read, read_pipe, write_audio
from voxwire.server.frames import on_time
from voxwire.server.media import Media

RATE_HZ = 16000
PCM = bytes.fromhex("0100000000001000800000aa00389b71")


def padded_wave(samples: np.ndarray, n_bytes: int, n_valid_bits: int, n_channels: int = 1) -> bytes:
    """Return a WAV of samples in 32 bits, of which the upper `n_bytes` are kept."""
    raw = samples.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 4 - n_bytes :].tobytes()
    align = n_bytes * n_channels
    facts = (0xFFFE, n_channels, RATE_HZ, RATE_HZ * align, align, 8 * n_bytes, 22, n_valid_bits, 4)
    form = struct.pack("<HHIIHHHHI", *facts) + PCM
    body = b"WAVEfmt " + len(form).to_bytes(4, "little") + form
    body += b"data" + len(raw).to_bytes(4, "little") + raw
    return b"RIFF" + len(body).to_bytes(4, "little") + body


@pytest.mark.parametrize(
    ("n_bytes", "n_valid_bits", "n_channels"),
    [*((4, n, 1) for n in (16, 20, 24, 32)), (4, 24, 2), (3, 16, 1), (3, 20, 1), (2, 12, 2)],
)
def test_samples_with_more_room_than_bits_are_heard(
    tmp_path: Path, n_bytes: int, n_valid_bits: int, n_channels: int
) -> None:
    wanted = chirp(RATE_HZ)
    step = 2 ** (32 - n_valid_bits)
    samples = np.round(wanted.astype(np.float64) * 2**31 / step).astype(np.int64) * step
    file = tmp_path / "a.wav"
    interleaved = np.repeat(samples, n_channels)
    file.write_bytes(padded_wave(interleaved, n_bytes, n_valid_bits, n_channels))
    got = read(file)
    assert len(got) == len(wanted)
    assert np.abs(got - wanted).max() <= 2.0 ** (1 - n_valid_bits) + 1e-7
    with Media(file) as media:
        assert media.duration_s is None or media.duration_s == pytest.approx(2.0)


def test_a_stream_that_came_on_the_way_costs_nothing(tmp_path: Path) -> None:
    whole, beside = tmp_path / "a.ts", tmp_path / "b.ts"
    sound = chirp(RATE_HZ, 30.0)
    with_streams(whole, [sound])
    with_streams(beside, [sound[: 3 * RATE_HZ]] * 2)
    joined = tmp_path / "joined.ts"
    joined.write_bytes(whole.read_bytes() + beside.read_bytes() + whole.read_bytes())
    for _ in range(4):  # what was read behind an array's end differs
        with Media(joined) as media:
            got = np.concatenate(list(media.blocks()))
            assert media.n_damaged == 0
        assert len(got) >= 62 * RATE_HZ


def with_streams(file: Path, sounds: Sequence[np.ndarray]) -> None:
    with av.open(str(file), "w") as container:
        streams = [container.add_stream("mp2", rate=RATE_HZ, layout="mono") for _ in sounds]
        for n in range(len(sounds[0]) // 576):
            for stream, sound in zip(streams, sounds, strict=True):
                assert isinstance(stream, av.AudioStream)
                pcm = np.round(sound[None, n * 576 : (n + 1) * 576] * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
                frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
                frame.pts = n * 576
                container.mux(stream.encode(frame))
        for stream in streams:
            assert isinstance(stream, av.AudioStream)
            container.mux(stream.encode(None))


@pytest.mark.parametrize("ending", ["ogg", "mka"])
def test_the_length_is_told_where_the_clock_begins_late(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"a.{ending}"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libopus", rate=48000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        for n in range(10):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.int16), "s16", "mono")
            frame.sample_rate, frame.time_base = 48000, Fraction(1, 48000)
            frame.pts = (18_000 + n) * 48000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with Media(file) as media:
        assert media.duration_s == pytest.approx(10, abs=0.1)
        assert sum(map(len, media.blocks())) == pytest.approx(10 * RATE_HZ, rel=0.01)


@pytest.mark.parametrize(
    ("late_s", "most_s"),
    [
        ([0.5 if 20 <= n < 25 or 50 <= n < 55 else 0.0 for n in range(100)], 10.5),
        ([(n // 5 * 5 + 4 - n) / 10 for n in range(100)], 10.4),
    ],
)
def test_packets_that_come_late_and_all_at_once_are_no_pauses(
    late_s: list[float], most_s: float
) -> None:
    def frames() -> Iterator[av.AudioFrame]:
        for n in range(100):
            made = av.AudioFrame.from_ndarray(np.ones((1, 1600), np.float32), "flt", "mono")
            made.sample_rate, made.time_base = RATE_HZ, Fraction(1, 1000)
            made.pts = round(100 * n + 1000 * late_s[n])
            yield made

    timed = on_time(frames(), 0.0, has_clock=True)
    n_samples = sum(len(samples) for _, samples in timed)
    assert 10 * RATE_HZ <= n_samples <= most_s * RATE_HZ


def test_what_is_cut_off_is_heard_up_to_there(tmp_path: Path) -> None:
    file = write_audio(tmp_path / "a.wv", [chirp(RATE_HZ, 8.0)], RATE_HZ, "wavpack")
    data = file.read_bytes()
    n_damaged = []
    for share in (0.5, 0.63, 0.77, 0.9):
        file.write_bytes(data[: int(share * len(data))])
        with Media(file) as media:
            got = np.concatenate(list(media.blocks()))
            n_damaged.append(media.n_damaged)
        assert len(got) >= 0.45 * 8 * RATE_HZ  # the coder's blocks are long
    assert any(n_damaged)


def test_an_older_quicktime_file_comes_through_a_pipe(tmp_path: Path) -> None:
    file = write_audio(tmp_path / "a.mov", [chirp(RATE_HZ)], RATE_HZ, "pcm_s16le")
    data = file.read_bytes()
    n_type_bytes = int.from_bytes(data[:4], "big")
    assert data[4:8] == b"ftyp"
    rest = (n_type_bytes - 8).to_bytes(4, "big") + b"free"
    data = (8).to_bytes(4, "big") + b"wide" + rest + data[16:]
    assert len(read_pipe(data)) == 2 * RATE_HZ
