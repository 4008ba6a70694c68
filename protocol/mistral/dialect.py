"""Mistral's realtime transcription, sans I/O: /v1/audio/transcriptions/realtime.

Each `input_audio.flush` is answered by exactly one `transcription.done`, and so is audio that the
client ends without a flush.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Self

from ..closing import closing
from ..dialect import Close, Context, Message
from ..errors import InvalidRequestError, RefusedError, VoxwireError
from ..messages import MessageError, decode_audio, parse_fields, parse_object, quoted
from ..session import (
    Audio,
    CloseReason,
    Commit,
    Configure,
    Configured,
    Draining,
    Ended,
    Event,
    Final,
    Finish,
    Partial,
    Request,
    RequestRefused,
    SessionSettings,
    SpeechStarted,
    SpeechStopped,
    Warned,
)
from ..utterance import Utterance
from .config import DELAY, extras, merge, notices, show_format, show_turn
from .events import (
    Append,
    Done,
    ErrorEvent,
    Fault,
    Notice,
    Segment,
    SegmentChunk,
    Session,
    SessionCreated,
    SessionPatch,
    SessionUpdate,
    SessionUpdated,
    TextDelta,
    TurnEnd,
    TurnStart,
    Usage,
    WarningEvent,
)

# A segment that was closed so ends no utterance: it goes on, or Ended says why it does not.
_GOES_ON = (CloseReason.ENDPOINT, CloseReason.LIMIT, CloseReason.ERROR)
_QUERY = frozenset({"model", DELAY})


class Mistral:
    """One client's view of a session; what is said between two flushes is one utterance."""

    name: ClassVar[str] = "mistral"

    def __init__(
        self, context: Context, settings: SessionSettings, told: Sequence[Notice] = ()
    ) -> None:
        """Begin with some settings. told: what to say of those that the address asked for."""
        self._context = context
        self._request_id = context.new_id("req")
        self._asked = settings  # with all updates that were sent on
        self._in_effect = self._asked
        self._told = told
        self._unanswered: dict[str, Sequence[Notice]] = {}  # updates, with what to say of each
        self._has_audio = False
        self._owes_done = True  # for what the end finds: audio without a flush, or nothing at all
        self._utterance = Utterance()

    @classmethod
    def from_query(cls, query: Mapping[str, str], context: Context) -> Self:
        """Return the dialect for the address that a client called. Raises InvalidRequestError.

        Any name of a model is taken, and means the one that is served.
        """
        patch = parse_fields(SessionPatch, {DELAY: query[DELAY]} if DELAY in query else {})
        ignored = [quoted(name) for name in query if name not in _QUERY]
        settings = merge(SessionSettings(endpoint=None), patch)
        return cls(context, settings, notices(patch, DELAY, ignored))

    @property
    def settings(self) -> SessionSettings:
        """What the session begins with: PCM at 16 kHz."""
        return self._asked

    def greet(self) -> Sequence[Message]:
        """Return `session.created`, and what is to be said of the address."""
        created = SessionCreated(session=self._session()).model_dump_json()
        return [created, *map(_warning, self._told)]

    def receive(self, message: Message) -> Sequence[Request]:
        """Return what a message asks for. Raises InvalidRequestError."""
        fields = parse_object(message)
        match fields.get("type"):
            case "session.update":
                return self._update(parse_fields(SessionUpdate, fields).session)
            case "input_audio.append":
                data = decode_audio(parse_fields(Append, fields).audio)
                self._has_audio = self._owes_done = True
                return [Audio(data)]
            case "input_audio.flush":
                self._owes_done = False  # as its own final brings one
                return [Commit()]
            case "input_audio.end":
                return [Finish()]
            case name:
                got = quoted(name) if isinstance(name, str) else "nothing"
                message = f"expected session.update or input_audio.*, got {got}"
                raise MessageError(message, code="unknown_event", param="type")

    def _update(self, patch: SessionPatch) -> Sequence[Request]:
        if self._has_audio:
            message = "the session can be updated before its first audio only"
            raise MessageError(message, code="invalid_value", param="session")
        ref = self._context.new_id("update")
        self._asked = merge(self._asked, patch)
        ignored = [quoted(name) for name in extras(patch, "session")]
        self._unanswered[ref] = notices(patch, f"session.{DELAY}", ignored)
        return [Configure(self._asked, ref)]

    def tell(self, event: Event) -> Sequence[Message | Close]:
        """Return how Mistral says an event; nothing where it has no word for it."""
        match event:
            case Partial():
                return [TextDelta(text=self._utterance.add_partial(event)).model_dump_json()]
            case Final():
                return list(self._final(event))
            case SpeechStarted():
                return [TurnStart(time_s=event.at_s).model_dump_json()]
            case SpeechStopped():
                return [TurnEnd(time_s=event.at_s).model_dump_json()]
            case Configured():
                return self._configured(event)
            case RequestRefused():
                return self._refused(event)
            case Warned():
                return [_warning(Notice(code=event.code, message=event.message))]
            case Draining():
                message = f"the server goes down in {event.seconds_left:.0f} s"
                return [_warning(Notice(code="draining", message=message))]
            case Ended():
                return list(self._ended(event))
            case _:
                return ()

    def _configured(self, event: Configured) -> Sequence[Message]:
        if event.ref not in self._unanswered:
            return ()
        self._in_effect = event.settings
        updated = SessionUpdated(session=self._session()).model_dump_json()
        return [updated, *map(_warning, self._unanswered.pop(event.ref))]

    def _refused(self, event: RequestRefused) -> Sequence[Message]:
        if event.ref in self._unanswered:
            del self._unanswered[event.ref]
            self._asked = self._in_effect
        return [_error(event.error)]

    def _final(self, final: Final) -> Iterator[Message]:
        self._utterance.add_final(final)
        if final.text:
            segment = Segment(text=final.text, start=final.start_s, end=final.end_s)
            yield segment.model_dump_json()
        if final.reason not in _GOES_ON:
            self._owes_done &= final.reason is CloseReason.COMMIT
            yield self._done()

    def _ended(self, event: Ended) -> Iterator[Message | Close]:
        if event.error is not None:
            yield _error(event.error)
        elif self._owes_done:
            yield self._done()
        yield closing(event)

    def _done(self) -> str:
        done, self._utterance = self._utterance, Utterance()
        return Done(
            model=self._context.model,
            text=done.text,
            segments=[
                SegmentChunk(text=final.text, start=final.start_s, end=final.end_s)
                for final in done.finals
                if final.text
            ],
            usage=Usage(
                prompt_tokens=done.n_tokens,
                completion_tokens=done.n_tokens,
                total_tokens=2 * done.n_tokens,
                prompt_audio_seconds=round(done.duration_s),
            ),
        ).model_dump_json()

    def _session(self) -> Session:
        settings = self._in_effect
        return Session(
            request_id=self._request_id,
            model=self._context.model,
            audio_format=show_format(settings.format),
            target_streaming_delay_ms=settings.delay_ms or self._context.default_delay_ms,
            turn_detection=show_turn(settings.endpoint),
        )


def _warning(notice: Notice) -> str:
    return WarningEvent(warning=notice).model_dump_json()


def _error(error: VoxwireError) -> str:
    return ErrorEvent(error=Fault(message=error.message, code=_status(error))).model_dump_json()


def _status(error: VoxwireError) -> int:
    match error:
        case InvalidRequestError():
            return 400
        case RefusedError():
            return 503
        case _:
            return 500
