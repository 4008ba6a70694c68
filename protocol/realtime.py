"""/v1/realtime, where two dialects with the same names of events meet: OpenAI's and vLLM's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from .dialect import Close, Context, Dialect, Message
from .errors import InvalidRequestError
from .messages import parse_object
from .openai_realtime.dialect import OpenAIRealtime
from .session import Configure, Event, Request, SessionSettings
from .vllm import Vllm

# How a handshake asks for OpenAI's beta: in a header, or from a browser, which can set none.
_BETA = "realtime=v1"
_BETA_SUBPROTOCOL = "openai-beta.realtime-v1"


def asks_for_beta(header: str, subprotocols: Sequence[str]) -> bool:
    """Say whether a handshake asks for OpenAI's beta. header: its `OpenAI-Beta`."""
    return _BETA in map(str.strip, header.split(",")) or _BETA_SUBPROTOCOL in subprotocols


class Realtime:
    """Speaks OpenAI's dialect until the client's first words are vLLM's.

    Both accept the greeting. vLLM's clients then name a model at the top level of their
    session.update, or begin with a commit, for which there is no audio yet. An OpenAI client that
    commits nothing has named its model in the address, where vLLM's name none.
    """

    name: ClassVar[str] = "realtime"

    def __init__(self, openai: OpenAIRealtime, vllm: Vllm, query: Mapping[str, str]) -> None:
        self._dialect: Dialect = openai
        self._vllm = vllm
        self._is_decided = "intent" in query
        self._has_model = "model" in query
        self._first: Sequence[Request] = ()

    @classmethod
    def from_query(
        cls, query: Mapping[str, str], context: Context, *, is_beta: bool = False
    ) -> Self:
        """Return the dialect for the address that a client called. Raises InvalidRequestError.

        An `intent` is OpenAI's alone. is_beta: see `asks_for_beta`.
        """
        openai = OpenAIRealtime.from_query(query, context, is_beta=is_beta)
        return cls(openai, Vllm(context), query)

    @property
    def settings(self) -> SessionSettings:
        """What the session begins with."""
        return self._dialect.settings

    def greet(self) -> Sequence[Message]:
        """Return a greeting that the clients of both dialects accept."""
        return self._dialect.greet()

    def receive(self, message: Message) -> Sequence[Request]:
        """Return what a message asks for. Raises InvalidRequestError."""
        if not self._is_decided:
            self._decide(message)
        requests = self._dialect.receive(message)
        first, self._first = self._first, ()
        return [*first, *requests]

    def tell(self, event: Event) -> Sequence[Message | Close]:
        """Return how the client's dialect says an event."""
        return self._dialect.tell(event)

    def _decide(self, message: Message) -> None:
        try:
            fields = parse_object(message)
        except InvalidRequestError:
            return  # OpenAI's dialect says so; the next message may tell
        match fields:
            case {"type": "session.update", "session": _}:
                self._is_decided = True
            case {"type": "input_audio_buffer.commit"} if self._has_model:
                self._is_decided = True
            case {"type": "session.update", "model": _} | {"type": "input_audio_buffer.commit"}:
                self._is_decided = True
                self._dialect = self._vllm
                self._first = [Configure(self._vllm.settings)]
            case {"type": "input_audio_buffer.append" | "transcription_session.update"}:
                self._is_decided = True
