"""What the engine needs of a model, and how the real one is loaded in the engine's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ...model.config import ModelConfig
from ...model.mel import Floats
from .messages import Ids

MAX_GUESS = 8  # positions of guessed padding verified in one pass


class Batch(Protocol):
    """Rows of caches that advance together: `model.stream.SlotBatch`, or a test's own."""

    @property
    def nbytes(self) -> int:
        """Memory of the caches."""

    def widen(self, n_slots: int) -> None:
        """Add empty slots, up to `n_slots` in all."""

    def reset(self, slot: int, delay_tokens: int) -> None:
        """Make a slot a new session."""

    def advance(self, slots: Sequence[int], mel: Floats) -> Ids:
        """Advance rows by n positions each; return ids [B, n], negative where there is none."""

    def advance_guessing(self, slots: Sequence[int], mel: Floats) -> Ids:
        """Advance as `advance` does, and faster where little is written."""

    def advance_scored(self, slots: Sequence[int], mel: Floats) -> tuple[Ids, Floats]:
        """Advance as `advance` does; return the log-probabilities of the tokens too."""

    def settle(self) -> None:
        """Wait for what was computed; raise where it cannot be."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A loaded model, in the thread that loaded it.

    make_batch: from a number of slots. max_slots: that memory suffices for. free_unused: gives
    back what is kept for later allocations. release: the thread's last act, when all batches are
    dropped.
    """

    config: ModelConfig
    tokenizer_file: Path
    make_batch: Callable[[int], Batch]
    max_slots: int
    free_unused: Callable[[], None]
    release: Callable[[], None]


def load_backend(directory: Path) -> Backend:
    """Load the checkpoint in `directory`. Raises CheckpointError.

    MLX is imported here and not above, so that its thread is the one that calls this.
    """
    from ...model.checkpoint.load import load_checkpoint
    from ...model.device import (
        bound_unused_memory,
        free_memory_bytes,
        free_unused_memory,
        release_thread,
    )
    from ...model.lanes import Lanes, lane_streams
    from ...model.stream import SlotBatch
    from ...model.voxtral import Voxtral

    bound_unused_memory()
    try:
        checkpoint = load_checkpoint(directory)
        model = Voxtral(checkpoint)
    except Exception:
        release_thread()
        raise
    streams = lane_streams(model)
    slot_nbytes = SlotBatch(model, 1, max_guess=MAX_GUESS).full_slot_nbytes
    return Backend(
        config=model.config,
        tokenizer_file=checkpoint.tokenizer_file,
        make_batch=lambda n_slots: Lanes(model, n_slots, streams, max_guess=MAX_GUESS),
        max_slots=max(1, free_memory_bytes() // slot_nbytes),
        free_unused=free_unused_memory,
        release=release_thread,
    )
