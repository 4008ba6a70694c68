"""What crosses the border between the event loop and the engine's thread: arrays and integers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...protocol.errors import VoxwireError
from .admission import Kind, Load

Samples = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Open:
    """Begin a session under a lease that no other ever had."""

    lease: int
    kind: Kind
    delay_tokens: int
    log_probs: bool


@dataclass(frozen=True, slots=True)
class Audio:
    """Samples of a session, [n] float32, not to be written to any more."""

    lease: int
    samples: Samples


@dataclass(frozen=True, slots=True)
class Flush:
    """Let the model write what it has heard. is_end: and then end the session."""

    lease: int
    is_end: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """So many tokens of a session were read by its reader."""

    lease: int
    n_tokens: int


@dataclass(frozen=True, slots=True)
class Close:
    """Drop a session and all that it has not yet worked on."""

    lease: int


Command = Open | Audio | Flush | Seen | Close


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens that follow each other. log_probs: [n] float32, of the tokens, where asked for."""

    lease: int
    first_index: int
    ids: Ids
    log_probs: npt.NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Consumed:
    """So many samples left a session's queue."""

    lease: int
    n_samples: int


@dataclass(frozen=True, slots=True)
class Flushed:
    """A flush is done: all that was heard before it is written.

    n_tokens: of the session so far. padding_samples: of silence that the flush added to its audio.
    """

    lease: int
    n_tokens: int
    padding_samples: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event of a session; its slot is free. error: None where its client ended it."""

    lease: int
    error: VoxwireError | None


@dataclass(frozen=True, slots=True)
class Stepped:
    """One pass of the model is done.

    n_rows: that advanced, each by n_positions. waited_s: how long the oldest live audio in it had
    waited since it was fed; None where there was none.
    """

    n_rows: int
    n_positions: int
    seconds: float
    waited_s: float | None


@dataclass(frozen=True, slots=True)
class Stopped:
    """The engine's last event: nothing that is still open will go on."""


Event = Tokens | Consumed | Flushed | Ended | Load | Stepped | Stopped
