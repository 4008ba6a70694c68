"""Many paced live sessions from one event loop, and how late what they get back is.

What a session runs over is a `Line`: the engine in this process, or a connection to a server.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tests.bench.due import due_s, tokens_due
from tests.bench.messages import Message, Pace, began_s, pace_of
from voxwire.model.mel import Floats

_GRACE_S = 1.0  # how long what is still due at the end is waited for


class Line(Protocol):
    """One live session, open."""

    async def send(self, samples: Floats) -> None:
        """Send samples, waiting while the other side does not take them."""

    def tokens(self) -> AsyncIterator[int]:
        """Yield the number of each token, from 0, when its delta has come."""

    def close(self) -> None:
        """End at once."""


@dataclass(slots=True)
class Session:
    """What one session is owed and got. late_s: of each token that came, in seconds."""

    pace: Pace
    began_s: float
    n_due: int
    late_s: list[float] = field(default_factory=list)
    error: str = ""


async def run(
    open_line: Callable[[], Line], n_sessions: int, samples: Floats, delay_tokens: int
) -> list[Session]:
    """Have all sessions say the recording at once, each from another place of it on.

    Raises what `open_line` does, when a session is refused.
    """
    lines = [open_line() for _ in range(n_sessions)]
    now_s, n_due = time.monotonic(), tokens_due(len(samples), delay_tokens)
    sessions = [Session(pace_of(n), now_s + began_s(n), n_due) for n in range(n_sessions)]
    readers = [
        asyncio.create_task(_read(line, session, delay_tokens))
        for line, session in zip(lines, sessions, strict=True)
    ]
    await _send(lines, sessions, samples)
    await asyncio.wait(readers, timeout=_GRACE_S)
    for line, reader in zip(lines, readers, strict=True):
        line.close()
        reader.cancel()
    return sessions


async def _send(lines: Sequence[Line], sessions: Sequence[Session], samples: Floats) -> None:
    """Send every message when it is due."""
    endless = np.concatenate([samples, samples])
    schedules = [_schedule(n, session, len(samples)) for n, session in enumerate(sessions)]
    for at_s, n, message in heapq.merge(*schedules, key=lambda due: due[0]):
        await asyncio.sleep(max(0.0, at_s - time.monotonic()))  # yields to the readers even if late
        place = len(samples) * n // len(sessions)
        try:
            await lines[n].send(endless[place + message.start : place + message.stop])
        except Exception as error:
            sessions[n].error = sessions[n].error or f"{type(error).__name__}: {error}"


def _schedule(n: int, session: Session, n_samples: int) -> Iterator[tuple[float, int, Message]]:
    for message in session.pace.messages(n_samples, seed=n):
        yield session.began_s + message.at_s, n, message


async def _read(line: Line, session: Session, delay_tokens: int) -> None:
    """Note how late each token comes, until all that are owed have."""
    try:
        async for token in line.tokens():
            session.late_s.append(time.monotonic() - session.began_s - due_s(token, delay_tokens))
            if token + 1 == session.n_due:
                return
    except Exception as error:
        session.error = f"{type(error).__name__}: {error}"
