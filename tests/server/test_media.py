"""Any container comes out as the same 16 kHz mono signal; what cannot be read is refused."""

from __future__ import annotations

import io
import re
import tracemalloc
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.server.media_files import (
    Signal,
    chirp,
    read,
    read_pipe,
    write_audio,
    write_picture,
    write_video,
)
from voxwire.server.frames import SAMPLE_RATE_HZ, on_time
from voxwire.server.media import Media, MediaError


def correlation(got: Signal, source: Signal) -> float:
    n = min(len(got), len(source))
    return float(np.corrcoef(got[:n], source[:n])[0, 1])


LOSSLESS = [
    ("wav", "pcm_s16le", 8000, 1),
    ("wav", "pcm_s16le", 16000, 1),
    ("wav", "pcm_s16le", 44100, 2),
    ("wav", "pcm_s24le", 48000, 2),
    ("wav", "pcm_s32le", 22050, 1),
    ("wav", "pcm_u8", 16000, 1),
    ("wav", "pcm_f32le", 48000, 2),
    ("wav", "pcm_f64le", 48000, 2),
    ("wav", "pcm_mulaw", 8000, 1),
    ("wav", "pcm_s64le", 16000, 1),
    ("wav", "pcm_s16le", 48000, 8),
    ("flac", "flac", 44100, 2),
]
LOSSY = [
    ("ogg", "libopus", 48000, 2),
    ("webm", "libopus", 48000, 1),
    ("mp3", "libmp3lame", 44100, 2),
    ("m4a", "aac", 44100, 2),
    ("mp4", "aac", 48000, 1),
    ("m4a", "aac", 48000, 8),
]


@pytest.mark.parametrize(("ending", "codec", "rate_hz", "n_channels"), LOSSLESS)
def test_lossless_files_keep_length_level_and_time(
    tmp_path: Path, ending: str, codec: str, rate_hz: int, n_channels: int
) -> None:
    file = write_audio(tmp_path / f"a.{ending}", [chirp(rate_hz)] * n_channels, rate_hz, codec)
    got = read(file)
    assert got.dtype == np.float32
    assert len(got) == 2 * SAMPLE_RATE_HZ
    inner = slice(400, -400)  # the chirp begins and ends abruptly, which no resampler keeps
    error = np.abs(got[inner] - chirp(SAMPLE_RATE_HZ)[inner]).max()
    assert error < (0.03 if codec in ("pcm_u8", "pcm_mulaw") else 0.001)


@pytest.mark.parametrize(("ending", "codec", "rate_hz", "n_channels"), LOSSY)
def test_lossy_files_keep_time_and_shape(
    tmp_path: Path, ending: str, codec: str, rate_hz: int, n_channels: int
) -> None:
    file = write_audio(tmp_path / f"a.{ending}", [chirp(rate_hz)] * n_channels, rate_hz, codec)
    got = read(file)
    assert abs(len(got) - 2 * SAMPLE_RATE_HZ) < 0.05 * SAMPLE_RATE_HZ
    assert correlation(got, chirp(SAMPLE_RATE_HZ)) > 0.98  # 1 ms of shift would give 0.3


def test_16_khz_samples_pass_unchanged(tmp_path: Path) -> None:
    source = chirp(16000)
    file = write_audio(tmp_path / "a.wav", [source], 16000, "pcm_f32le")
    np.testing.assert_array_equal(read(file), source)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left = chirp(16000)
    file = write_audio(tmp_path / "a.wav", [left, np.zeros_like(left)], 16000, "pcm_f32le")
    np.testing.assert_allclose(read(file), left / 2)


def test_the_sound_of_a_video_is_found(tmp_path: Path) -> None:
    file = write_audio(tmp_path / "a.mkv", [chirp(16000)], 16000, "pcm_s16le")
    assert correlation(read(file), chirp(16000)) > 0.999


def test_samples_do_not_depend_on_packets_or_blocks(tmp_path: Path) -> None:
    results = []
    for packet_samples in (100, 1152, 44100):
        name = tmp_path / f"{packet_samples}.mka"
        file = write_audio(name, [chirp(44100)] * 2, 44100, "pcm_s16le", packet_samples)
        for block_samples in (160, 1000, 100_000):
            with Media(file) as media:
                blocks = list(media.blocks(block_samples))
            assert {len(block) for block in blocks[:-1]} <= {block_samples}
            assert len(blocks[-1]) <= block_samples
            results.append(np.concatenate(blocks))
    assert all(np.array_equal(result, results[0]) for result in results)


