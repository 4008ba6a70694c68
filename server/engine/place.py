"""A place in the engine, counted before the session that will take it is configured."""

from __future__ import annotations

from collections.abc import Callable

from .session import EngineSession


class Place:
    """One admitted session: to be opened once, or released. Event loop only."""

    def __init__(
        self,
        open_: Callable[[int | None, bool], EngineSession],
        release: Callable[[], None],
    ) -> None:
        self._open = open_
        self._release = release
        self._is_free = True

    def open(self, delay_ms: int | None, *, log_probs: bool) -> EngineSession:
        """Begin the session, which gives the place back when it ends.

        Raises InvalidRequestError for a delay that does not exist; the place is kept then.
        """
        session = self._open(delay_ms, log_probs)
        self._is_free = False
        return session

    def release(self) -> None:
        """Give the place back if no session took it. May be called again."""
        if self._is_free:
            self._is_free = False
            self._release()
