"""What a client asks of its session. ref: its own id of the message, echoed where it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .settings import SessionSettings


@dataclass(frozen=True, slots=True)
class Configure:
    """Change the settings, all at once; answered by Configured. The delay: before audio only."""

    settings: SessionSettings
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Audio:
    """Bytes in the session's format, cut anywhere, within a sample too."""

    data: bytes
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """Close the segment with all that was sent before; answered by Committed, then Final."""

    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Clear:
    """Drop the audio of the open segment, and what was heard in it; answered by Cleared."""

    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """No audio will follow; answered by the last Final and Ended."""

    ref: str | None = None


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The client is still there."""

    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the dialect answers by itself, in its place among the session's events."""

    message: str | bytes


Request: TypeAlias = Configure | Audio | Commit | Clear | Finish | KeepAlive | Reply
