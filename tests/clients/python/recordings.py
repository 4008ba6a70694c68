"""The bundled recording as the client sends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from voxwire.clients.python.sources import file_pieces
from voxwire.model.checkpoint.hub import EMBEDDED

RECORDING = EMBEDDED / "demo" / "digits.flac"
SPOKEN = (EMBEDDED / "demo" / "digits.txt").read_text().strip()


async def pcm_pieces() -> AsyncIterator[bytes]:
    """Yield the recording as PCM16 at 16 kHz, at once."""
    async for piece in file_pieces(RECORDING, is_paced=False, stop=asyncio.Event()):
        yield piece
