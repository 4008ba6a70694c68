"""Measure what a checkpoint costs: seconds and memory to load it, and to advance one position."""

from __future__ import annotations

import re
import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx
import numpy as np

from .cache import RingCache
from .checkpoint.load import load_checkpoint
from .conditioning import delay_rows
from .config import CONV_STRIDE
from .delay import BOS_ID
from .mel import Floats
from .voxtral import Voxtral

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one checkpoint cost in one process. Peaks count the whole process, from its start.

    n_weight_bytes: of the weights as they are kept. load_s: read, checked and converted.
    build_s: merged into the working form. step_s: one position (80 ms) of one row, the fastest of
    a few. *_cpu_s: the same in processor time, which other programs do not stretch.
    """

    layout: str
    dtype: str
    n_quantised: int
    n_file_bytes: int
    n_weight_bytes: int
    load_s: float
    load_cpu_s: float
    load_peak_bytes: int
    build_s: float
    step_s: float
    step_cpu_s: float
    peak_bytes: int


def measure(directory: Path, n_steps: int = 3) -> Cost:
    """Load the checkpoint in `directory`, and advance one row by single positions.

    Memory peaks mean something in a fresh process only. Model thread only. Raises
    CheckpointError, and FloatingPointError where the logits are not finite.
    """
    watch = _Watch()
    checkpoint = load_checkpoint(directory)
    load_s, load_cpu_s = watch.lap()
    load_peak_bytes = peak_memory_bytes()
    n_weight_bytes = sum(array.nbytes for array in checkpoint.weights.values())
    watch.lap()
    model = Voxtral(checkpoint)
    build_s, _ = watch.lap()
    step_s, step_cpu_s = min(_step(model, watch, seed) for seed in range(n_steps))
    return Cost(
        layout=checkpoint.layout,
        dtype=str(checkpoint.dtype).rpartition(".")[2],
        n_quantised=len(checkpoint.quantised),
        n_file_bytes=sum(file.stat().st_size for file in directory.glob("*.safetensors")),
        n_weight_bytes=n_weight_bytes,
        load_s=load_s,
        load_cpu_s=load_cpu_s,
        load_peak_bytes=load_peak_bytes,
        build_s=build_s,
        step_s=step_s,
        step_cpu_s=step_cpu_s,
        peak_bytes=peak_memory_bytes(),
    )


class _Watch:
    """Seconds on the wall and of processor time."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def lap(self) -> tuple[float, float]:
        """Return both since the last lap."""
        wall_s, cpu_s = self._wall_s, self._cpu_s
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()
        return self._wall_s - wall_s, self._cpu_s - cpu_s


def _step(model: Voxtral, watch: _Watch, seed: int) -> tuple[float, float]:
    """Run one position of random mel; return its seconds."""
    shape = (1, model.config.frames_per_token, model.config.audio.n_mels)
    mel = np.random.default_rng(seed).uniform(-0.6, 0.4, shape).astype(np.float32)
    watch.lap()
    logits = forward_position(model, mel)
    seconds = watch.lap()
    if not np.isfinite(logits).all():
        raise FloatingPointError("expected finite logits")
    return seconds


def forward_position(model: Voxtral, mel: Floats) -> Floats:
    """Run one position with no past through all stages; return its logits [vocabulary].

    mel: [1, frames_per_token, n_mels] float32.
    """
    row = np.zeros(1, np.int64)
    encoder = RingCache(model.encoder_rings(), 1, model.dtype)
    step = encoder.begin(row, mel.shape[1] // CONV_STRIDE)
    frames = model.encode(mx.array(mel), encoder, step, begin=True)
    audio = model.adapt(frames)
    encoder.commit(step, audio)
    decoder = RingCache(model.decoder_rings(), 1, model.dtype)
    step = decoder.begin(row, 1)
    delays = mx.array(delay_rows([model.config.default_delay_tokens]))
    logits = model.decode(audio, mx.array([[BOS_ID]]), delays, decoder, step)
    decoder.commit(step, logits)
    return np.array(logits[0, 0].astype(mx.float32))


def peak_memory_bytes() -> int:
    """Return the most memory that this process has held so far.

    On Linux from the kernel's own mark for this program: `getrusage` counts the parent's before
    the program was started. Elsewhere the larger of that and of what MLX allocated, which a GPU
    may hold outside.
    """
    if _STATUS.exists():
        match = re.search(r"VmHWM:\s*(\d+) kB", _STATUS.read_text())
        if match:
            return int(match[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return max(resident, mx.get_peak_memory())
