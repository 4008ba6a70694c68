"""The decoding process: a media file on standard input, samples on standard output.

FFmpeg reads what strangers send, so it runs here and not in the server: without the server's
secrets, unable to open a file or a socket or to start a process, and with bounds on memory and
processor time. Not contained: signals to processes of the same user; a server that runs as root
has its decoders run as nobody. On macOS memory is not bounded.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import wave
from typing import BinaryIO

# PyAV imports these only for a file with subtitles, when no file can be opened any more.
import av.subtitles.codeccontext
import av.subtitles.subtitle  # noqa: F401

from ..frames import SAMPLE_RATE_HZ
from ..media import Media, MediaError
from .pipe import BLOCK_SAMPLES, HEADER, MAX_TEXT_CHARS, RecordKind

NICENESS = 5  # live sessions come first
_NOBODY = 65534


def main() -> None:
    """Decode standard input. Arguments: bytes of memory, seconds of processor time."""
    memory_bytes, cpu_s = map(int, sys.argv[1:])
    _warm_up()
    confine(memory_bytes, cpu_s)
    source, sink = os.fdopen(0, "rb"), os.fdopen(1, "wb", buffering=0)
    try:
        _write(sink, RecordKind.STARTED, b"")
        decode(source, sink)
    except BrokenPipeError:  # the client left
        os._exit(1)


def confine(memory_bytes: int, cpu_s: int) -> None:
    """Give up what decoding does not need, for good."""
    os.nice(NICENESS)
    if os.geteuid() == 0:  # root could lift its limits again
        _become_nobody()
    # No further file, socket or pipe: not by a number that is in use now and closed then, either.
    _limit(resource.RLIMIT_NOFILE, 0)
    _limit(resource.RLIMIT_NPROC, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, cpu_s)
    if sys.platform == "linux":  # macOS reserves more address space than any sensible bound
        _limit(resource.RLIMIT_AS, memory_bytes)


def decode(source: BinaryIO, sink: BinaryIO) -> None:
    """Write `source` to `sink` as records. Raises BrokenPipeError when nobody reads."""
    try:
        with Media(source, "file") as media:
            _tell(
                sink, RecordKind.OPENED, duration_s=_claimed_s(media), is_estimate=media.is_estimate
            )
            for block in media.blocks(BLOCK_SAMPLES):
                _write(sink, RecordKind.AUDIO, block.astype("<f4", copy=False).tobytes())
            _tell(sink, RecordKind.DONE, n_damaged=media.n_damaged)
    except MediaError as error:
        _fail(sink, error.expected, error.got)
    except MemoryError:
        _fail(sink, "a recording that can be decoded in little memory", "one that cannot")
    except BrokenPipeError:
        raise
    except Exception as error:  # whatever a hostile file made of the decoder
        _fail(sink, "a recording", f"a file that the decoder fails on ({type(error).__name__})")


def _warm_up() -> None:
    """Decode a little, so that what PyAV imports only then is there."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(SAMPLE_RATE_HZ)
        sound.writeframes(bytes(640))
    file.seek(0)
    with Media(file, "warm-up") as media:
        for _ in media.blocks():
            pass


def _claimed_s(media: Media) -> float | None:
    return media.duration_s if media.duration_s is not None and media.duration_s >= 0 else None


def _fail(sink: BinaryIO, expected: str, got: str) -> None:
    _tell(sink, RecordKind.FAILED, expected=expected[:MAX_TEXT_CHARS], got=got[:MAX_TEXT_CHARS])


def _tell(sink: BinaryIO, kind: RecordKind, **facts: float | str | None) -> None:
    _write(sink, kind, json.dumps(facts).encode())


def _write(sink: BinaryIO, kind: RecordKind, data: bytes) -> None:
    view = memoryview(HEADER.pack(kind, len(data)) + data)
    while view:
        view = view[sink.write(view) :]


def _become_nobody() -> None:
    with contextlib.suppress(OSError):  # a container may know no such user
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)


def _limit(what: int, value: int) -> None:
    resource.setrlimit(what, (value, value))


if __name__ == "__main__":
    main()
