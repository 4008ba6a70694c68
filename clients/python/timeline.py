"""One stream out of the sessions that it took: numbers and times that run on. Sans I/O."""

from __future__ import annotations

from typing import Any

from ...protocol.native.messages import (
    Bye,
    Final,
    Lag,
    Partial,
    ServerMessage,
    Word,
)
from .notices import Gap


class Timeline:
    """Places the messages of each session behind those of the ones before.

    last_seq: the number of the last message, in the session at hand.
    """

    def __init__(self) -> None:
        self.last_seq = 0
        self._seq = self._segment = 0  # what the sessions before took
        self._from_s = 0.0
        self._n_segments = 0  # of the session at hand
        self._open: Partial | None = None
        self._final_s = 0.0  # of the session at hand, where its last final ends

    @property
    def from_s(self) -> float:
        """Where in the whole the session at hand began, in seconds."""
        return self._from_s

    @property
    def final_s(self) -> float:
        """Where in the session at hand its last final ends, in seconds."""
        return self._final_s

    def place(self, message: ServerMessage) -> ServerMessage:
        """Return a message of the session at hand as one of the whole."""
        self._note(message)
        changes: dict[str, Any] = {"seq": message.seq + self._seq}
        if (segment := getattr(message, "segment", None)) is not None:
            changes["segment"] = segment + self._segment
        for name in ("at_s", "start_s", "end_s", "audio_s"):
            if (at_s := getattr(message, name, None)) is not None:
                changes[name] = self._late(at_s)
        if isinstance(message, Final):
            changes["words"] = tuple(map(self._word, message.words))
        if isinstance(message, Lag):
            for name in ("received_ms", "processed_ms", "emitted_ms"):
                changes[name] = getattr(message, name) + round(self._from_s * 1000)
        return message.model_copy(update=changes)

    def begin_session(self, audio_s: float) -> None:
        """Let a new session follow, behind so many seconds of the one at hand."""
        self._seq += self.last_seq
        self._segment += self._n_segments
        self._from_s = self._late(audio_s)
        self.last_seq = self._n_segments = 0
        self._open, self._final_s = None, 0.0

    def gap(self, until_s: float) -> Gap:
        """Return what is lost with the session at hand, of which `until_s` is not heard again."""
        text = self._open.text if self._open else ""
        segment = self._open.segment if self._open else self._n_segments
        self._n_segments = max(self._n_segments, segment + 1)
        return Gap(
            start_s=self._late(min(self._final_s, until_s)),
            end_s=self._late(until_s),
            segment=segment + self._segment,
            text=text,
        )

    def _note(self, message: ServerMessage) -> None:
        self._n_segments = max(self._n_segments, getattr(message, "segment", -1) + 1)
        if isinstance(message, Partial):
            self._open = message
        elif isinstance(message, Final):
            self._open = None
            self._final_s = message.end_s
        elif isinstance(message, Bye):
            self._open = None

    def _word(self, word: Word) -> Word:
        changes = {"start_s": self._late(word.start_s), "end_s": self._late(word.end_s)}
        return word.model_copy(update=changes)

    def _late(self, session_s: float) -> float:
        return round(session_s + self._from_s, 6) if self._from_s else session_s
