"""What every driver shares: take the recording in three ways, time it, write tokens and times.

Runs in each peer's own environment: the standard library and NumPy only.

usage: python -m tests.bench.peers.drive_PEER JOB.json RESULT.json
JOB.json: {"checkpoint", "wav", "groups": {"16": seconds, ...}}
"""

from __future__ import annotations

import json
import resource
import sys
import time
import traceback
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Ids = list[int]

RATE_HZ = 16_000
CHUNK_SAMPLES = 1280  # 80 ms
_WARM_UP_CHUNKS = 40


class Stream(Protocol):
    """One live stream."""

    @property
    def tokens(self) -> Ids:
        """Return what was sampled so far."""

    def push(self, chunk: Samples) -> None:
        """Take 80 ms, and write whatever can be written."""

    def finish(self) -> None:
        """Write the rest."""


class Group(Protocol):
    """Streams of one process that go on together."""

    def push(self, chunks: Sequence[Samples]) -> None:
        """Take 80 ms of every stream."""

    def finish(self) -> None:
        """Write the rest of every stream."""

    def tokens(self) -> list[Ids]:
        """Return what each stream sampled."""


class Engine(Protocol):
    """A loaded model."""

    def group(self, n_streams: int) -> Group:
        """Begin streams."""

    def file(self, wav: str) -> Ids:
        """Transcribe a whole file as its users do; return the tokens."""


class OneByOne:
    """Streams that know nothing of each other, served in turn."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = streams

    def push(self, chunks: Sequence[Samples]) -> None:
        """Push to one after another."""
        for stream, chunk in zip(self._streams, chunks, strict=True):
            stream.push(chunk)

    def finish(self) -> None:
        """Finish one after another."""
        for stream in self._streams:
            stream.finish()

    def tokens(self) -> list[Ids]:
        """Return what each stream sampled."""
        return [[int(token) for token in stream.tokens] for stream in self._streams]


def read_wav(path: str) -> Samples:
    """Read a mono 16-bit WAV file, [n] float32."""
    with wave.open(path) as file:
        data = file.readframes(file.getnframes())
    samples: Samples = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
    return samples


def main(load: Any) -> None:
    """Do the job that the command line names. load: from a checkpoint's folder to an Engine.

    What a peer cannot do is written as its error beside what it can.
    """
    job, out = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    result: dict[str, Any] = {"groups": {}, "errors": {}}
    try:
        for _ in _parts(load(job["checkpoint"]), job, result):
            _write(result, out)  # at once: the driver may be stopped before it is done
    except Exception:
        result["errors"]["load"] = _last_line()
        _write(result, out)


def _parts(engine: Engine, job: dict[str, Any], result: dict[str, Any]) -> Iterator[None]:
    """Do one part of the job after another, and yield after each."""
    samples = read_wav(job["wav"])
    try:
        result["file"] = _time_file(engine, job["wav"], len(samples) / RATE_HZ)
    except Exception:
        result["errors"]["file"] = _last_line()
    yield
    for n, seconds in job["groups"].items():
        try:
            result["groups"][n] = _time_group(engine, samples, int(n), seconds)
        except Exception:
            result["errors"][f"{n} streams"] = _last_line()
        yield


def _write(result: dict[str, Any], out: Path) -> None:
    result["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    out.write_text(json.dumps(result))


def _time_group(engine: Engine, samples: Samples, n: int, seconds: float) -> dict[str, Any]:
    """Push 80 ms to each stream, round by round, as fast as they are taken."""
    n_chunks = int(seconds * RATE_HZ) // CHUNK_SAMPLES
    # Stream 0 hears the recording from its start, the others from elsewhere on.
    starts = [len(samples) * row // n // CHUNK_SAMPLES for row in range(n)]
    chunks = samples[: len(samples) // CHUNK_SAMPLES * CHUNK_SAMPLES].reshape(-1, CHUNK_SAMPLES)
    _push_all(engine.group(n), chunks, starts, _WARM_UP_CHUNKS)
    group = engine.group(n)
    watch = _Watch()
    rounds_ms = _push_all(group, chunks, starts, n_chunks)
    return {
        **watch.rates(n * n_chunks * CHUNK_SAMPLES / RATE_HZ),
        "round_ms": float(np.median(rounds_ms)),
        "round_p99_ms": float(np.quantile(rounds_ms, 0.99)),
        "tokens": group.tokens()[0],
    }


def _push_all(group: Group, chunks: Samples, starts: Sequence[int], n_chunks: int) -> list[float]:
    rounds_ms = []
    for at in range(n_chunks):
        started_s = time.perf_counter()
        group.push([chunks[(start + at) % len(chunks)] for start in starts])
        rounds_ms.append(1e3 * (time.perf_counter() - started_s))
    group.finish()
    return rounds_ms


def _time_file(engine: Engine, wav: str, seconds: float) -> dict[str, Any]:
    engine.file(wav)  # the first call warms up
    watch = _Watch()
    tokens = engine.file(wav)
    return {**watch.rates(seconds), "tokens": tokens}


class _Watch:
    """Seconds on the wall and of processor time since its making, all threads together."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def rates(self, audio_s: float) -> dict[str, float]:
        """Return how much audio was taken in a second of each."""
        wall_s = time.perf_counter() - self._wall_s
        return {
            "audio_s_per_s": audio_s / wall_s,
            "audio_s_per_cpu_s": audio_s / (time.process_time() - self._cpu_s),
        }


def _last_line() -> str:
    traceback.print_exc()
    return traceback.format_exc().strip().splitlines()[-1]
