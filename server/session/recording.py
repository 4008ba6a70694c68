"""A session on disk, where its operator opted in: its audio, what was asked, what was told.

Two files: NAME.wav, the decoded audio as float32 at 16 kHz, and NAME.jsonl, whose first line says
how the session began, and each other what was asked or told after how many samples. They are
written by one thread, so that a slow disk holds up no session. Event loop only, else.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import struct
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, TypeAdapter

from ...protocol.errors import VoxwireError
from ...protocol.session import (
    Configure,
    Ended,
    Event,
    Lag,
    Partial,
    Received,
    Request,
    SessionSettings,
)
from .samples import RATE_HZ, Samples

log = logging.getLogger(__name__)

MAX_RECORDING_BYTES = 256 << 20  # more than an hour; what comes later is left out
MIN_FREE_BYTES = 1 << 30  # with less room on the disk, no recording is begun
WAV_HEADER_BYTES = 44
SETTINGS = TypeAdapter(SessionSettings)
_CHUNK_BYTES = 1 << 18
_MAX_CHUNKS = 32  # that wait for the disk


class Recordings:
    """A folder of recordings, which nobody but its owner can read, and the thread that writes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer = ThreadPoolExecutor(1, "recordings")

    def begin(self, name: str, head: dict[str, Any]) -> Recording | None:
        """Begin a recording; None, and a line in the log, where the disk does not allow it.

        head: how the session began, as plain values.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if shutil.disk_usage(self._folder).free < MIN_FREE_BYTES:
                raise OSError(f"less than {MIN_FREE_BYTES >> 20} MiB are free")
            audio = _create(self._folder / f"{name}.wav")
            lines = _create(self._folder / f"{name}.jsonl")
            audio.write(_wav_header(0))
        except OSError as error:
            log.error("recording=none reason=%s", error.strerror or error)
            return None
        return Recording(audio, lines, head, self._writer)


class Recording:
    """One session's recording; it ends with the session's Ended."""

    def __init__(
        self, audio: BinaryIO, lines: BinaryIO, head: dict[str, Any], writer: ThreadPoolExecutor
    ) -> None:
        self._audio = audio
        self._lines = lines
        self._writer = writer
        self._pending: list[bytes] = []  # of audio
        self._told: list[dict[str, Any]] = [head]
        self._n_pending = self._n_bytes = self._n_samples = 0
        self._chunks: deque[Future[None]] = deque()
        self._is_over = False

    def heard(self, samples: Samples) -> None:
        """Append decoded audio, [n] float32 at 16 kHz."""
        if self._is_over:
            return
        data = samples.astype("<f4", copy=False).tobytes()
        self._n_samples += len(samples)
        self._pending.append(data)
        self._count(len(data))

    def asked(self, request: Request) -> None:
        """Append what the client asked for."""
        line: dict[str, Any] = {"asked": type(request).__name__}
        if isinstance(request, Configure):
            line["settings"] = SETTINGS.dump_python(request.settings, mode="json")
        self._append(line)

    def told(self, event: Event) -> None:
        """Append what the client was told; nothing follows its Ended."""
        if isinstance(event, Lag | Received):
            return
        told = _plain(event)
        if isinstance(event, Partial):
            del told["text"]  # grows with the segment; the deltas say the same
        self._append({"told": type(event).__name__, **told})
        if isinstance(event, Ended):
            self._end()

    def _append(self, line: dict[str, Any]) -> None:
        if self._is_over:
            return
        line["n_samples"] = self._n_samples
        self._told.append(line)
        self._count(200)  # about what a line takes

    def _count(self, n_bytes: int) -> None:
        self._n_bytes += n_bytes
        self._n_pending += n_bytes
        if self._n_bytes > MAX_RECORDING_BYTES:
            self._cut("it is as long as it may be")
        elif self._n_pending >= _CHUNK_BYTES:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give what is pending to the thread."""
        while self._chunks and self._chunks[0].done():
            if self._chunks.popleft().exception() is not None:
                self._cut("the disk failed")
                return
        if len(self._chunks) >= _MAX_CHUNKS:
            self._cut("the disk is too slow")
            return
        audio, lines = b"".join(self._pending), self._told
        self._pending, self._told, self._n_pending = [], [], 0
        self._chunks.append(self._writer.submit(self._write, audio, lines))

    def _cut(self, reason: str) -> None:
        """End before the session does, and say so."""
        log.warning("recording=cut reason=%s", reason)
        self._told.append({"cut": reason, "n_samples": self._n_samples})
        self._end()

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            audio, lines = b"".join(self._pending), self._told
            self._pending, self._told = [], []
            self._writer.submit(self._finish, audio, lines)

    def _write(self, audio: bytes, lines: list[dict[str, Any]]) -> None:
        """Append to both files. Writing thread only."""
        try:
            self._audio.write(audio)
            self._lines.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
            self._audio.flush()
            self._lines.flush()
        except OSError as error:
            log.error("recording=failed reason=%s", error.strerror)
            raise

    def _finish(self, audio: bytes, lines: list[dict[str, Any]]) -> None:
        """Write the last, and the length in the header. Writing thread only."""
        with self._audio, self._lines:
            self._write(audio, lines)
            n_bytes = self._audio.tell() - WAV_HEADER_BYTES
            self._audio.seek(0)
            self._audio.write(_wav_header(n_bytes))


def _create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _wav_header(n_bytes: int) -> bytes:
    """Return the header of float32 mono at 16 kHz; programs read on where it says 0 bytes."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, RATE_HZ, 4 * RATE_HZ, 4, 32)
    data = struct.pack("<4sI", b"data", n_bytes)
    return struct.pack("<4sI4s", b"RIFF", n_bytes + WAV_HEADER_BYTES - 8, b"WAVE") + form + data


def _plain(value: Any) -> Any:
    """Return events as plain values for JSON."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, VoxwireError):
        return {"code": value.code, "message": value.message}
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value
