"""Which pools of segments a recording may be drawn from."""

from __future__ import annotations

from .clips import Clip
from .vocabulary import DIGITS


def is_sentence(clip: Clip) -> bool:
    """Tell whether a clip is fluent speech, where a domain word is neither owed nor forbidden.

    "no", "for" and "know", "four" sound alike there, and a transcript tells only how they are
    written; what stands between other words should mostly not be written.
    """
    words = clip.text.split()
    digits = sum(w in DIGITS for w in words)
    return clip.corpus in ("ocean", "lj", "coffee") and 2 * digits < len(words)


def pools_of(clip: Clip) -> list[str]:
    """Return the names of the pools that rows are composed from and this clip belongs to."""
    if clip.corpus == "noise":
        return ["noise"]
    if clip.corpus == "kokoro" and clip.spans:
        return ["kokoro"]
    if not clip.spans or (clip.corpus == "lj"):
        return [f"negative_{clip.corpus}"]
    if clip.corpus == "commands":
        return ["command_digits" if clip.text in DIGITS else "commands"]
    if clip.corpus == "ocean":
        return ["ocean", "negative_ocean"] if is_sentence(clip) else ["ocean", "ocean_strings"]
    return [clip.corpus.split(":")[0] if ":" not in clip.corpus else "synthetic"]
