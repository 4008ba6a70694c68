"""What `voxwire listen` hears: files as far as they can be decoded, and the microphone."""

from __future__ import annotations

import asyncio
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.clients.python.recordings import RECORDING
from voxwire.clients.python import sources


def pieces_of(path: Path) -> list[bytes]:
    async def run() -> list[bytes]:
        heard = sources.file_pieces(path, is_paced=False, stop=asyncio.Event())
        return [piece async for piece in heard]

    return asyncio.run(run())


def test_a_file_is_cut_into_pieces_of_80_ms_and_nothing_is_lost(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-30000, 30000, 16000 + 77).astype("<i2")
    path = tmp_path / "noise.wav"
    with wave.open(str(path), "wb") as target:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(16000)
        target.writeframes(samples.tobytes())
    pieces = pieces_of(path)
    assert {len(piece) for piece in pieces[:-1]} == {2560}
    assert b"".join(pieces) == samples.tobytes()


def test_files_that_are_not_in_order_are_heard_as_far_as_they_go(tmp_path: Path) -> None:
    whole = b"".join(pieces_of(RECORDING))
    titled = tmp_path / "10:30.wav"  # the colon is no protocol
    tag = b"INFOINAM\x05\0\0\0Caf\xe9\0\0"
    with wave.open(str(titled), "wb") as target:
        target.setparams((1, 2, 16000, 0, "NONE", ""))
        target.writeframes(whole)
    titled.write_bytes(titled.read_bytes() + b"LIST" + len(tag).to_bytes(4, "little") + tag)
    assert b"".join(pieces_of(titled)) == whole
    damaged = tmp_path / "damaged.flac"
    content = bytearray(RECORDING.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 400] = bytes(400)
    damaged.write_bytes(content)
    assert len(b"".join(pieces_of(damaged))) > 0.8 * len(whole)


class FakeStream:
    """A microphone that speaks in PortAudio's way: from its own callback."""

    def __init__(
        self, callback: Callable[..., None], finished_callback: Callable[[], None], **_: object
    ) -> None:
        self.callback, self.finish = callback, finished_callback

    def __enter__(self) -> FakeStream:
        for number in range(5):
            self.callback(bytes([number]) * 4, 2, None, None)
        return self

    def __exit__(self, *_: object) -> None:
        return


class LostStream(FakeStream):
    """One that is unplugged after it spoke."""

    def __enter__(self) -> FakeStream:
        super().__enter__()
        self.finish()
        return self


def test_the_microphone_is_heard_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(RawInputStream=FakeStream, PortAudioError=OSError)
    monkeypatch.setattr(sources, "_sounddevice", lambda: fake)

    async def run() -> list[bytes]:
        stop, heard = asyncio.Event(), []
        async for piece in sources.microphone_pieces(stop=stop):
            heard.append(piece)
            if len(heard) == 5:
                stop.set()
        return heard

    assert asyncio.run(run()) == [bytes([number]) * 4 for number in range(5)]


def test_a_microphone_that_goes_away_is_told_after_what_it_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = SimpleNamespace(RawInputStream=LostStream, PortAudioError=OSError)
    monkeypatch.setattr(sources, "_sounddevice", lambda: fake)
    heard: list[bytes] = []

    async def run() -> None:
        async for piece in sources.microphone_pieces(stop=asyncio.Event()):
            heard.append(piece)

    with pytest.raises(sources.SourceError, match="the microphone went away"):
        asyncio.run(run())
    assert len(heard) == 5


def test_a_microphone_without_its_package_is_told_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)

    async def run() -> None:
        async for _ in sources.microphone_pieces(stop=asyncio.Event()):
            pass

    with pytest.raises(sources.SourceError, match="the package sounddevice: make mic"):
        asyncio.run(run())


def test_a_server_that_falls_far_behind_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(RawInputStream=FakeStream, PortAudioError=OSError)
    monkeypatch.setattr(sources, "_sounddevice", lambda: fake)
    monkeypatch.setattr(sources, "MAX_WAITING_PIECES", 3)

    async def run() -> None:
        async for _ in sources.microphone_pieces(stop=asyncio.Event()):
            await asyncio.sleep(0)

    with pytest.raises(sources.SourceError, match="30 s behind"):
        asyncio.run(run())
