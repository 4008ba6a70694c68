"""How much audio a client has appended since the last commit, in its own clock."""

from __future__ import annotations

from ..session import AudioFormat, Encoding

MIN_COMMIT_MS = 100.0  # OpenAI's own
_BYTES = {Encoding.PCM16: 2, Encoding.FLOAT32: 4, Encoding.MULAW: 1, Encoding.ALAW: 1}


class InputBuffer:
    """Counts only: the audio itself is the session's."""

    def __init__(self) -> None:
        self._received_ms = 0.0
        self._committed_ms = 0.0

    def append(self, n_bytes: int, form: AudioFormat) -> None:
        """Count audio that was received."""
        bytes_per_s = _BYTES[form.encoding] * form.n_channels * form.rate_hz
        self._received_ms += 1000.0 * n_bytes / bytes_per_s

    @property
    def length_ms(self) -> float:
        """Audio that a commit would take."""
        return max(0.0, self._received_ms - self._committed_ms)

    def empty(self) -> None:
        """Count all that was received as committed, or as dropped."""
        self._committed_ms = self._received_ms

    def committed_until(self, at_s: float) -> None:
        """Count audio up to this time of the session as committed, by the server itself."""
        self._committed_ms = max(self._committed_ms, min(at_s * 1000.0, self._received_ms))
