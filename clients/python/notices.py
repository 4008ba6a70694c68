"""What the client itself has to tell, between the messages of the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from ...protocol.errors import VoxwireError


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection broke, or could not be opened: it is tried again after a while.

    attempt: from 1, counted since something last came. reason: for people.
    """

    attempt: int
    wait_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The session goes on where it was: nothing is lost."""


@dataclass(frozen=True, slots=True)
class Continued:
    """A new session, maybe another server's, goes on with the audio from `at_s`."""

    at_s: float
    model: str


@dataclass(frozen=True, slots=True)
class Gap:
    """The session was lost; what was said from `start_s` to `end_s` may be missing in the text.

    segment: has no final. text: what had been written of it.
    """

    start_s: float
    end_s: float
    segment: int
    text: str


Notice: TypeAlias = Reconnecting | Reconnected | Continued | Gap


class GaveUpError(VoxwireError):
    """The server could not be reached again in the time that was allowed for it."""

    code = "gave_up"