def test_a_change_of_rate_on_the_way_is_followed(tmp_path: Path) -> None:
    slow, fast = [
        write_audio(tmp_path / f"{rate_hz}.aac", [chirp(rate_hz)], rate_hz, "aac")
        for rate_hz in (16000, 48000)
    ]
    joined = tmp_path / "joined.aac"
    joined.write_bytes(slow.read_bytes() + fast.read_bytes())
    got = read(joined)
    assert len(got) == pytest.approx(4 * SAMPLE_RATE_HZ, rel=0.04)
    coder_delay = 1024 // 3  # ADTS does not declare it
    second = got[len(read(slow)) + coder_delay :]
    assert correlation(second, chirp(16000)) > 0.98


@pytest.mark.parametrize("ending", ["mkv", "mp4", "ts"])
def test_audio_that_begins_late_or_pauses_keeps_its_times(tmp_path: Path, ending: str) -> None:
    source = chirp(16000, 6.0)
    file = write_video(tmp_path / f"a.{ending}", source, [(1.0, 2.0), (4.0, 6.0)])
    got = read(file)
    assert len(got) == pytest.approx(6 * SAMPLE_RATE_HZ, abs=0.15 * SAMPLE_RATE_HZ)
    for quiet in (slice(0, 14_000), slice(35_000, 62_000)):
        assert np.abs(got[quiet]).max() < 1e-3
    for heard in (slice(17_000, 31_000), slice(66_000, 90_000)):
        shifted = np.correlate(got[heard], source[heard][3_000:-3_000], "valid")
        assert abs(int(shifted.argmax()) - 3_000) < 2_400  # 0.15 s: below it, a clock may jitter


def test_a_clock_that_was_set_is_followed_without_silence() -> None:
    def frame(at_s: float) -> av.AudioFrame:
        made = av.AudioFrame.from_ndarray(np.ones((1, 1600), np.float32), "flt", "mono")
        made.sample_rate, made.time_base, made.pts = 16000, Fraction(1, 1000), round(1000 * at_s)
        return made

    times = [7.0, 7.1, 4000.0, 4000.1, 3.0, 3.1, 3.5]
    timed = on_time(map(frame, times), 7.0, has_clock=True)
    samples = np.concatenate([samples for _, samples in timed])
    assert len(samples) == 16 * 7 * 100 + 4800  # only what passed from 3.2 to 3.5 s
    assert not samples[9600:14400].any()


def test_of_streams_the_first_that_can_be_decoded_is_heard(tmp_path: Path) -> None:
    file = write_video(tmp_path / "a.mkv", chirp(16000), [(0.0, 2.0)], n_streams=2)
    data = file.read_bytes()
    assert data.count(b"A_PCM/INT/LIT") == 2
    file.write_bytes(data.replace(b"A_PCM/INT/LIT", b"A_XXX/INT/LIT", 1))
    assert len(read(file)) == 2 * SAMPLE_RATE_HZ
    file.write_bytes(data.replace(b"A_PCM/INT/LIT", b"A_XXX/INT/LIT"))
    with pytest.raises(MediaError, match="expected an audio codec that FFmpeg knows, got none"):
        read(file)


def test_the_declared_duration_is_known_before_decoding(tmp_path: Path) -> None:
    with Media(write_audio(tmp_path / "a.flac", [chirp(8000)], 8000, "flac")) as media:
        assert media.duration_s == pytest.approx(2.0)


@pytest.mark.parametrize(("ending", "codec"), [("wav", "pcm_s16le"), ("m4a", "aac")])
def test_a_pipe_is_read_as_it_comes_or_once_its_index_came(
    tmp_path: Path, ending: str, codec: str
) -> None:
    data = write_audio(tmp_path / f"a.{ending}", [chirp(16000)], 16000, codec).read_bytes()
    got = read_pipe(data)
    assert abs(len(got) - 2 * SAMPLE_RATE_HZ) < 0.05 * SAMPLE_RATE_HZ
    assert correlation(got, chirp(SAMPLE_RATE_HZ)) > 0.98


