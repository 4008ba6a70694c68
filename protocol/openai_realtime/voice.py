"""Write the events that a client of OpenAI's Realtime API is told, as JSON text."""

from __future__ import annotations

from collections.abc import Sequence

from ..dialect import Context
from ..errors import ForbiddenError, InvalidRequestError, UnauthorizedError, VoxwireError
from ..messages import wire_code
from ..session import Final, Partial, Score
from . import server_events as wire
from .config import Config, Note, Update, show, show_beta
from .items import Utterance
from .shapes import Content, Duration, EchoedFault, Fault, Item, LogProb, Notice


class Voice:
    """Says each thing once, in the names of now or of the beta, as the client's last update did."""

    def __init__(self, context: Context, *, is_beta: bool) -> None:
        self._context = context
        self._session_id = context.new_id("sess")
        self.is_beta = is_beta

    def created(self, config: Config) -> str:
        """Greet with the settings at the start."""
        ignored: list[str] = []
        about = (config, self._session_id, self._context.model, ignored)
        if self.is_beta:
            beta = wire.BetaSessionCreated(event_id=self._event_id(), session=show_beta(*about))
            return beta.model_dump_json()
        return wire.SessionCreated(
            event_id=self._event_id(),
            session=show(*about),
            id=self._session_id,
            created=int(self._context.now_s()),
        ).model_dump_json()

    def updated(self, update: Update) -> list[str]:
        """Answer an update, and name what it asked for in vain."""
        ignored = [note.param for note in update.notes]
        about = (update.config, self._session_id, self._context.model, ignored)
        event: wire.SessionUpdated | wire.BetaSessionUpdated
        if update.event == "transcription_session.update":
            event = wire.BetaSessionUpdated(event_id=self._event_id(), session=show_beta(*about))
        else:
            session = show_beta(*about) if update.is_beta else show(*about)
            event = wire.SessionUpdated(event_id=self._event_id(), session=session)
        return [event.model_dump_json(), *self.ignored(update.notes)]

    def ignored(self, notes: Sequence[Note]) -> list[str]:
        """Name fields that were asked for in vain, if any."""
        if not notes:
            return []
        named = "; ".join(f"{note.param} ({note.reason})" for note in notes)
        message = f"not supported, and ignored: {named}"
        return [self.warning("unsupported_fields", message, [note.param for note in notes])]

    def warning(self, code: str, message: str, params: Sequence[str] = ()) -> str:
        """Say what a client should know and need not act on."""
        notice = Notice(code=code, message=message, params=list(params))
        return wire.WarningEvent(event_id=self._event_id(), warning=notice).model_dump_json()

    def error(self, error: VoxwireError, ref: str | None) -> str:
        """Say that the event `ref` was refused, or why the session ends."""
        fault = EchoedFault(**_fault(error).model_dump(), event_id=ref)
        return wire.ErrorEvent(event_id=self._event_id(), error=fault).model_dump_json()

    def speech_started(self, item: Utterance, at_s: float) -> str:
        """Say when a turn began."""
        return wire.SpeechStarted(
            event_id=self._event_id(), audio_start_ms=_ms(at_s), item_id=item.id
        ).model_dump_json()

    def speech_stopped(self, item: Utterance, at_s: float) -> str:
        """Say when a turn was over."""
        return wire.SpeechStopped(
            event_id=self._event_id(), audio_end_ms=_ms(at_s), item_id=item.id
        ).model_dump_json()

    def committed(self, item: Utterance) -> list[str]:
        """Say that an item's audio is complete, and that it stands in the conversation."""
        committed = wire.Committed(
            event_id=self._event_id(), item_id=item.id, previous_item_id=item.previous_id
        )
        kind = wire.ItemCreated if self.is_beta else wire.ItemAdded
        added = kind(event_id=self._event_id(), previous_item_id=item.previous_id, item=_item(item))
        return [committed.model_dump_json(), added.model_dump_json()]

    def cleared(self) -> str:
        """Say that the buffer was emptied."""
        return wire.Cleared(event_id=self._event_id()).model_dump_json()

    def delta(self, item: Utterance, partial: Partial, *, wants_scores: bool) -> str:
        """Say new text."""
        return wire.Delta(
            event_id=self._event_id(),
            item_id=item.id,
            delta=partial.delta,
            logprobs=_log_probs(partial.scores) if wants_scores else None,
        ).model_dump_json()

    def completed(self, item: Utterance, final: Final, *, wants_scores: bool) -> list[str]:
        """Say all the text of an item, and that it is done."""
        seconds = max(0.0, round(final.end_s - final.start_s, 3))
        completed = wire.Completed(
            event_id=self._event_id(),
            item_id=item.id,
            transcript=final.text,
            usage=Duration(seconds=seconds),
            logprobs=_log_probs(final.scores) if wants_scores else None,
        ).model_dump_json()
        if self.is_beta:
            return [completed]
        done = wire.ItemDone(
            event_id=self._event_id(), previous_item_id=item.previous_id, item=_item(item)
        )
        return [completed, done.model_dump_json()]

    def failed(self, item: Utterance, error: VoxwireError) -> str:
        """Say why an item will have no transcript."""
        return wire.Failed(
            event_id=self._event_id(), item_id=item.id, error=_fault(error)
        ).model_dump_json()

    def retrieved(self, item: Utterance) -> str:
        """Show an item."""
        return wire.ItemRetrieved(event_id=self._event_id(), item=_item(item)).model_dump_json()

    def deleted(self, item_id: str) -> str:
        """Say that an item is forgotten."""
        return wire.ItemDeleted(event_id=self._event_id(), item_id=item_id).model_dump_json()

    def _event_id(self) -> str:
        return self._context.new_id("event")


def _ms(at_s: float) -> int:
    return round(at_s * 1000)


def _item(item: Utterance) -> Item:
    return Item(id=item.id, content=[Content(transcript=item.transcript)])


def _log_probs(scores: Sequence[Score]) -> list[LogProb]:
    return [
        LogProb(
            token=score.data.decode(errors="replace"),
            bytes=list(score.data),
            logprob=score.log_prob,
        )
        for score in scores
    ]


def _fault(error: VoxwireError) -> Fault:
    param = error.param if isinstance(error, InvalidRequestError) else None
    return Fault(type=_kind(error), code=wire_code(error), message=error.message, param=param)


def _kind(error: VoxwireError) -> str:
    if isinstance(error, InvalidRequestError):
        return "invalid_request_error"
    if isinstance(error, UnauthorizedError | ForbiddenError):
        return "authentication_error"
    return "server_error"
