"""How much of what a client said came: what it need not say again on another connection."""

from __future__ import annotations

from dataclasses import replace

from ...protocol.session import Audio, KeepAlive, Received, Reply, Request

_TOLD_BYTES = 16_000  # half a second of PCM16


class Receipts:
    """Counts requests, refused ones too; tells now and then. Plain Python, one thread."""

    def __init__(self) -> None:
        self.received = self._told = Received(0, 0)

    def count(self, request: Request) -> Received | None:
        """Count a request; return what to tell the client, if it is time to."""
        came = self.received
        if isinstance(request, Audio):
            self.received = replace(came, n_bytes=came.n_bytes + len(request.data))
        elif not isinstance(request, KeepAlive | Reply):
            self.received = replace(came, n_controls=came.n_controls + 1)
        is_control = self.received.n_controls > self._told.n_controls
        if not is_control and self.received.n_bytes - self._told.n_bytes < _TOLD_BYTES:
            return None
        self._told = self.received
        return self._told
