"""What passes between a session and the dialect that its client speaks: requests in, events out.

A session knows no wire format and a dialect no session: both know these. Times are in seconds or
milliseconds of the session's own audio clock, which starts at its first sample and never restarts.
"""

from __future__ import annotations

from .events import (
    Cleared,
    CloseReason,
    Committed,
    Configured,
    Draining,
    Ended,
    Event,
    Final,
    HeardWord,
    Lag,
    Partial,
    Received,
    RequestRefused,
    Score,
    SpeechStarted,
    SpeechStopped,
    Warned,
)
from .requests import (
    Audio,
    Clear,
    Commit,
    Configure,
    Finish,
    KeepAlive,
    Reply,
    Request,
)
from .settings import (
    DELAYS_MS,
    MAX_CHANNELS,
    MAX_PAUSE_MS,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    AudioFormat,
    Encoding,
    Endpoint,
    PadEndpoint,
    SessionSettings,
    VadEndpoint,
)

__all__ = [
    "DELAYS_MS",
    "MAX_CHANNELS",
    "MAX_PAUSE_MS",
    "MAX_RATE_HZ",
    "MIN_RATE_HZ",
    "Audio",
    "AudioFormat",
    "Clear",
    "Cleared",
    "CloseReason",
    "Commit",
    "Committed",
    "Configure",
    "Configured",
    "Draining",
    "Encoding",
    "Ended",
    "Endpoint",
    "Event",
    "Final",
    "Finish",
    "HeardWord",
    "KeepAlive",
    "Lag",
    "PadEndpoint",
    "Partial",
    "Received",
    "Reply",
    "Request",
    "RequestRefused",
    "Score",
    "SessionSettings",
    "SpeechStarted",
    "SpeechStopped",
    "VadEndpoint",
    "Warned",
]
