"""What a step costs by the number of rows, against the matrix products alone."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
from rich.table import Table

from tests.bench.company import Company
from tests.bench.floor import Floor, peak_gflops
from tests.bench.operations import VIEWS, counted
from tests.bench.products import step_products
from tests.bench.progress import shown
from tests.bench.recording import POSITION_SAMPLES, record
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.model.config import ModelConfig
from voxwire.model.mel import MelStream, frames_of
from voxwire.server.engine.backend import Backend, load_backend

_POSITION_S = 0.08
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_ROWS_SHORT = (1, 16, 64)
_MIN_STEPS, _MAX_STEPS = 12, 200
_CHUNK_STEPS = 4  # between which the floor is timed, so that a busy moment meets both


def measure(short: bool) -> dict[str, Any]:
    """Time steps of each number of rows; returns what `tables` shows. MLX thread only."""
    backend = load_backend(EMBEDDED)
    seconds = 0.7 if short else 4.0
    rows = [_row(backend, n, seconds) for n in shown(_ROWS_SHORT if short else _ROWS, "step")]
    return {"peak_gflops": round(peak_gflops(), 1), "rows": rows}


def _row(backend: Backend, n_rows: int, seconds: float) -> dict[str, Any]:
    company = Company(backend, n_rows)
    products = step_products(backend.config, n_rows)
    floor = Floor(products)
    weights = Floor([product for product in products if product.is_weight])
    step_s: list[float] = []
    floor_s: list[float] = []
    weights_s: list[float] = []
    until_s = time.perf_counter() + seconds
    while len(step_s) < _MIN_STEPS or (time.perf_counter() < until_s and len(step_s) < _MAX_STEPS):
        step_s += [_step_s(company) for _ in range(_CHUNK_STEPS)]
        floor_s += [floor.run_s() for _ in range(_CHUNK_STEPS)]
        weights_s += [weights.run_s() for _ in range(_CHUNK_STEPS)]
    step, bare, bare_weights = map(statistics.median, (step_s, floor_s, weights_s))
    with counted() as operations:
        _step_s(company)
    return {
        "n_rows": n_rows,
        "step_ms": round(1e3 * step, 3),
        "step_p99_ms": round(1e3 * float(np.quantile(step_s, 0.99)), 3),
        "mel_ms": round(1e3 * _mel_s(backend.config, n_rows), 3),
        "floor_ms": round(1e3 * bare, 3),
        "weights_floor_ms": round(1e3 * bare_weights, 3),
        "floor_gflops": round(floor.n_flops / bare / 1e9, 1),
        "n_operations": operations.total(),
        "n_operations_but_views": sum(n for name, n in operations.items() if name not in VIEWS),
        "n_steps": len(step_s),
    }


def _step_s(company: Company) -> float:
    mel = company.mel()
    started_s = time.perf_counter()
    company.batch.advance(company.slots, mel)
    return time.perf_counter() - started_s


def _mel_s(config: ModelConfig, n_rows: int) -> float:
    """Return the seconds of framing one position of every row, as the engine does it."""
    streams = [MelStream(config, config.default_delay_tokens) for _ in range(n_rows)]
    seconds = []
    for piece in record(1).samples.reshape(-1, POSITION_SAMPLES):
        started_s = time.perf_counter()
        for stream in streams:
            stream.feed(piece)
        frames_of([stream.cut(1) for stream in streams], config.audio)
        seconds.append(time.perf_counter() - started_s)
    return statistics.median(seconds)


def tables(result: dict[str, Any]) -> list[Table]:
    """Show the measurements, one row for each number of rows."""
    title = f"step: one position (80 ms) of every row; BLAS at best {result['peak_gflops']} GFLOP/s"
    table = Table(title=title)
    for heading in (
        "rows",
        "ms/step",
        "p99",
        "ms/row",
        "floor ms",
        "x floor",
        "weights only",
        "x",
        "mel ms",
        "audio s/s",
        "operations",
        "but views",
    ):
        table.add_column(heading, justify="right")
    for row in result["rows"]:
        n, step_ms, floor_ms = row["n_rows"], row["step_ms"], row["floor_ms"]
        table.add_row(
            f"{n}",
            f"{step_ms:.2f}",
            f"{row['step_p99_ms']:.2f}",
            f"{step_ms / n:.3f}",
            f"{floor_ms:.2f}",
            f"{step_ms / floor_ms:.2f}",
            f"{row['weights_floor_ms']:.2f}",
            f"{step_ms / row['weights_floor_ms']:.2f}",
            f"{row['mel_ms']:.2f}",
            f"{n * _POSITION_S / (step_ms + row['mel_ms']) * 1e3:.0f}",
            f"{row['n_operations']}",
            f"{row['n_operations_but_views']}",
        )
    return [table]
