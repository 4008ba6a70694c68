"""The items of one conversation: which segment is which, and who follows whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# Items that can still be retrieved. A session is endless and its memory is not.
MAX_HISTORY = 1000


@dataclass(slots=True)
class Utterance:
    """One item. previous_id is known, and stands, from its commit on."""

    id: str
    segment: int
    previous_id: str | None = None
    is_committed: bool = False
    has_text: bool = False  # the client was sent some
    transcript: str | None = None  # None until its segment is final


class Conversation:
    """Keeps items that are open by their segment, and those that were committed by their id."""

    def __init__(self, new_id: Callable[[str], str]) -> None:
        self._new_id = new_id
        self._open: dict[int, Utterance] = {}
        self._history: dict[str, Utterance] = {}

    def of(self, segment: int) -> Utterance:
        """Return the item of an open segment; a new one where it is first spoken of."""
        if segment not in self._open:
            self._open[segment] = Utterance(self._new_id("item"), segment)
        return self._open[segment]

    def __contains__(self, segment: int) -> bool:
        """Say whether a segment is open and was spoken of."""
        return segment in self._open

    def commit(self, item: Utterance) -> None:
        """Append an item to the conversation, and forget the oldest beyond MAX_HISTORY."""
        item.is_committed = True
        item.previous_id = next(reversed(self._history), None)
        self._history[item.id] = item
        if len(self._history) > MAX_HISTORY:
            del self._history[next(iter(self._history))]

    def close(self, item: Utterance, transcript: str) -> None:
        """Give an item its transcript, which is its last change."""
        item.transcript = transcript
        del self._open[item.segment]

    def find(self, item_id: str) -> Utterance | None:
        """Return a committed item that was neither deleted nor forgotten."""
        return self._history.get(item_id)

    def delete(self, item: Utterance) -> None:
        """Forget a committed item; its transcript, if still to come, is told all the same."""
        del self._history[item.id]

    def drop_uncommitted(self) -> list[Utterance]:
        """Forget the items whose audio was not committed, and return them."""
        return self._drop([item for item in self._open.values() if not item.is_committed])

    def drop_open(self) -> list[Utterance]:
        """Forget the items that have no transcript, and return them."""
        return self._drop(list(self._open.values()))

    def _drop(self, items: list[Utterance]) -> list[Utterance]:
        for item in items:
            del self._open[item.segment]
        return items
