"""The native dialect of `/v1/stream`: messages, their documents, and how a session speaks them.

A client sends audio as binary frames (or base64 in an `audio` message) and JSON text frames; the
server sends JSON text frames. What may be added later, and what clients must therefore ignore:
message types and fields they do not know.
"""

from .dialect import Native

__all__ = ["Native"]
