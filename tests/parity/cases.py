"""List the recordings and checkpoints that both implementations are run on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.parity.signals import Samples, recording
from tests.random_checkpoint import PARAMS, Params, Weights, make_params, random_weights
from voxwire.server.media import Media

FROZEN = Path(__file__).parent / "frozen"
VOICES = Path(__file__).parents[1] / "data" / "voices"
# Sums differ by the last bit between machines; another random stream differs by far more.
FINGERPRINT_TOLERANCE = 1e-6


def _odd_constants() -> Params:
    """Give encoder and decoder constants of their own, so that none can be hard-coded."""
    params = make_params((32, 2, 2, 16, 64, 40), (48, 2, 3, 1, 16, 96, 30), ada_dim=8)
    args = params["multimodal"]["whisper_model_args"]["encoder_args"]
    args |= {"rope_theta": 5000.0, "norm_eps": 0.01}
    return params | {"rope_theta": 300.0, "norm_eps": 0.1}


SHAPES: dict[str, Params] = PARAMS | {
    # The shape of the peers' benchmark checkpoint; its windows hold the whole left padding.
    "peers": make_params((128, 4, 2, 64, 384, 128), (192, 2, 3, 3, 64, 576, 128), ada_dim=16),
    "odd-constants": _odd_constants(),
}


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A recording made by NumPy."""

    seconds: float
    seed: int

    @property
    def name(self) -> str:
        """Return a name fit for a file."""
        return f"{self.seconds:g}s"

    def samples(self) -> Samples:
        """Make the recording, float32 mono at 16 kHz."""
        return recording(self.seconds, self.seed)


@dataclass(frozen=True, slots=True)
class Voice:
    """A bundled recording of a person."""

    file: str  # in VOICES; PCM16 at 16 kHz, so that decoding rounds nothing

    @property
    def name(self) -> str:
        """Return a name fit for a file."""
        return Path(self.file).stem

    def samples(self) -> Samples:
        """Decode the recording, float32 mono at 16 kHz."""
        with Media(VOICES / self.file) as media:
            return np.concatenate(list(media.blocks()))


@dataclass(frozen=True, slots=True)
class Case:
    """One random checkpoint and one recording."""

    shape: str  # a key of SHAPES
    weights_seed: int
    audio: Synthetic | Voice
    delay_ms: int

    @property
    def name(self) -> str:
        """Return a name fit for a file."""
        return f"{self.shape}-{self.audio.name}-{self.delay_ms}ms"

    @property
    def params(self) -> Params:
        """Return the params.json."""
        return SHAPES[self.shape]

    def weights(self) -> Weights:
        """Make the float32 weights."""
        return random_weights(self.params, self.weights_seed)

    def samples(self) -> Samples:
        """Make or read the recording, float32 mono at 16 kHz."""
        return self.audio.samples()

    def describe(self) -> dict[str, Any]:
        """Return what a manifest records of the inputs: enough to notice that they changed."""
        return asdict(self) | {
            "weights_sums": fingerprint(*self.weights().values()),
            "samples_sums": fingerprint(self.samples()),
        }


# Each recording is longer than both windows of its shape; lengths are no multiple of 80 ms.
FROZEN_CASES = (
    Case("tiny", 11, Synthetic(6.013, 21), 480),
    Case("wide-heads", 12, Synthetic(8.5, 22), 80),
    Case("one-kv-head", 13, Synthetic(9.99, 23), 960),
    Case("all-heads", 14, Synthetic(7.2, 24), 2400),
    Case("all-heads", 14, Synthetic(7.2, 24), 160),
    Case("peers", 15, Synthetic(14.029, 25), 480),
    Case("odd-constants", 16, Synthetic(5.3, 26), 240),
    Case("wide-heads", 17, Voice("fsdd-jackson-70236.flac"), 480),
)


def fingerprint(*arrays: npt.NDArray[Any]) -> list[float]:
    """Return the sum and the sum of squares of all elements, in float64."""
    flat = [array.astype(np.float64).ravel() for array in arrays]
    return [float(sum(a.sum() for a in flat)), float(sum((a**2).sum() for a in flat))]
