"""Read and write one frozen reference: thinned arrays and whole token rows in an npz file."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from tests.parity.compare import Greedy, Ids, Thinned

# Of each row one column in so many is kept; the kept ones turn with the row.
STRIDES = {"mel": 32, "encoder": 16, "adapter": 8, "logits": 16, "streaming_logits": 32}


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

    def save(self, path: Path) -> None:
        """Write a compressed npz."""
        arrays = {f"{name}_kept": getattr(self, name).kept for name in STRIDES}
        arrays |= {f"{name}_peak": getattr(self, name).peak for name in STRIDES}
        arrays |= {field.name: getattr(self.greedy, field.name) for field in fields(Greedy)}
        np.savez_compressed(path, **arrays, streaming_tokens=self.streaming_tokens)

    @classmethod
    def load(cls, path: Path) -> FrozenReference:
        """Read what save wrote."""
        with np.load(path) as file:
            thinned = {
                name: Thinned(file[f"{name}_kept"], file[f"{name}_peak"], stride)
                for name, stride in STRIDES.items()
            }
            greedy = Greedy(**{field.name: file[field.name] for field in fields(Greedy)})
            return cls(**thinned, greedy=greedy, streaming_tokens=file["streaming_tokens"])