def test_a_tag_that_is_no_utf_8_costs_nothing(tmp_path: Path) -> None:
    data = write_audio(tmp_path / "a.wav", [chirp(16000)], 16000, "pcm_s16le").read_bytes()
    title = "Gespräch".encode("latin-1")
    tag = b"INFOINAM" + len(title).to_bytes(4, "little") + title
    file = tmp_path / "tagged.wav"
    file.write_bytes(data + b"LIST" + len(tag).to_bytes(4, "little") + tag)
    assert len(read(file)) == 2 * SAMPLE_RATE_HZ


def test_what_pyav_trips_over_is_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Tripping:
        def __init__(self, container: av.container.InputContainer) -> None:
            self._container = container

        def __getattr__(self, name: str) -> Any:
            return getattr(self._container, name)

        def demux(self, _: object) -> None:
            raise IndexError("list index out of range")

    with Media(write_audio(tmp_path / "a.wav", [chirp(16000)], 16000, "pcm_s16le")) as media:
        monkeypatch.setattr(media, "_container", Tripping(media._container))
        with pytest.raises(MediaError, match="expected an undamaged file"):
            list(media.blocks())


def test_memory_does_not_grow_with_the_recording(tmp_path: Path) -> None:
    silence = np.zeros(600 * 8000, np.float32)
    file = write_audio(tmp_path / "long.flac", [silence], 8000, "flac")  # decoded: 38 MB
    tracemalloc.start()
    with Media(file) as media:
        n_samples = sum(map(len, media.blocks()))
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_samples == 600 * SAMPLE_RATE_HZ
    assert peak_bytes < 2_000_000


def test_a_recording_over_the_cap_is_refused_when_the_cap_is_reached(tmp_path: Path) -> None:
    file = write_audio(tmp_path / "a.wav", [chirp(16000)], 16000, "pcm_s16le")
    with Media(file) as media:
        assert sum(map(len, media.blocks(max_s=2))) == 2 * SAMPLE_RATE_HZ
    with Media(file) as media:
        blocks = media.blocks(max_s=1.5)
        assert len(next(blocks)) == SAMPLE_RATE_HZ
        with pytest.raises(MediaError, match=r"at most 1\.5 s of audio, got more"):
            next(blocks)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n" * 100, bytes(5000), np.random.default_rng(1).bytes(5000)],
    ids=["empty", "text", "zeros", "noise"],
)
def test_what_is_no_recording_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "notes.wav"
    file.write_bytes(content)
    with pytest.raises(MediaError, match=r"notes\.wav: expected an audio or video file, got"):
        read(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"none\.wav: expected a readable file, got No such file"):
        Media(tmp_path / "none.wav")


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="expected an audio stream, got none"):
        Media(write_picture(tmp_path / "silent.mp4"))


@pytest.mark.parametrize("sample", [np.nan, np.inf, -1e25])
def test_samples_that_are_no_sound_are_refused(tmp_path: Path, sample: float) -> None:
    source = chirp(16000)
    source[20_000] = sample
    file = write_audio(tmp_path / "a.wav", [source], 16000, "pcm_f32le")
    with pytest.raises(MediaError, match=re.escape(f"from -1 to 1, got {sample:g}")):
        read(file)


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {}\n",
    ],
)
def test_a_playlist_cannot_make_us_read_another_file(tmp_path: Path, playlist: str) -> None:
    secret = write_audio(tmp_path / "secret.aac", [chirp(16000)], 16000, "aac")
    with pytest.raises(MediaError):
        Media(io.BytesIO(playlist.format(secret).encode()), "playlist")
    (tmp_path / "list.m3u8").write_text(playlist.format(secret.name))
    with pytest.raises(MediaError):
        read(tmp_path / "list.m3u8")


def test_a_cut_off_file_gives_what_is_there(tmp_path: Path) -> None:
    file = write_audio(tmp_path / "a.flac", [chirp(44100)], 44100, "flac")
    file.write_bytes(file.read_bytes()[:-3000])
    with Media(file) as media:
        got = np.concatenate(list(media.blocks()))
        assert media.n_damaged == 1
    assert 0.5 * SAMPLE_RATE_HZ < len(got) < 2 * SAMPLE_RATE_HZ


def test_nothing_but_damaged_packets_is_refused(tmp_path: Path) -> None:
    file = write_audio(tmp_path / "a.m4a", [chirp(44100)], 44100, "aac")
    data = bytearray(file.read_bytes())
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[start:end] = b"\xff" * (end - start)
    file.write_bytes(data)
    with pytest.raises(MediaError, match=r"expected audio, got \d+ damaged packets"):
        read(file)
