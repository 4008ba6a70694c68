"""A file is decoded apart, as Media decodes it; whatever it is, it ends in samples or an error."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.server.media_files import Signal, chirp, write_audio, write_picture
from tests.server.uploads.decoders import use_decoder
from tests.server.voices import FOLDER
from voxwire.protocol.errors import CapacityError, MediaRefusedError, TooLargeError, VoxwireError
from voxwire.server.media import Media
from voxwire.server.uploads import decoder, decoding
from voxwire.server.uploads.decoding import DecoderLimits, Decoding
from voxwire.server.uploads.pipe import HEADER

LIMITS = DecoderLimits()
OPENED = """tell(1, b'{"duration_s": 1, "is_estimate": false}')\n"""
NOTHING = np.zeros(0, np.float32)


def decode(path: Path, limits: DecoderLimits = LIMITS) -> Signal:
    async def run() -> Signal:
        with path.open("rb") as file:
            async with Decoding(file, limits) as decoding:
                return np.concatenate([NOTHING, *[block async for block in decoding.blocks()]])

    return asyncio.run(run())


def read(path: Path) -> Signal:
    with Media(path) as media:
        return np.concatenate([NOTHING, *media.blocks()])


def refusal(path: Path, limits: DecoderLimits = LIMITS) -> VoxwireError:
    with pytest.raises(VoxwireError) as caught:
        decode(path, limits)
    return caught.value


def program_under_limits(body: str) -> str:
    """Run code where the decoder's limits hold; return what it printed."""
    code = f"""
import os, resource, socket, sys
from voxwire.server.uploads.decoder import _warm_up, confine
_warm_up()
confine({LIMITS.memory_bytes}, {LIMITS.cpu_s})
try:
{body}
except (OSError, MemoryError, ValueError) as error:
    print("refused", type(error).__name__)
else:
    print("allowed")
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("ending", "codec", "rate_hz"),
    [
        ("wav", "pcm_s24le", 44100),
        ("flac", "flac", 48000),
        ("mkv", "pcm_s16le", 8000),
        ("webm", "libopus", 48000),
        ("m4a", "aac", 44100),
        ("mp3", "libmp3lame", 32000),
    ],
)
def test_samples_are_those_that_media_gives(
    tmp_path: Path, ending: str, codec: str, rate_hz: int
) -> None:
    file = write_audio(tmp_path / f"a.{ending}", [chirp(rate_hz)] * 2, rate_hz, codec)
    np.testing.assert_array_equal(decode(file), read(file))


@pytest.mark.parametrize(
    "attempt",
    [
        "    open('/etc/hostname')",
        "    open('/tmp/voxwire-test', 'wb')",
        "    os.pipe()",
        "    socket.socket()",
        "    bytearray(2 << 30)",
        "    os.open('/dev/null', os.O_RDONLY)",
        "    os.close(0); open('/etc/hostname')",
        "    os.close(2); socket.socket()",
        "    os.dup2(0, 2)",
        "    os.fork()",
        "    os.posix_spawn('/bin/true', ['true'], {})",
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
        "    resource.setrlimit(resource.RLIMIT_NPROC, (64, 64))",
    ],
)
def test_a_decoder_that_was_taken_over_gets_nothing(attempt: str) -> None:
    if "bytearray" in attempt and sys.platform != "linux":
        pytest.skip("macOS does not bound address space")
    assert program_under_limits(attempt).startswith("refused")


def test_it_knows_none_of_the_servers_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("VOXWIRE_API_KEYS", "secret")
    told = "tell(4, json.dumps({'expected': 'nothing', 'got': ' '.join(os.environ)}).encode())"
    use_decoder(monkeypatch, told)
    error = refusal(write_audio(tmp_path / "a.wav", [chirp(16000)], 16000, "pcm_s16le"))
    assert set(error.message.split("got ")[1].split()) <= {*decoding.ENVIRONMENT, "LC_CTYPE"}


@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n" * 100, bytes(5000), np.random.default_rng(1).bytes(5000)],
    ids=["empty", "text", "zeros", "noise"],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    error = refusal(tmp_path / "a")
    assert isinstance(error, MediaRefusedError)
    assert error.param == "file"
    assert "expected an audio or video file" in error.message


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    assert "expected an audio stream" in refusal(write_picture(tmp_path / "a.mp4")).message


def test_subtitles_need_nothing_that_a_confined_decoder_cannot_open(tmp_path: Path) -> None:
    file = tmp_path / "a.srt"
    file.write_text("1\n00:00:00,000 --> 00:00:01,000\nyes\n\n")
    assert "expected an audio stream, got none" in refusal(file).message


def test_too_many_streams_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_audio(tmp_path / "a.wav", [chirp(16000)], 16000, "pcm_s16le")
    monkeypatch.setattr("voxwire.server.media.MAX_STREAMS", 0)
    with pytest.raises(Exception, match=r"expected at most 0 streams, got 1 \(WAV"):
        Media(file)


def test_a_small_file_of_long_silence_ends_at_the_cap(tmp_path: Path) -> None:
    silence = np.zeros(3600 * 8000, np.float32)
    bomb = write_audio(tmp_path / "a.mka", [silence], 8000, "flac")
    assert bomb.stat().st_size < 1_000_000  # 230 MB of samples
    assert isinstance(refusal(bomb, DecoderLimits(max_audio_s=60)), TooLargeError)


def test_a_file_that_hides_its_length_ends_at_the_cap_too(tmp_path: Path) -> None:
    file = write_audio(tmp_path / "a.aac", [chirp(16000, 10)], 16000, "aac")  # claims an estimate
    assert len(decode(file, DecoderLimits(max_audio_s=11))) > 9 * 16000
    assert isinstance(refusal(file, DecoderLimits(max_audio_s=5)), TooLargeError)


def test_a_file_that_claims_too_much_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a").touch()
    use_decoder(monkeypatch, OPENED + "time.sleep(60)")
    assert isinstance(refusal(tmp_path / "a", DecoderLimits(max_audio_s=0.5)), TooLargeError)


def test_what_is_only_guessed_from_the_beginning_refuses_nothing(tmp_path: Path) -> None:
    samples = np.concatenate([np.zeros(5 * 16000, np.float32), chirp(16000, 20)])
    file = write_audio(tmp_path / "a.aac", [samples], 16000, "aac")
    with Media(file) as media:
        assert media.is_estimate
        assert (media.duration_s or 0) > 30
    assert len(decode(file, DecoderLimits(max_audio_s=30))) >= 25 * 16000


def test_the_length_that_a_header_lies_about_is_not_believed(tmp_path: Path) -> None:
    file = write_audio(tmp_path / "a.wav", [chirp(16000)], 16000, "pcm_s16le")
    data = bytearray(file.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = (2**31 - 1).to_bytes(4, "little")
    file.write_bytes(data)
    assert len(decode(file, DecoderLimits(max_audio_s=1e6))) == 2 * 16000


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "ends the decoder (0)"),
        ("sys.exit(3)", "ends the decoder (3)"),
        (OPENED + "os.kill(os.getpid(), signal.SIGSEGV)", "ends the decoder (-11)"),
        (OPENED + "os.kill(os.getpid(), signal.SIGXCPU)", "348 s of processor time"),
        (OPENED + "tell(2, bytes(7))", "7 bytes of AUDIO"),
        (OPENED + "tell(1, b'{}')", "2 bytes of OPENED"),
        (OPENED + "tell(9, b'')", "kind 9"),
        (OPENED + "tell(2, bytes(4 * 20481))", "kind 2 of 81924 bytes"),
        (OPENED + "os.write(1, bytes(3))", "ends the decoder"),
        (OPENED + "tell(3, b'{\"n_damaged\": -1}')", "got something else"),
        ("tell(1, b'{\"duration_s\": NaN}')", "got something else"),
        ("tell(2, bytes(4))", "says AUDIO first"),
        ("tell(4, json.dumps({'expected': 'x' * 2000, 'got': ''}).encode())", "something else"),
        (OPENED + "time.sleep(60)", "nothing for 0.5 s"),
    ],
)
def test_a_decoder_that_lies_hangs_or_dies_is_an_error_of_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str, message: str
) -> None:
    use_decoder(monkeypatch, body)
    (tmp_path / "a").touch()
    stall_s = 0.5 if "sleep" in body else 30.0
    error = refusal(tmp_path / "a", DecoderLimits(stall_s=stall_s))
    assert isinstance(error, MediaRefusedError)
    assert message in error.message


@pytest.mark.parametrize(
    "command",
    [
        ("/no/such/program",),
        (sys.executable, "-c", "import no_such_module"),
        (sys.executable, "-c", "import os; os.write(1, bytes([2, 0, 0, 0, 0]))"),
    ],
)
def test_a_decoder_that_cannot_be_started_is_no_fault_of_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr(decoding, "COMMAND", command)
    (tmp_path / "a").touch()
    error = refusal(tmp_path / "a")
    assert isinstance(error, CapacityError)
    assert error.retry_after_s


def test_leaving_ends_the_process_at_once(tmp_path: Path) -> None:
    file = write_audio(tmp_path / "a.flac", [chirp(16000, 60)], 16000, "flac")

    async def run() -> int | None:
        with file.open("rb") as opened:
            async with Decoding(opened, LIMITS) as decoding:
                async for _ in decoding.blocks():
                    break
        return decoding._process.returncode

    assert asyncio.run(run()) == -9


def test_a_decoder_that_nobody_reads_waits(tmp_path: Path) -> None:
    """What is decoded ahead is bounded by the pipe."""
    file = write_audio(tmp_path / "a.flac", [chirp(16000, 120)], 16000, "flac")

    async def run() -> int:
        with file.open("rb") as opened:
            async with Decoding(opened, LIMITS) as decoding:
                blocks = decoding.blocks()
                await anext(blocks)
                buffered = 0
                while (now := len(decoding._reader._buffer)) != buffered or not now:  # type: ignore[attr-defined]
                    buffered = now
                    await asyncio.sleep(0.05)
                return buffered

    assert asyncio.run(run()) < 500_000


Damage = Callable[[bytearray, int, int], None]


def cut(data: bytearray, at: int, value: int) -> None:
    del data[at:]


def overwrite(data: bytearray, at: int, value: int) -> None:
    data[at : at + 16] = bytes([value] * 16)


def insert(data: bytearray, at: int, value: int) -> None:
    data[at:at] = bytes([value] * (value + 1))


RECORDINGS = [path.read_bytes() for path in sorted(FOLDER.glob("*.*"))[:4]]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    recording=st.sampled_from(RECORDINGS),
    damages=st.lists(
        st.tuples(st.sampled_from([cut, overwrite, insert]), st.floats(0, 1), st.integers(0, 255)),
        min_size=1,
        max_size=4,
    ),
)
def test_any_damage_gives_samples_or_a_typed_error(
    tmp_path: Path, recording: bytes, damages: list[tuple[Damage, float, int]]
) -> None:
    data = bytearray(recording)
    for damage, where, value in damages:
        damage(data, int(where * len(data)), value)
    (tmp_path / "a").write_bytes(data)
    with (tmp_path / "a").open("rb") as source, (tmp_path / "out").open("w+b") as sink:
        decoder.decode(source, sink)  # in this process: as many as fit into the time
        sink.seek(0)
        told = sink.read()
    kinds = []
    while told:
        kind, n_bytes = HEADER.unpack(told[: HEADER.size])
        kinds.append(kind)
        told = told[HEADER.size + n_bytes :]
    assert kinds[-1] in (3, 4)
    assert kinds.count(4) + kinds.count(3) == 1
