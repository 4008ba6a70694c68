"""How many bytes a stretch of audio is, by a session's settings."""

from __future__ import annotations

from ...protocol.native.parameters import Parameters
from ...protocol.session import Encoding

RATE_HZ = 16000  # where the settings do not say

_SAMPLE_BYTES = {Encoding.PCM16: 2, Encoding.FLOAT32: 4, Encoding.MULAW: 1, Encoding.ALAW: 1}


def frame_bytes(settings: Parameters) -> int:
    """Return the size of one sample of every channel."""
    encoding = settings.encoding or Encoding.PCM16
    return _SAMPLE_BYTES[encoding] * (settings.channels or 1)


def bytes_per_s(settings: Parameters) -> int:
    """Return the size of a second."""
    return (settings.sample_rate or RATE_HZ) * frame_bytes(settings)
