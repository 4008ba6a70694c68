"""The server's side of a decoding process: starts it, reads it with suspicion, ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, ValidationError

from ...protocol.errors import CapacityError, MediaRefusedError, TooLargeError
from ..collector import SAMPLE_RATE_HZ
from .pipe import HEADER, MAX_RECORD_BYTES, MAX_TEXT_CHARS, RecordKind

log = logging.getLogger(__name__)
COMMAND = (sys.executable, "-I", "-m", "voxwire.server.uploads.decoder")
# Nothing of the server's environment, which may hold keys; one thread of BLAS reserves less memory.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
_RETRY_S = 5.0
_EXIT_S = 2.0

_Record = TypeVar("_Record", bound=BaseModel)


class _Opened(BaseModel):
    duration_s: float | None = Field(ge=0, allow_inf_nan=False)
    is_estimate: bool


class _Done(BaseModel):
    n_damaged: int = Field(ge=0)


class _Failed(BaseModel):
    expected: str = Field(max_length=MAX_TEXT_CHARS)
    got: str = Field(max_length=MAX_TEXT_CHARS)


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """What one recording may cost. stall_s: without any sign of the decoder.

    The address space of a fresh decoder is 240 MB.
    """

    max_audio_s: float = 4 * 3600.0
    memory_bytes: int = 1 << 30
    stall_s: float = 30.0

    @property
    def cpu_s(self) -> int:
        """Seconds of processor time: decoding takes a small part of the audio's length."""
        return 60 + int(self.max_audio_s / 50)


class Decoding:
    """One media file, decoded in a process of its own. Use as an async context manager, once.

    file: at its beginning, with a descriptor; nobody else may use it meanwhile. Starting takes
    0.1 s (2-core EPYC VM, 2026-11-25). Raises MediaRefusedError, TooLargeError, CapacityError.
    """

    def __init__(self, file: BinaryIO, limits: DecoderLimits) -> None:
        self._file = file
        self._limits = limits
        self.claimed_s: float | None = None
        self.n_damaged = 0

    async def __aenter__(self) -> Self:
        """Start the process; return when it has found audio."""
        try:
            await self._start()
        except OSError as error:  # no process, descriptor or memory left
            raise _no_decoder(error.strerror or "") from None
        try:
            await self._wait_for_start()
            await self._open()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process, wherever it is."""
        await self._end()

    async def blocks(self) -> AsyncGenerator[npt.NDArray[np.float32], None]:
        """Yield the samples, [n] float32 mono 16 kHz, until all are decoded.

        Raises MediaRefusedError, TooLargeError.
        """
        n_samples = 0
        while True:
            kind, data = await self._record()
            if kind is RecordKind.DONE:
                self.n_damaged = _parsed(_Done, data).n_damaged
                return
            if kind is not RecordKind.AUDIO or len(data) % 4:
                raise _refused("records of audio", f"{len(data)} bytes of {kind.name}")
            n_samples += len(data) // 4
            self._check_length(n_samples / SAMPLE_RATE_HZ)
            yield np.frombuffer(data, "<f4").astype(np.float32, copy=False)

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._reader, self._writer = await asyncio.open_unix_connection(
                sock=ours, limit=MAX_RECORD_BYTES
            )
            try:
                # Not asyncio's: its `kill` and its watcher race for the exit status.
                self._process = subprocess.Popen(
                    (*COMMAND, str(self._limits.memory_bytes), str(self._limits.cpu_s)),
                    stdin=self._file,
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    env=ENVIRONMENT,
                )
            except BaseException:
                self._writer.close()
                raise

    async def _wait_for_start(self) -> None:
        """Wait for the process to begin: until then, its end is no fault of the file."""
        try:
            kind, _ = await self._record()
        except MediaRefusedError as error:
            raise _no_decoder(error.message) from None
        if kind is not RecordKind.STARTED:
            raise _no_decoder(f"begins with {kind.name}")

    async def _open(self) -> None:
        kind, data = await self._record()
        if kind is not RecordKind.OPENED:
            raise _refused("a recording", f"a decoder that says {kind.name} first")
        opened = _parsed(_Opened, data)
        self.claimed_s = opened.duration_s
        if opened.duration_s is not None and not opened.is_estimate:
            self._check_length(opened.duration_s)

    async def _record(self) -> tuple[RecordKind, bytes]:
        """Return the next record. Raises what a record of failure says."""
        try:
            async with asyncio.timeout(self._limits.stall_s):
                number, n_bytes = HEADER.unpack(await self._reader.readexactly(HEADER.size))
                if number not in list(RecordKind) or n_bytes > MAX_RECORD_BYTES:
                    raise _refused("a decoder's record", f"kind {number} of {n_bytes} bytes")
                data = await self._reader.readexactly(n_bytes)
        except TimeoutError:
            got = f"nothing for {self._limits.stall_s:g} s"
            raise _refused("a recording that can be decoded", got) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise _refused("a recording that can be decoded", await self._death()) from None
        if number == RecordKind.FAILED:
            failed = _parsed(_Failed, data)
            raise _refused(failed.expected, failed.got)
        return RecordKind(number), data

    async def _death(self) -> str:
        """Say how the process ended that closed its pipe."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            await asyncio.to_thread(self._process.wait, _EXIT_S)
        await self._end()
        code = self._process.returncode
        log.warning("decoder=%s", code)
        if code == -signal.SIGXCPU:
            return f"one that takes more than {self._limits.cpu_s} s of processor time"
        return f"one that ends the decoder ({code})"

    def _check_length(self, seconds: float) -> None:
        if seconds > self._limits.max_audio_s:
            allowed = f"expected at most {self._limits.max_audio_s:g} s of audio"
            raise TooLargeError(f"file: {allowed}, got more", param="file")

    async def _end(self) -> None:
        self._writer.close()
        self._process.kill()  # does nothing where it has ended
        # Shielded: whoever is cancelled here must not leave a zombie.
        await asyncio.shield(asyncio.to_thread(self._process.wait))


def _parsed(model: type[_Record], data: bytes) -> _Record:
    try:
        return model.model_validate_json(data)
    except ValidationError:
        raise _refused("a decoder's record", "something else") from None


def _no_decoder(reason: str) -> CapacityError:
    log.error("decoder=none reason=%s", reason)
    return CapacityError("the server cannot start a decoder now", _RETRY_S)


def _refused(expected: str, got: str) -> MediaRefusedError:
    return MediaRefusedError(f"file: expected {expected}, got {got}", param="file")
