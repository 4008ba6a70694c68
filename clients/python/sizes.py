"""How many bytes a stretch of audio is, by a session's settings, and how it is cut."""

from __future__ import annotations

from ...protocol.native.parameters import Parameters
from ...protocol.session import Encoding

RATE_HZ = 16000  # where the settings do not say
PIECE_BYTES = 16_000  # sent as one message: what a broken connection loses of its work

_SAMPLE_BYTES = {Encoding.PCM16: 2, Encoding.FLOAT32: 4, Encoding.MULAW: 1, Encoding.ALAW: 1}


def frame_bytes(settings: Parameters) -> int:
    """Return the size of one sample of every channel."""
    encoding = settings.encoding or Encoding.PCM16
    return _SAMPLE_BYTES[encoding] * (settings.channels or 1)


def bytes_per_s(settings: Parameters) -> int:
    """Return the size of a second."""
    return (settings.sample_rate or RATE_HZ) * frame_bytes(settings)


class Cutter:
    """Cuts audio into messages of whole frames, so that a session may end after any of them."""

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, data: bytes, settings: Parameters) -> list[bytes]:
        """Return the messages that can be sent of `data`, and of what was left before."""
        data, n_frame = self._rest + data, frame_bytes(settings)
        n_whole = len(data) - len(data) % n_frame
        self._rest = data[n_whole:]
        step = PIECE_BYTES - PIECE_BYTES % n_frame
        return [data[at : min(at + step, n_whole)] for at in range(0, n_whole, step)]

    def rest(self) -> list[bytes]:
        """Return what is left: a part of a frame, if anything."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []
