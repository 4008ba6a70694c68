"""Streaming speech to text on MLX.

Rooms: `model` (maths and checkpoints), `protocol` (wire formats), `server` (sessions and the
command line). Importing the package itself imports none of them.
"""

from __future__ import annotations

__version__ = "0.1.0"
