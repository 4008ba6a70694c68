"""How much of what a client said came: what it need not say again on another connection."""

from __future__ import annotations

from dataclasses import replace

from ...protocol.session import Audio, KeepAlive, Received, Reply, Request

_TOLD_EVERY_S = 0.5  # of audio


class Receipts:
    """Counts requests, refused ones too; tells now and then. Plain Python, one thread."""

    def __init__(self) -> None:
        self.received = self._told = Received(0, 0)
        self._is_over = False

    def stop(self) -> None:
        """Count no more: what comes from here on, the client says again, to another server."""
        self._is_over = True

    def count(self, request: Request, bytes_per_s: int) -> Received | None:
        """Count a request; return what to tell the client, if it is time to.

        bytes_per_s: of the client's audio.
        """
        if self._is_over:
            return None
        came = self.received
        if isinstance(request, Audio):
            self.received = replace(came, n_bytes=came.n_bytes + len(request.data))
        elif not isinstance(request, KeepAlive | Reply):
            self.received = replace(came, n_controls=came.n_controls + 1)
        is_control = self.received.n_controls > self._told.n_controls
        n_untold = self.received.n_bytes - self._told.n_bytes
        if not is_control and n_untold < _TOLD_EVERY_S * bytes_per_s:
            return None
        self._told = self.received
        return self._told
