"""OpenAI's Realtime API for transcription, in the shape of now and of the beta, sans I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from ..closing import closing
from ..dialect import Close, Context, Message
from ..errors import InvalidRequestError
from ..messages import MessageError, decode_audio, parse_fields, parse_object, quoted
from ..session import (
    Audio,
    Clear,
    Cleared,
    CloseReason,
    Commit,
    Committed,
    Configure,
    Configured,
    Draining,
    Ended,
    Event,
    Final,
    Partial,
    Reply,
    Request,
    RequestRefused,
    SessionSettings,
    SpeechStarted,
    SpeechStopped,
    Warned,
)
from .buffer import MIN_COMMIT_MS, InputBuffer
from .client_events import (
    Append,
    ClientEvent,
    ItemReference,
    SessionUpdate,
)
from .config import Config, Note, Update, keep_begun, read_update
from .items import Conversation, Utterance
from .voice import Voice

_REFUSED = {
    "conversation.item.create": "a transcription session holds only what was heard",
    "conversation.item.truncate": "only an assistant's items can be truncated, and there are none",
    "response.create": "a transcription session makes no responses",
    "response.cancel": "a transcription session makes no responses",
    "output_audio_buffer.clear": "a transcription session speaks no audio",
}
# What a session calls its settings, and what this dialect does.
_PARAMS = {
    "delay_ms": "session.audio.input.transcription.delay",
    "endpoint": "session.audio.input.turn_detection",
    "wants_scores": "session.include",
}
_QUERY = frozenset({"intent", "model"})


class OpenAIRealtime:
    """One client's view of a transcription session: PCM at 24 kHz, turns by voice activity."""

    name: ClassVar[str] = "openai"

    def __init__(
        self, context: Context, config: Config, ignored: Sequence[Note], *, is_beta: bool
    ) -> None:
        """Begin with some settings. ignored: what the address asked for in vain."""
        self._voice = Voice(context, is_beta=is_beta)
        self._new_id = context.new_id
        self._ignored = ignored
        self._items = Conversation(context.new_id)
        self._buffer = InputBuffer()
        self._config = config  # with all updates that were sent on
        self._in_effect = self._config
        self._is_begun = False  # audio came
        self._unanswered: dict[str, tuple[Update, str | None]] = {}

    @classmethod
    def from_query(
        cls, query: Mapping[str, str], context: Context, *, is_beta: bool = False
    ) -> Self:
        """Return the dialect for the address that a client called. Raises InvalidRequestError.

        is_beta: its handshake asked for the beta, where transcription is an intent of its own.
        """
        intent = query.get("intent", "transcription")
        if intent != "transcription":
            message = f"expected intent=transcription, got {quoted(intent)}"
            raise MessageError(message, code="invalid_value", param="intent")
        names = [quoted(name) for name in query if name not in _QUERY]
        notes = [Note(name, "it means nothing in the address") for name in names]
        config = Config().for_model(query.get("model"))
        return cls(context, config, notes, is_beta=is_beta and "intent" in query)

    @property
    def settings(self) -> SessionSettings:
        """What the session begins with."""
        return self._config.settings()

    def greet(self) -> Sequence[Message]:
        """Return `session.created`, in words that clients of vLLM read too, or the beta's."""
        return [self._voice.created(self._config), *self._voice.ignored(self._ignored)]

    def receive(self, message: Message) -> Sequence[Request]:
        """Return what an event asks for. Raises InvalidRequestError with the event's own id."""
        fields = parse_object(message)
        try:
            return self._receive(fields)
        except InvalidRequestError as error:
            ref = fields.get("event_id")
            error.ref = ref if isinstance(ref, str) else None
            raise

    def _receive(self, fields: dict[str, Any]) -> Sequence[Request]:
        match fields.get("type"):
            case "input_audio_buffer.append":
                return self._append(parse_fields(Append, fields))
            case "input_audio_buffer.commit":
                return self._ask_commit(parse_fields(ClientEvent, fields))
            case "input_audio_buffer.clear":
                return self._ask_clear(parse_fields(ClientEvent, fields))
            case "session.update" | "transcription_session.update":
                return self._ask_update(parse_fields(SessionUpdate, fields))
            case "conversation.item.retrieve":
                item = self._find(parse_fields(ItemReference, fields), "retrieve")
                return [Reply(self._voice.retrieved(item))]
            case "conversation.item.delete":
                item = self._find(parse_fields(ItemReference, fields), "delete")
                self._items.delete(item)
                return [Reply(self._voice.deleted(item.id))]
            case name:
                raise _refusal(name)

    def _append(self, event: Append) -> Sequence[Request]:
        data = decode_audio(event.audio)
        self._is_begun = True
        self._buffer.append(len(data), self._config.format)
        return [Audio(data, event.event_id)]

    def _ask_commit(self, event: ClientEvent) -> Sequence[Request]:
        if self._buffer.length_ms < MIN_COMMIT_MS:
            raise MessageError(
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{MIN_COMMIT_MS:.0f}ms of audio, but buffer only has "
                f"{self._buffer.length_ms:.2f}ms of audio.",
                code="input_audio_buffer_commit_empty",
            )
        self._buffer.empty()
        return [Commit(event.event_id)]

    def _ask_clear(self, event: ClientEvent) -> Sequence[Request]:
        self._buffer.empty()
        return [Clear(event.event_id)]

    def _ask_update(self, event: SessionUpdate) -> Sequence[Request]:
        update = read_update(self._config, event)
        if self._is_begun:
            update = keep_begun(update, self._config)
        ref = self._new_id("update")
        self._config = update.config
        self._unanswered[ref] = (replace(update, event=event.type), event.event_id)
        return [Configure(update.config.settings(), ref)]

    def _find(self, event: ItemReference, verb: str) -> Utterance:
        item = self._items.find(event.item_id)
        if item is None:
            message = f"expected the id of an item of this session, got {quoted(event.item_id)}"
            raise MessageError(message, code=f"item_{verb}_invalid_item_id", param="item_id")
        return item

    def tell(self, event: Event) -> Sequence[Message | Close]:
        """Return the events that say it; nothing where OpenAI has no word for it."""
        match event:
            case Configured():
                return self._configured(event)
            case SpeechStarted():
                return [self._voice.speech_started(self._items.of(event.segment), event.at_s)]
            case SpeechStopped():
                self._buffer.committed_until(event.at_s)
                return [self._voice.speech_stopped(self._items.of(event.segment), event.at_s)]
            case Committed():
                return self._commit(self._items.of(event.segment))
            case Cleared():
                return self._cleared()
            case Partial():
                return self._partial(event)
            case Final():
                return self._final(event)
            case Warned():
                return [self._voice.warning(event.code, event.message)]
            case RequestRefused():
                return self._refused(event)
            case Draining():
                message = f"the server goes down in {event.seconds_left:.0f} s"
                return [self._voice.warning("draining", message)]
            case Ended():
                return self._ended(event)
            case _:
                return ()

    def _configured(self, event: Configured) -> Sequence[Message]:
        update, _ = self._unanswered.pop(event.ref or "", (None, None))
        if update is None:
            return ()
        self._in_effect = update.config
        self._voice.is_beta = update.is_beta or update.event != "session.update"
        return self._voice.updated(update)

    def _refused(self, event: RequestRefused) -> Sequence[Message]:
        if event.ref not in self._unanswered:
            return [self._voice.error(event.error, event.ref)]
        _, ref = self._unanswered.pop(event.ref)
        if isinstance(event.error, InvalidRequestError) and event.error.param in _PARAMS:
            event.error.param = _PARAMS[event.error.param]
        if not self._unanswered:  # else a later one is on its way, merged with this one
            self._config = self._in_effect
        return [self._voice.error(event.error, ref)]

    def _commit(self, item: Utterance) -> list[str]:
        self._items.commit(item)
        return self._voice.committed(item)

    def _cleared(self) -> Sequence[Message]:
        error = MessageError("the audio was cleared", code="input_audio_buffer_cleared")
        dropped = [item for item in self._items.drop_uncommitted() if item.has_text]
        return [*(self._voice.failed(item, error) for item in dropped), self._voice.cleared()]

    def _partial(self, event: Partial) -> Sequence[Message]:
        item = self._items.of(event.segment)
        item.has_text = True
        return [self._voice.delta(item, event, wants_scores=self._in_effect.wants_scores)]

    def _final(self, final: Final) -> Sequence[Message]:
        self._buffer.committed_until(final.end_s)
        if final.reason is CloseReason.ERROR:
            return ()  # Ended says why: the item fails then
        if final.segment not in self._items and not final.text:
            return ()  # nobody was told of it
        item = self._items.of(final.segment)
        messages = [] if item.is_committed else self._commit(item)
        self._items.close(item, final.text)
        scored = self._in_effect.wants_scores
        return [*messages, *self._voice.completed(item, final, wants_scores=scored)]

    def _ended(self, event: Ended) -> Sequence[Message | Close]:
        if event.error is None:
            return [closing(event)]
        failed = [self._voice.failed(item, event.error) for item in self._items.drop_open()]
        return [*failed, self._voice.error(event.error, None), closing(event)]


def _refusal(name: object) -> MessageError:
    if not isinstance(name, str):
        return MessageError(
            "type: expected the name of an event", code="missing_required_parameter", param="type"
        )
    if name in _REFUSED:
        return MessageError(f"{name}: {_REFUSED[name]}", code="unsupported_event", param="type")
    message = f"type: expected an event of the Realtime API, got {quoted(name)}"
    return MessageError(message, code="unknown_event", param="type")
