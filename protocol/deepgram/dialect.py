"""Deepgram's live transcription, sans I/O.

Each segment is a Results whose `is_final` is true; interim Results hold the open segment's text so
far, if the client asked. Text is never taken back, so an interim one always begins the final one.
"""

from __future__ import annotations

import hashlib
import math
import string
import uuid
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Self

from ..closing import INTERNAL, closing
from ..dialect import Close, Context, Message
from ..errors import IdleError, VoxwireError
from ..messages import MessageError, parse_object, quoted, wire_code
from ..session import (
    Audio,
    CloseReason,
    Commit,
    Ended,
    Event,
    Final,
    Finish,
    HeardWord,
    KeepAlive,
    Lag,
    Partial,
    Received,
    Reply,
    Request,
    RequestRefused,
    Score,
    SessionSettings,
    VadEndpoint,
)
from ..session import SpeechStarted as SpeechStartedEvent
from .messages import (
    Alternative,
    Channel,
    ConfigureFailure,
    ConfigureSuccess,
    ErrorMessage,
    Metadata,
    ModelInfo,
    Results,
    ResultsMetadata,
    SpeechStarted,
    UtteranceEnd,
    WordFields,
)
from .query import Query
from .utterance_end import UtteranceEnds

_ARCHITECTURE = "voxtral-realtime"
_SPEECH_ENDS = {CloseReason.ENDPOINT, CloseReason.COMMIT, CloseReason.END}


