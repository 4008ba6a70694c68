"""What a client has said and its server may not have: bounded, in order. Sans I/O."""

from __future__ import annotations

from collections import deque
from typing import TypeAlias

MAX_CONTROLS = 256

Said: TypeAlias = bytes | str  # audio, or a message


class Ring:
    """Keeps what is said until it is known to have come.

    Counts as the server does: bytes of audio, and messages, of the session at hand. `max_bytes`
    bounds the audio: whoever adds to a ring without room has to wait first.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.n_bytes = 0  # of the session's audio before what is kept
        self._n_controls = 0
        self._kept: deque[Said] = deque()
        self._kept_bytes = self._kept_controls = 0
        self._n_sent = 0  # of what is kept, over the connection at hand

    @property
    def has_room(self) -> bool:
        """Whether more may be added."""
        return self._kept_bytes < self.max_bytes and self._kept_controls < MAX_CONTROLS

    @property
    def has_audio(self) -> bool:
        """Whether any audio is kept."""
        return self._kept_bytes > 0

    @property
    def kept(self) -> tuple[Said, ...]:
        """What is kept, in order."""
        return tuple(self._kept)

    def add(self, said: Said) -> None:
        """Keep what is said next."""
        self._kept.append(said)
        self._count(said, 1)

    def next(self) -> Said | None:
        """Return what to send next; None where all is sent."""
        if self._n_sent == len(self._kept):
            return None
        self._n_sent += 1
        return self._kept[self._n_sent - 1]

    def came(self, n_bytes: int, n_controls: int) -> None:
        """Forget what came, by the server's count."""
        while self._kept and self._is_in(self._kept[0], n_bytes, n_controls):
            self._forget_first()
        self._cut_to(n_bytes)

    def send_again(self) -> None:
        """Begin with what is kept, over a new connection."""
        self._n_sent = 0

    def begin_session(self) -> None:
        """Let what is kept be the first that a new session hears."""
        self.n_bytes = self._n_controls = self._n_sent = 0

    def _is_in(self, said: Said, n_bytes: int, n_controls: int) -> bool:
        if isinstance(said, str):
            return self._n_controls < n_controls
        return self.n_bytes + len(said) <= n_bytes

    def _cut_to(self, n_bytes: int) -> None:
        """Forget the part of the first piece that came."""
        first = self._kept[0] if self._kept else ""
        if isinstance(first, bytes) and n_bytes > self.n_bytes:
            n_cut = n_bytes - self.n_bytes
            self._kept[0] = first[n_cut:]
            self.n_bytes += n_cut
            self._kept_bytes -= n_cut

    def _forget_first(self) -> None:
        said = self._kept.popleft()
        self._count(said, -1)
        self._n_sent = max(0, self._n_sent - 1)
        if isinstance(said, bytes):
            self.n_bytes += len(said)
        else:
            self._n_controls += 1

    def _count(self, said: Said, sign: int) -> None:
        if isinstance(said, bytes):
            self._kept_bytes += sign * len(said)
        else:
            self._kept_controls += sign
