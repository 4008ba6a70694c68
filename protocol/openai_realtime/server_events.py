"""What a client of OpenAI's Realtime API is told in a transcription session, event by event.

Names and shapes are OpenAI's; `warning` and the session's `ignored` are ours.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from .shapes import (
    BetaSession,
    Duration,
    EchoedFault,
    Fault,
    Item,
    LogProb,
    Notice,
    Part,
    Session,
)


class _Event(Part):
    event_id: str


class SessionCreated(_Event):
    """The greeting. id, created: for clients of vLLM, which read these two and nothing else."""

    type: Literal["session.created"] = "session.created"
    session: Session
    id: str
    created: int


class BetaSessionCreated(_Event):
    """The greeting in the words of the beta."""

    type: Literal["transcription_session.created"] = "transcription_session.created"
    session: BetaSession


class SessionUpdated(_Event):
    """A change took effect."""

    type: Literal["session.updated"] = "session.updated"
    session: Session | BetaSession


class BetaSessionUpdated(_Event):
    """A change took effect, in the words of the beta."""

    type: Literal["transcription_session.updated"] = "transcription_session.updated"
    session: BetaSession


class SpeechStarted(_Event):
    """A turn began, at this time of the session's audio."""

    type: Literal["input_audio_buffer.speech_started"] = "input_audio_buffer.speech_started"
    audio_start_ms: int
    item_id: str


class SpeechStopped(_Event):
    """A turn is over, at this time of the session's audio."""

    type: Literal["input_audio_buffer.speech_stopped"] = "input_audio_buffer.speech_stopped"
    audio_end_ms: int
    item_id: str


class Committed(_Event):
    """The buffer became an item."""

    type: Literal["input_audio_buffer.committed"] = "input_audio_buffer.committed"
    item_id: str
    previous_item_id: str | None


class Cleared(_Event):
    """The buffer was emptied."""

    type: Literal["input_audio_buffer.cleared"] = "input_audio_buffer.cleared"


class _ItemEvent(_Event):
    previous_item_id: str | None
    item: Item


class ItemAdded(_ItemEvent):
    """An item stands in the conversation; its transcript follows."""

    type: Literal["conversation.item.added"] = "conversation.item.added"


class ItemCreated(_ItemEvent):
    """The same in the word of the beta."""

    type: Literal["conversation.item.created"] = "conversation.item.created"


class ItemDone(_ItemEvent):
    """An item is complete, its transcript with it."""

    type: Literal["conversation.item.done"] = "conversation.item.done"


class ItemRetrieved(_Event):
    """An item that was asked for."""

    type: Literal["conversation.item.retrieved"] = "conversation.item.retrieved"
    item: Item


class ItemDeleted(_Event):
    """An item is forgotten."""

    type: Literal["conversation.item.deleted"] = "conversation.item.deleted"
    item_id: str


class _TranscriptionEvent(_Event):
    item_id: str
    content_index: Literal[0] = 0


class Delta(_TranscriptionEvent):
    """New text."""

    type: Literal["conversation.item.input_audio_transcription.delta"] = (
        "conversation.item.input_audio_transcription.delta"
    )
    delta: str
    logprobs: list[LogProb] | None


class Completed(_TranscriptionEvent):
    """All the text of an item."""

    type: Literal["conversation.item.input_audio_transcription.completed"] = (
        "conversation.item.input_audio_transcription.completed"
    )
    transcript: str
    usage: Duration
    logprobs: list[LogProb] | None


class Failed(_TranscriptionEvent):
    """An item will have no transcript beyond the deltas that were sent."""

    type: Literal["conversation.item.input_audio_transcription.failed"] = (
        "conversation.item.input_audio_transcription.failed"
    )
    error: Fault


class ErrorEvent(_Event):
    """An event was refused, or the session ended before its time."""

    type: Literal["error"] = "error"
    error: EchoedFault


class WarningEvent(_Event):
    """Something to know that needs no answer; ours, and of a type that SDKs let pass."""

    type: Literal["warning"] = "warning"
    warning: Notice


ServerEvent: TypeAlias = Annotated[
    SessionCreated
    | BetaSessionCreated
    | SessionUpdated
    | BetaSessionUpdated
    | SpeechStarted
    | SpeechStopped
    | Committed
    | Cleared
    | ItemAdded
    | ItemCreated
    | ItemDone
    | ItemRetrieved
    | ItemDeleted
    | Delta
    | Completed
    | Failed
    | ErrorEvent
    | WarningEvent,
    Field(discriminator="type"),
]
