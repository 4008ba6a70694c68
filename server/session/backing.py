"""What all sessions of a server share."""

from __future__ import annotations

from dataclasses import dataclass

from ...model.tekken import Tekken
from ..engine.engine import Engine
from ..metrics import Metrics


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What the operator allows one session. max_s: of audio; 0 for endless.

    stuck_after_s: of speech without text, after which the decoder begins anew; 0 never.
    """

    max_segment_s: float = 120.0
    max_s: float = 0.0
    stuck_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Backing:
    """What all sessions of a server work with. default_delay_ms: of those that ask for none."""

    engine: Engine
    tekken: Tekken
    limits: SessionLimits
    default_delay_ms: int
    metrics: Metrics
