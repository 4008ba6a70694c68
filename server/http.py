"""HTTP as uvicorn speaks it, but for one fault that keeps clients out."""

from __future__ import annotations

from uvicorn.protocols.http.h11_impl import H11Protocol


class Http(H11Protocol):
    """Sees that a WebSocket is asked for, also where a client sends two Connection headers.

    HTTP libraries add a `Connection: keep-alive` of their own to a handshake (LiveKit's plugin for
    Mistral does). Fields of one name are one list (RFC 9110, 5.3); uvicorn 0.54 reads the last
    alone, and answers 404.
    """

    def _get_upgrade(self) -> bytes | None:
        connection = b",".join(value for name, value in self.headers if name == b"connection")
        if b"upgrade" not in [token.strip() for token in connection.lower().split(b",")]:
            return None
        return next((value.lower() for name, value in self.headers if name == b"upgrade"), None)
