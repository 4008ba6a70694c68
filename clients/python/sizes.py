"""How many bytes a stretch of audio is, by a session's settings, and how it is cut."""

from __future__ import annotations

from ...protocol.native.parameters import Parameters
from ...protocol.session import AudioFormat, Encoding

RATE_HZ = 16000  # where the settings do not say
PIECE_BYTES = 16_000  # sent as one message: what a broken connection loses of its work


def format_of(settings: Parameters) -> AudioFormat:
    """Return what a session's audio is; what the settings do not say is what it is at first."""
    return AudioFormat(
        settings.encoding or Encoding.PCM16, settings.sample_rate or RATE_HZ, settings.channels or 1
    )


class Cutter:
    """Cuts audio into messages of whole frames, so that a session may end after any of them."""

    def __init__(self) -> None:
        self._rest = b""

    def cut(self, data: bytes, settings: Parameters) -> list[bytes]:
        """Return the messages that can be sent of `data`, and of what was left before."""
        data, n_frame = self._rest + data, format_of(settings).frame_bytes
        n_whole = len(data) - len(data) % n_frame
        self._rest = data[n_whole:]
        step = PIECE_BYTES - PIECE_BYTES % n_frame
        return [data[at : min(at + step, n_whole)] for at in range(0, n_whole, step)]

    def rest(self) -> list[bytes]:
        """Return what is left: a part of a frame, if anything."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []
