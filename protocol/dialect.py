"""What every WebSocket dialect is: one client's view of a session, sans I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeAlias

from .session import Event, Request, SessionSettings

Message: TypeAlias = str | bytes  # a text frame or a binary one


@dataclass(frozen=True, slots=True)
class Close:
    """The end of the connection, as RFC 6455 writes it. reason: 123 bytes at most."""

    code: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What a dialect is told of the server.

    model: the name of the model that is served. default_delay_ms: the model's own. new_id: makes
    an id that is new, from a prefix such as "item". now_s: seconds since 1970.
    endpoint_silence_ms: what closes a segment where the client does not say. resume_grace_s: how
    long a session waits for a client whose socket broke; 0 where it does not.
    """

    model: str
    default_delay_ms: int
    new_id: Callable[[str], str]
    now_s: Callable[[], float]
    endpoint_silence_ms: int = 800
    resume_grace_s: float = 0.0


class Dialect(Protocol):
    """Translates one connection's messages; remembers what its wire format needs remembered.

    name: of the dialect, for metrics.
    """

    name: ClassVar[str]

    @property
    def settings(self) -> SessionSettings:
        """What the client asked for with its address, to begin the session with."""

    def greet(self) -> Sequence[Message]:
        """Return what the client is told first."""

    def receive(self, message: Message) -> Sequence[Request]:
        """Return what a message asks for, in order.

        Raises InvalidRequestError, whose `ref` is the client's id of the message: the connection
        then tells a RequestRefused and goes on.
        """

    def tell(self, event: Event) -> Sequence[Message | Close]:
        """Return how this dialect says an event; nothing where it has no word for it.

        An Ended is always answered, and closes with a code that says why.
        """
