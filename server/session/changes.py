"""Which settings of a session may change, and when."""

from __future__ import annotations

from ...protocol.errors import InvalidRequestError
from ...protocol.session import Configure, PadEndpoint, SessionSettings, VadEndpoint


def check_change(now: SessionSettings, request: Configure, *, had_pads: bool) -> None:
    """Raise InvalidRequestError for what cannot change once audio came.

    had_pads: some of that audio was heard while pads could close segments.
    """
    wanted = request.settings
    for name in ("delay_ms", "wants_scores"):
        if getattr(wanted, name) != getattr(now, name):
            message = f"{name} can change before the first audio only"
            raise InvalidRequestError(message, param=name, ref=request.ref)
    is_vad, wants_vad = (isinstance(each.endpoint, VadEndpoint) for each in (now, wanted))
    if (is_vad and isinstance(wanted.endpoint, PadEndpoint)) or (wants_vad and had_pads):
        # Who numbers the segments, and when, would change with it.
        message = "pads and voice activity detection change places before the first audio only"
        raise InvalidRequestError(message, param="endpoint", ref=request.ref)
