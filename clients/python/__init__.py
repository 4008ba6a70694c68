"""A client of `/v1/stream` for programs: `stream` for the usual case, `connect` for all else.

Both connect again by themselves, and tell it by notices between the server's messages.
"""

from ...protocol.native.messages import Final, Partial
from .client import Connection, connect, stream
from .inbox import Heard
from .notices import Continued, Gap, GaveUpError, Notice, Reconnected, Reconnecting
from .persistence import Persistence

__all__ = [
    "Connection",
    "Continued",
    "Final",
    "Gap",
    "GaveUpError",
    "Heard",
    "Notice",
    "Partial",
    "Persistence",
    "Reconnected",
    "Reconnecting",
    "connect",
    "stream",
]
