"""How a client of the native dialect goes on with its session on another socket."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import InvalidRequestError, ResumeError, VoxwireError
from ..messages import own_words
from . import messages

MAX_KEPT = 512  # messages: minutes, for a client that acknowledges none


class Resumption(BaseModel):
    """What the address of `/v1/stream` holds to go on with a session, and nothing else."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: str = Field(alias="resume", max_length=128, description="From the session's `ready`.")
    after_seq: int = Field(ge=0, description="The number of the last message that came.")

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Resumption:
        """Read an address's parameters. Raises InvalidRequestError."""
        try:
            return cls.model_validate(dict(query))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            name = str(first["loc"][0])
            raise InvalidRequestError(f"{name}: {own_words(first['msg'])}", param=name) from error


def refusal(error: VoxwireError) -> str:
    """Return the `error` by which a socket that was accepted is refused; it is closed after it."""
    said = messages.Error(
        seq=1,
        code=error.code,
        message=error.message,
        param=error.param if isinstance(error, InvalidRequestError) else None,
        retry_after_s=error.retry_after_s,
    )
    return said.model_dump_json(exclude_none=True)


class SentLog:
    """The last messages of a session, by their numbers, until the client says that they came."""

    def __init__(self) -> None:
        self._kept: deque[tuple[int, str]] = deque(maxlen=MAX_KEPT)
        self._last = 0

    def add(self, seq: int, message: str) -> None:
        """Keep a message; the oldest goes where there are too many."""
        self._kept.append((seq, message))
        self._last = seq

    def acknowledge(self, seq: int) -> None:
        """Forget the messages up to a number."""
        while self._kept and self._kept[0][0] <= seq:
            self._kept.popleft()

    def after(self, seq: int) -> Sequence[str]:
        """Return the messages after a number. Raises ResumeError where one is not kept."""
        oldest = self._kept[0][0] if self._kept else self._last + 1
        if not oldest - 1 <= seq <= self._last:
            raise ResumeError(f"expected after_seq from {oldest - 1} to {self._last}, got {seq}")
        return [message for number, message in self._kept if number > seq]
