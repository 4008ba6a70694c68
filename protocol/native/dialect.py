"""The native dialect: one connection to `/v1/stream`, sans I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import ValidationError

from .. import session
from ..closing import closing
from ..dialect import Close, Context, Message
from ..errors import InvalidRequestError, VoxwireError
from ..messages import own_words
from . import messages
from .parameters import Parameters, Settings, parameters_from, settings_from
from .resume import SentLog


class Native:
    """What a client of `/v1/stream` says and is told.

    settings: what its address asked for. resume_token: what the client shows to go on with its
    session on another socket; None where the session ends with its socket.
    """

    name: ClassVar[str] = "native"

    def __init__(
        self, settings: session.SessionSettings, context: Context, unknown: Sequence[str] = ()
    ) -> None:
        self.settings = settings
        self._context = context
        self._unknown = unknown
        self._seq = 0
        self._sent = SentLog()
        self._close: Close | None = None  # once the end was told
        grace_s = context.resume_grace_s
        self.resume_token = context.new_id("resume") if grace_s else None
        # A config changes what was asked for last, which the session may not have answered yet.
        self._asked = self._held = settings
        self._pads = session.PadEndpoint(context.endpoint_silence_ms)

    @classmethod
    def from_query(cls, query: Mapping[str, str], context: Context) -> Native:
        """Return the dialect for an address with these parameters.

        Raises InvalidRequestError with the parameter that is wrong.
        """
        known = {name: value for name, value in query.items() if name in Parameters.model_fields}
        unknown = sorted(query.keys() - known.keys())
        try:
            wanted = Parameters.model_validate(known)
        except ValidationError as error:
            raise _refusal(error) from error
        pads = session.PadEndpoint(context.endpoint_silence_ms)
        settings = settings_from(wanted, session.SessionSettings(endpoint=pads), pads)
        return cls(settings, context, unknown)

    def greet(self) -> Sequence[Message]:
        """Return `ready`, and a `warning` for each parameter that means nothing here."""
        ready = self._say(
            messages.Ready,
            session=self._context.new_id("sess"),
            model=self._context.model,
            settings=self._written(self.settings),
            resume=self.resume_token,
            resume_grace_s=self._context.resume_grace_s or None,
        )
        return [ready, *(self._warn_of(name) for name in self._unknown)]

    def receive(self, message: Message) -> Sequence[session.Request]:
        """Return what a frame asks for. Raises InvalidRequestError, with the message's `ref`."""
        if isinstance(message, bytes):
            return [session.Audio(message)]
        try:
            asked = messages.CLIENT_MESSAGE.validate_json(message)
        except ValidationError as error:
            raise _refusal(error, ref=_ref_in(message)) from error
        match asked:
            case messages.Audio():
                return [session.Audio(asked.audio, asked.ref)]
            case messages.Commit():
                return [session.Commit(asked.ref)]
            case messages.Clear():
                return [session.Clear(asked.ref)]
            case messages.End():
                return [session.Finish(asked.ref)]
            case messages.KeepAlive():
                return [session.KeepAlive(asked.ref)]
            case messages.Config():
                return [self._configure(asked)]
            case messages.Ack():
                self._sent.acknowledge(asked.seq)
                return [session.KeepAlive(asked.ref)]

    def resume(self, after_seq: int, received: session.Received) -> Sequence[Message | Close]:
        """Return `resumed`, what was missed, and the close where the end was told.

        Raises ResumeError.
        """
        missed = self._sent.after(after_seq)
        resumed = messages.Resumed(
            seq=after_seq, audio_bytes=received.n_bytes, controls=received.n_controls
        )
        end = [] if self._close is None else [self._close]
        return [resumed.model_dump_json(), *missed, *end]

    def _configure(self, asked: messages.Config) -> session.Configure:
        try:
            self._asked = settings_from(asked, self._asked, self._pads)
        except InvalidRequestError as error:
            error.ref = asked.ref
            raise
        return session.Configure(self._asked, asked.ref)

    def tell(self, event: session.Event) -> Sequence[Message | Close]:
        """Return an event as a message; of Ended, `error` where there is one, `bye`, the close."""
        match event:
            case session.Partial():
                return [self._partial(event)]
            case session.Final():
                return [self._final(event)]
            case session.Lag():
                return [self._lag(event)]
            case session.Received(n_bytes, n_controls):
                came = {"audio_bytes": n_bytes, "controls": n_controls}
                return [self._say(messages.Received, **came)]
            case session.Configured():
                return [self._configured(event)]
            case session.SpeechStarted(segment, at_s):
                return [self._say(messages.SpeechStarted, segment=segment, at_s=at_s)]
            case session.SpeechStopped(segment, at_s):
                return [self._say(messages.SpeechStopped, segment=segment, at_s=at_s)]
            case session.Committed(segment, reason):
                return [self._say(messages.Committed, segment=segment, reason=reason)]
            case session.Cleared(ref):
                return [self._say(messages.Cleared, ref=ref)]
            case session.Warned(code, text):
                return [self._say(messages.Warned, code=code, message=text)]
            case session.RequestRefused(error, ref):
                self._asked = self._held
                return [self._error(error, ref)]
            case session.Draining(seconds_left):
                return [self._draining(seconds_left)]
            case session.Ended():
                return self._ended(event)

    def _partial(self, event: session.Partial) -> str:
        return self._say(
            messages.Partial,
            segment=event.segment,
            delta=event.delta,
            text=event.text,
            at_s=event.at_s,
            scores=_scores(event.scores),
        )

    def _final(self, event: session.Final) -> str:
        return self._say(
            messages.Final,
            segment=event.segment,
            reason=event.reason,
            text=event.text,
            words=tuple(map(_word, event.words)),
            start_s=event.start_s,
            end_s=event.end_s,
            scores=_scores(event.scores),
        )

    def _lag(self, event: session.Lag) -> str:
        return self._say(
            messages.Lag,
            received_ms=event.received_ms,
            processed_ms=event.processed_ms,
            emitted_ms=event.emitted_ms,
            real_time_factor=event.real_time_factor,
        )

    def _configured(self, event: session.Configured) -> str:
        self._held = event.settings
        settings = self._written(event.settings)
        return self._say(messages.Configured, settings=settings, ref=event.ref)

    def _draining(self, seconds_left: float) -> str:
        text = f"the server goes down in {seconds_left:g} s; open segments are finished before"
        return self._say(messages.Warned, code="draining", message=text, seconds_left=seconds_left)

    def _ended(self, event: session.Ended) -> Sequence[Message | Close]:
        self._close = closing(event)
        error = [] if event.error is None else [self._error(event.error)]
        bye = self._say(messages.Bye, reason=event.reason, audio_s=event.audio_s)
        return [*error, bye, self._close]

    def _error(self, error: VoxwireError, ref: str | None = None) -> str:
        return self._say(
            messages.Error,
            code=error.code,
            message=error.message,
            param=getattr(error, "param", None),
            retry_after_s=error.retry_after_s,
            ref=ref,
        )

    def _warn_of(self, name: str) -> str:
        known = ", ".join(Parameters.model_fields)
        text = f"parameter {name[:64]!r} means nothing here; known are {known}"
        return self._say(messages.Warned, code="unknown_parameter", message=text)

    def _written(self, settings: session.SessionSettings) -> Settings:
        return parameters_from(settings, self._context.default_delay_ms)

    def _say(self, kind: type[messages.ServerModel], **fields: Any) -> str:
        self._seq += 1
        message = kind(seq=self._seq, **fields).model_dump_json(exclude_none=True)
        if self.resume_token is not None:
            self._sent.add(self._seq, message)
        return message


def _word(heard: session.HeardWord) -> messages.Word:
    return messages.Word(**heard.word.model_dump(), confidence=heard.confidence)


def _scores(scores: Sequence[session.Score]) -> tuple[messages.Score, ...] | None:
    return tuple(map(_score, scores)) or None


def _score(score: session.Score) -> messages.Score:
    text = score.data.decode(errors="replace")
    return messages.Score(text=text, bytes=tuple(score.data), log_prob=score.log_prob)


def _refusal(error: ValidationError, ref: str | None = None) -> InvalidRequestError:
    """Say what was wrong first, without the value: it may be audio."""
    first = error.errors(include_url=False, include_input=False)[0]
    path = [str(part) for part in first["loc"]]
    param = path[-1] if path else None
    told = own_words(first["msg"])
    message = told if param is None else f"{'.'.join(path)}: {told}"
    return InvalidRequestError(message, param=param, ref=ref)


def _ref_in(message: str) -> str | None:
    """Return the client's id of a message that is otherwise wrong, if it has one."""
    try:
        return messages.OnlyRef.model_validate_json(message).ref
    except ValidationError:
        return None
