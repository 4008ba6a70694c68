"""How a peer's tokens differ from ours, and why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TIE = 1e-3  # logits whose distance float32 on another road may turn round

Ids = Sequence[int]


@dataclass(frozen=True, slots=True)
class Difference:
    """n_differing: places of the common length. first: the first of them. n_more: peer's tokens
    beyond ours, negative where it has fewer."""

    n_common: int
    n_differing: int
    first: int | None
    n_more: int

    def __str__(self) -> str:
        length = f", {self.n_more:+d} tokens" if self.n_more else ""
        if self.first is None:
            return f"equal{length}"
        return f"{self.n_differing} of {self.n_common} differ, first {self.first}{length}"


def difference(ours: Ids, theirs: Ids) -> Difference:
    """Compare token by token."""
    pairs = list(zip(ours, theirs, strict=False))
    differing = [at for at, (a, b) in enumerate(pairs) if a != b]
    first = differing[0] if differing else None
    return Difference(len(pairs), len(differing), first, len(theirs) - len(ours))


@dataclass(frozen=True, slots=True)
class Reference:
    """What our model writes with some windows. margins: of each token over the second best."""

    tokens: Ids
    margins: Sequence[float]


def reason(theirs: Ids, ours: Reference, windowed: Reference | None, known: str) -> str:
    """Say why a peer's tokens are not ours.

    windowed: our model with the windows that the peer's attention really has. known: what the
    peer's source says besides.
    """
    plain = difference(ours.tokens, theirs)
    if plain.first is None:
        return "stops earlier" if plain.n_more < 0 else ""
    if windowed is None:
        return _tie(plain, ours) or known or "not known"
    in_its_windows = difference(windowed.tokens, theirs)
    if in_its_windows.first is None:
        return "other attention windows: with the same ones, ours are equal"
    tie = _tie(in_its_windows, windowed)
    if tie:
        return f"other attention windows; in them, {tie}"
    return "; ".join(["other attention windows", *([known] if known else [])])


def _tie(found: Difference, ours: Reference) -> str:
    """Name the tie that a first difference stands on, if it does."""
    if found.first is None or ours.margins[found.first] > TIE:
        return ""
    return f"a tie at token {found.first} (margin {ours.margins[found.first]:.0e})"
