"""Hold, save and load what transformers made of one case, whole or thinned, to judge ours by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.parity.compare import Greedy, Ids, Thinned

if TYPE_CHECKING:  # one needs torch, the other MLX
    from tests.parity.ours import Observed
    from tests.parity.reference import Reference

# Of each row one column in so many is kept; the kept ones turn with the row.
STRIDES = {"mel": 32, "encoder": 16, "adapter": 8, "logits": 16, "streaming_logits": 32}
WHOLE = dict.fromkeys(STRIDES, 1)
ROWS_PER_POSITION = {"mel": 8, "encoder": 4, "adapter": 1}


@dataclass(frozen=True, slots=True)
class FrozenReference:
    """What transformers made of one case, as far as it is kept."""

    mel: Thinned  # 8 N rows
    encoder: Thinned  # 4 N rows
    adapter: Thinned  # N rows
    logits: Thinned  # a row for each sampled token, offline
    streaming_logits: Thinned  # the same of the run fed 80 ms at a time
    greedy: Greedy
    streaming_tokens: Ids

    @classmethod
    def of(cls, reference: Reference, strides: Mapping[str, int]) -> FrozenReference:
        """Keep one column in strides[stage] of every row."""
        return cls(
            **{name: Thinned.of(getattr(reference, name), strides[name]) for name in STRIDES},
            greedy=Greedy.of(reference.logits),
            streaming_tokens=reference.streaming_tokens,
        )

    def errors(self, observed: Observed) -> dict[str, float]:
        """Return by stage the largest relative error of any row."""
        first = len(self.adapter.peak) - len(observed.adapter)  # position
        errors = {
            name: getattr(self, name).errors(getattr(observed, name), first * n_rows)
            for name, n_rows in ROWS_PER_POSITION.items()
        }
        errors["logits"] = self.logits.errors(observed.logits)
        errors["streaming_logits"] = self.streaming_logits.errors(observed.logits)
        return {name: float(rows.max()) for name, rows in errors.items()}

    def unexcused(self, tokens: Ids, window: int) -> list[int]:
        """Return the steps that differ, without a tie, from the offline or the streaming run."""
        streaming = replace(self.greedy, tokens=self.streaming_tokens)
        return self.greedy.unexcused(tokens, window) + streaming.unexcused(tokens, window)

    def save(self, path: Path) -> None:
        """Write a compressed npz."""
        arrays = {f"{name}_kept": getattr(self, name).kept for name in STRIDES}
        arrays |= {f"{name}_peak": getattr(self, name).peak for name in STRIDES}
        arrays |= {field.name: getattr(self.greedy, field.name) for field in fields(Greedy)}
        np.savez_compressed(path, **arrays, streaming_tokens=self.streaming_tokens)

    @classmethod
    def load(cls, path: Path) -> FrozenReference:
        """Read what save wrote with STRIDES."""
        with np.load(path) as file:
            thinned = {
                name: Thinned(file[f"{name}_kept"], file[f"{name}_peak"], stride)
                for name, stride in STRIDES.items()
            }
            greedy = Greedy(**{field.name: file[field.name] for field in fields(Greedy)})
            return cls(**thinned, greedy=greedy, streaming_tokens=file["streaming_tokens"])
