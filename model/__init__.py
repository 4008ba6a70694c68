"""The model: maths, caches and checkpoint files. The only room that imports MLX.

Importing it loads an optimised BLAS first: MLX binds its BLAS symbols when it is imported.
"""

from __future__ import annotations

from . import blas

blas.load()