class Deepgram:
    """One client's view of a session. settings: what its address asked for."""

    name: ClassVar[str] = "deepgram"

    def __init__(self, query: Query, context: Context) -> None:
        self.settings: SessionSettings = query.settings(context.endpoint_silence_ms)
        self._query = query
        self._warnings = query.warnings() or None
        self._created_s = context.now_s()
        self._request_id = context.new_id("req")
        self._model = ModelInfo(name=context.model, version="", arch=_ARCHITECTURE)
        self._model_uuid = str(uuid.uuid5(uuid.NAMESPACE_URL, context.model))
        self._sha256 = hashlib.sha256()
        gap_ms = query.utterance_end_ms
        self._ends = UtteranceEnds(None if gap_ms is None else gap_ms / 1000)
        self._open_from_s = 0.0  # where the open segment begins, if no turn does
        self._open_scores: list[Score] = []
        self._turns_s: deque[float] = deque()  # where turns begin of which no final came
        self._heard_s = 0.0  # audio in which all turns are told, where a detector tells them

    @classmethod
    def from_query(cls, query: Mapping[str, str], context: Context) -> Self:
        """Return the dialect for the address that a client called. Raises InvalidRequestError."""
        return cls(Query.read(query), context)

    def greet(self) -> Sequence[Message]:
        """Return nothing: the first word is the client's."""
        return ()

    def receive(self, message: Message) -> Sequence[Request]:
        """Return what a message asks for. Raises InvalidRequestError."""
        if isinstance(message, bytes):
            return self._hear(message)
        fields = parse_object(message)
        match fields.get("type"):
            case "KeepAlive":
                return [KeepAlive()]
            case "Finalize":
                return [Commit()]
            case "CloseStream":
                return [Finish()]
            case "Configure":
                asks = bool(fields.get("features")) or fields.get("keyterms") is not None
                return [Reply(self._refuse_configure() if asks else self._accept_configure())]
            case name:
                got = quoted(name) if isinstance(name, str) else "nothing"
                message = f"expected KeepAlive, Finalize, CloseStream or Configure, got {got}"
                raise MessageError(message, code="SchemaError", param="type")

    def _hear(self, data: bytes) -> Sequence[Request]:
        if not data:  # Deepgram's old way to close
            return [Finish()]
        self._sha256.update(data)
        return [Audio(data)]

    def tell(self, event: Event) -> Sequence[Message | Close]:
        """Return how Deepgram says an event; nothing where it has no word for it."""
        match event:
            case Partial():
                return self._interim(event)
            case Final():
                return self._final(event)
            case Lag():
                return self._told_end(event.emitted_ms / 1000)
            case Received() if isinstance(self.settings.endpoint, VadEndpoint):
                # Between turns of speech no clock but that of the bytes goes on.
                self._heard_s = event.n_bytes / self.settings.format.bytes_per_s
                return self._told_end(self._heard_s)
            case SpeechStartedEvent():
                return self._speech_started(event.at_s)
            case RequestRefused():
                return [_error(event.error)]
            case Ended():
                return self._ended(event)
            case _:
                return ()

    def _speech_started(self, at_s: float) -> Sequence[Message]:
        over = self._told_end(at_s)
        self._ends.spoken()
        self._turns_s.append(at_s)
        if not self._query.vad_events:
            return over
        return [*over, SpeechStarted(timestamp=_rounded(at_s)).json_text()]

    def _interim(self, event: Partial) -> Sequence[Message]:
        if event.delta:
            self._ends.spoken()
        self._open_scores += event.scores
        if not self._query.interim_results:
            return ()
        alternative = Alternative(
            transcript=event.text, confidence=_confidence(self._open_scores), words=[]
        )
        # Where more came at once than is heard yet, the next turns have begun too.
        start_s = min(self._turns_s[0] if self._turns_s else self._open_from_s, event.at_s)
        return [self._results(alternative, start_s, event.at_s).json_text()]

    def _final(self, event: Final) -> Sequence[Message]:
        self._open_from_s = event.end_s
        self._open_scores.clear()
        words = [_word(heard) for heard in event.words]
        scores = [word.confidence for word in words]
        confidence = sum(scores) / len(scores) if scores else 0.0
        alternative = Alternative(
            transcript=event.text, confidence=_rounded(confidence), words=words
        )
        result = self._results(alternative, event.start_s, event.end_s, event.reason)
        if event.words:
            self._ends.final(event.words[-1].word.end_s)
        return [result.json_text(), *self._told_end_after(event.end_s)]

    def _told_end_after(self, end_s: float) -> Sequence[Message]:
        """Tell that the utterance is over if that is known when a segment is: by the next turn.

        The turns after it may have been told before its final was.
        """
        while self._turns_s and self._turns_s[0] < end_s:
            self._turns_s.popleft()
        if not self._turns_s:
            return self._told_end(max(end_s, self._heard_s))
        over = self._told_end(self._turns_s[0])
        self._ends.spoken()
        return over

    def _results(
        self,
        alternative: Alternative,
        start_s: float,
        end_s: float,
        reason: CloseReason | None = None,
    ) -> Results:
        """Return a result, which is final where a reason is given."""
        is_pause = reason is CloseReason.ENDPOINT
        return Results(
            start=_rounded(start_s),
            duration=_rounded(max(0.0, end_s - start_s)),
            is_final=reason is not None,
            speech_final=self._query.tells_endpoints if is_pause else reason in _SPEECH_ENDS,
            channel=Channel(alternatives=[alternative]),
            metadata=ResultsMetadata(
                request_id=self._request_id,
                model_info=self._model,
                model_uuid=self._model_uuid,
                warnings=self._warnings,
            ),
            from_finalize=reason is CloseReason.COMMIT,
        )

    def _told_end(self, at_s: float) -> Sequence[Message]:
        last_word_end_s = self._ends.passed(at_s)
        if last_word_end_s is None:
            return ()
        return [UtteranceEnd(last_word_end=_rounded(last_word_end_s)).json_text()]

    def _ended(self, event: Ended) -> Sequence[Message | Close]:
        summary = Metadata(
            request_id=self._request_id,
            sha256=self._sha256.hexdigest(),
            created=_iso(self._created_s),
            duration=_rounded(event.audio_s),
            channels=self.settings.format.n_channels,
            models=[self._model_uuid],
            model_info={self._model_uuid: self._model},
            warnings=self._warnings,
        ).json_text()
        if event.error is None:
            return [*self._told_end(event.audio_s), summary, closing(event)]
        close = closing(event)
        if isinstance(event.error, IdleError):
            close = Close(INTERNAL, "NET-0001")
        return [_error(event.error), summary, close]

    def _accept_configure(self) -> str:
        return ConfigureSuccess(request_id=self._request_id).json_text()

    def _refuse_configure(self) -> str:
        return ConfigureFailure(
            request_id=self._request_id,
            code="CONFIGURE_KEYTERMS_NOT_SUPPORTED",
            description="the model takes neither keyterms nor formatting features",
        ).json_text()


def _error(error: VoxwireError) -> str:
    variant = wire_code(error)
    known = "SchemaError" if variant == "invalid_json" else variant
    return ErrorMessage(variant=known, description=error.message).json_text()


def _word(heard: HeardWord) -> WordFields:
    text = heard.word.text
    return WordFields(
        word=text.strip(string.punctuation).lower() or text,
        start=_rounded(heard.word.start_s),
        end=_rounded(heard.word.end_s),
        confidence=heard.confidence or 0.0,
        punctuated_word=text,
    )


def _confidence(scores: Sequence[Score]) -> float:
    if not scores:
        return 0.0
    return _rounded(math.exp(sum(score.log_prob for score in scores) / len(scores)))


def _iso(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _rounded(value: float) -> float:
    return round(value, 4)
