"""A model without mathematics: tokens that depend on what a session heard, and on nothing else."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.random_checkpoint import PARAMS
from voxwire.model.config import ModelConfig
from voxwire.model.delay import N_PREFIX_TOKENS, NO_TOKEN, NOT_FINITE, prompt_tokens
from voxwire.model.mel import Floats, MelStream
from voxwire.server.engine.backend import Backend

CONFIG = ModelConfig.from_params(PARAMS["tiny"])
Ids = npt.NDArray[np.int32]


@dataclass
class FakeSlot:
    """What one slot has heard."""

    delay: int
    n_positions: int = N_PREFIX_TOKENS
    heard: int = 0

    def hear(self, position: Floats) -> int:
        """Return the token of one more position."""
        self.heard = zlib.crc32(position.tobytes(), self.heard)
        self.n_positions += 1
        if not np.isfinite(position).all():
            return NOT_FINITE
        is_prompt = self.n_positions < prompt_tokens(self.delay)
        return NO_TOKEN if is_prompt else self.heard % 1000


@dataclass
class FakeBatch:
    """A batch of such slots. before_pass: may raise, block, or spoil the frames."""

    n_slots: int
    before_pass: Callable[[Sequence[int], Floats], None]
    before_reset: Callable[[], None]
    passes: list[tuple[tuple[int, ...], int]]
    is_lost: bool = False
    slots: dict[int, FakeSlot] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        return self.n_slots

    def widen(self, n_slots: int) -> None:
        self.n_slots = n_slots

    def reset(self, slot: int, delay_tokens: int) -> None:
        assert 0 <= slot < self.n_slots
        self.before_reset()
        self.slots[slot] = FakeSlot(delay_tokens)

    def advance(self, slots: Sequence[int], mel: Floats) -> Ids:
        self.passes.append((tuple(slots), mel.shape[1] // 8))
        self.before_pass(slots, mel)
        positions = mel.reshape(len(slots), -1, 8, mel.shape[2])
        return np.array(
            [[self.slots[s].hear(p) for p in row] for s, row in zip(slots, positions, strict=True)],
            np.int32,
        )

    def advance_guessing(self, slots: Sequence[int], mel: Floats) -> Ids:
        return self.advance(slots, mel)

    def advance_scored(self, slots: Sequence[int], mel: Floats) -> tuple[Ids, Floats]:
        ids = self.advance(slots, mel)
        return ids, (-ids / 1000).astype(np.float32)

    def settle(self) -> None:
        if self.is_lost:
            raise RuntimeError("the caches are lost")


@dataclass
class FakeModel:
    """Loads at once. Set the hooks after the engine has started, to spare its calibration."""

    before_pass: Callable[[Sequence[int], Floats], None] = lambda slots, mel: None
    before_reset: Callable[[], None] = lambda: None
    batches: list[FakeBatch] = field(default_factory=list)
    passes: list[tuple[tuple[int, ...], int]] = field(default_factory=list)
    threads: set[threading.Thread] = field(default_factory=set)
    n_freed: int = 0
    n_released: int = 0
    max_slots: int = 100

    def load(self) -> Backend:
        return Backend(
            CONFIG, Path("tekken.json"), self._make, self.max_slots, self._free, self._release
        )

    def _make(self, n_slots: int) -> FakeBatch:
        self._note()
        batch = FakeBatch(
            n_slots,
            lambda slots, mel: self.before_pass(slots, mel),
            lambda: self.before_reset(),
            self.passes,
        )
        self.batches.append(batch)
        return batch

    def _note(self) -> None:
        self.threads.add(threading.current_thread())

    def _free(self) -> None:
        self._note()
        self.n_freed += 1

    def _release(self) -> None:
        self._note()
        self.n_released += 1


def fake_tokens(samples: Floats, delay_tokens: int) -> list[int]:
    """Return what such a model makes of a recording alone."""
    stream = MelStream(CONFIG, delay_tokens)
    stream.feed(samples)
    stream.flush()
    slot, mel = FakeSlot(delay_tokens), stream.take(stream.n_ready)
    tokens = [slot.hear(position) for position in mel.reshape(-1, 8, mel.shape[1])]
    return [token for token in tokens if token != NO_TOKEN]
