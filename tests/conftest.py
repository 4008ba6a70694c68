"""Import the model room before any test imports MLX, so that MLX finds the BLAS it loads."""

from __future__ import annotations

import voxwire.model  # noqa: F401
