"""vLLM's Realtime dialect, sans I/O: OpenAI's names of events with another meaning.

A commit without `final` begins an utterance, one with `final: true` ends it, and is answered by
exactly one `transcription.done`. Audio is PCM at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from .closing import closing
from .dialect import Close, Context, Message
from .errors import VoxwireError
from .messages import MessageError, decode_audio, parse_fields, parse_object, quoted, wire_code
from .session import (
    Audio,
    Clear,
    CloseReason,
    Commit,
    Ended,
    Event,
    Final,
    Partial,
    Request,
    RequestRefused,
    SessionSettings,
)
from .utterance import Utterance


class _ClientEvent(BaseModel):
    model_config = ConfigDict(frozen=True)


class _SessionUpdate(_ClientEvent):
    model: str  # any name is taken, and means the model that is served


class _Append(_ClientEvent):
    audio: str


class _Commit(_ClientEvent):
    final: bool = False


class _ServerEvent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SessionCreated(_ServerEvent):
    """The greeting. created: seconds since 1970."""

    type: Literal["session.created"] = "session.created"
    id: str
    created: int


class Delta(_ServerEvent):
    """New text."""

    type: Literal["transcription.delta"] = "transcription.delta"
    delta: str


class Usage(_ServerEvent):
    """The model takes one position of audio and writes one token per step."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Done(_ServerEvent):
    """All the text of an utterance."""

    type: Literal["transcription.done"] = "transcription.done"
    text: str
    usage: Usage


class ErrorEvent(_ServerEvent):
    """error: for people."""

    type: Literal["error"] = "error"
    error: str
    code: str


ServerEvent: TypeAlias = Annotated[
    SessionCreated | Delta | Done | ErrorEvent, Field(discriminator="type")
]


class Vllm:
    """One client's view of a session in which only the client ends utterances."""

    name: ClassVar[str] = "vllm"

    settings = SessionSettings(endpoint=None)

    def __init__(self, context: Context) -> None:
        self._context = context
        self._utterance = Utterance()

    def greet(self) -> Sequence[Message]:
        """Return `session.created`."""
        event = SessionCreated(id=self._context.new_id("sess"), created=int(self._context.now_s()))
        return [event.model_dump_json()]

    def receive(self, message: Message) -> Sequence[Request]:
        """Return what a message asks for. Raises InvalidRequestError."""
        fields = parse_object(message)
        match fields.get("type"):
            case "session.update":
                return self._update(fields)
            case "input_audio_buffer.append":
                return [Audio(decode_audio(parse_fields(_Append, fields).audio))]
            case "input_audio_buffer.commit":
                return [Commit()] if parse_fields(_Commit, fields).final else []
            case "input_audio_buffer.clear":  # vLLM has none; its forks do
                return [Clear()]
            case name:
                message = f"expected session.update or input_audio_buffer.*, got {_name(name)}"
                raise MessageError(message, code="unknown_event", param="type")

    def _update(self, fields: dict[str, Any]) -> Sequence[Request]:
        parse_fields(_SessionUpdate, fields)
        return []

    def tell(self, event: Event) -> Sequence[Message | Close]:
        """Return how vLLM says an event: it knows deltas, the end of an utterance, and errors."""
        match event:
            case Partial():
                return [Delta(delta=self._utterance.add_partial(event)).model_dump_json()]
            case Final():
                return self._final(event)
            case RequestRefused():
                return [_error(event.error.message, wire_code(event.error))]
            case Ended(error=None):
                return [closing(event)]
            case Ended(error=VoxwireError() as error):
                return [_error(error.message, "processing_error"), closing(event)]
            case _:
                return ()

    def _final(self, final: Final) -> Sequence[Message]:
        self._utterance.add_final(final)
        if final.reason in (CloseReason.LIMIT, CloseReason.ERROR):
            return ()  # the utterance goes on, or Ended says why it does not
        done, self._utterance = self._utterance, Utterance()
        usage = Usage(
            prompt_tokens=done.n_tokens,
            completion_tokens=done.n_tokens,
            total_tokens=2 * done.n_tokens,
        )
        return [Done(text=done.text, usage=usage).model_dump_json()]


def _error(message: str, code: str) -> str:
    return ErrorEvent(error=message, code=code).model_dump_json()


def _name(name: object) -> str:
    return quoted(name) if isinstance(name, str) else "nothing"
