"""Which samples are sound at all. Any one thread; loads neither MLX nor FFmpeg."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# Full scale is 1, or 32768 of who forgot to divide. The power of 1e19 is infinite as a float32, and
# the session with it.
MAX_MAGNITUDE = 1e6
EXPECTED_SOUND = "samples from -1 to 1"


def is_sound(samples: npt.NDArray[np.float32]) -> bool:
    """Tell whether all samples, of any shape, are numbers that the model can hear."""
    return bool((np.abs(samples) <= MAX_MAGNITUDE).all())  # no NaN is


def what_is_none(samples: npt.NDArray[np.float32]) -> str:
    """Return in words the first of samples that are no sound."""
    return f"{samples[~(np.abs(samples) <= MAX_MAGNITUDE)][0]:g}"
