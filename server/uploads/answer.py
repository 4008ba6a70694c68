"""Answer one upload: receive, decode, transcribe, tell; end at once when the client leaves."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...protocol.errors import (
    NotReadyError,
    RefusedError,
    SessionFailedError,
    ShutdownError,
    UnsupportedError,
    VoxwireError,
)
from ...protocol.openai_rest.answers import Progress, TextDelta
from ...protocol.openai_rest.form import TranscriptionRequest, read_form
from ...protocol.openai_rest.heard import Heard, TextToken, document, done, log_probs
from ...protocol.session import CloseReason
from ..engine.admission import Kind
from ..engine.place import Place
from ..metrics import Metrics
from ..service import Service, new_id
from .decoding import DecoderLimits, Decoding
from .queue import UploadQueue
from .receive import MeteredBody, ReceiveLimits, check_head, received_form
from .sender import Sender
from .transcribe import Upload, Written

T = TypeVar("T")

log = logging.getLogger(__name__)
_DIALECT = "rest"
_PROGRESS_S = 1.0  # of audio, between two reports


@dataclass(frozen=True, slots=True)
class Uploads:
    """What all uploads of one server share."""

    service: Service
    queue: UploadQueue
    receiving: ReceiveLimits
    decoding: DecoderLimits


class UploadAnswer(Response):
    """The answer to a request for a transcription, which it receives itself.

    key_id: of the visitor, None where nobody needs a key.
    """

    def __init__(self, uploads: Uploads, key_id: str | None) -> None:
        super().__init__()
        self._uploads = uploads
        self._key_id = key_id
        self._work: _Work | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer over ASGI."""
        metrics = self._uploads.service.metrics
        body = MeteredBody(receive, self._uploads.receiving)
        upload_id, began_s = new_id("upl"), time.monotonic()
        sender = Sender(send, upload_id)
        outcome, level = "internal", logging.INFO
        try:
            await self._admit(Request(scope, receive), body, sender)
            outcome = "done"
        except ClientDisconnect:
            outcome = "done" if sender.is_finished else "cancelled"
        except VoxwireError as error:
            outcome = error.code
            level = logging.ERROR if _is_fault(error) else level
            if isinstance(error, RefusedError):
                metrics.refused(outcome)
            await sender.fail(error, None if body.is_complete else receive)
        except asyncio.CancelledError:  # the server waits no longer
            outcome = ShutdownError.code
            await sender.fail(ShutdownError("the server is shutting down"), None)
            raise
        except Exception:
            log.exception("upload=%s failed", upload_id)
            await sender.fail(VoxwireError("the server failed"), None)
        finally:
            metrics.upload_ended(outcome)
            line = "upload=%s end=%s heard_s=%.1f seconds=%.1f"
            heard_s = 0.0 if self._work is None else self._work.heard_s
            log.log(level, line, upload_id, outcome, heard_s, time.monotonic() - began_s)

    async def _admit(self, request: Request, body: MeteredBody, sender: Sender) -> None:
        service = self._uploads.service
        _check_open(service)
        check_head(request, self._uploads.receiving)
        service.turnstile.enter(self._key_id)
        try:
            place = await _unless_left(body.left(), self._uploads.queue.take())
            try:
                await self._receive(request, body, place, sender)
            finally:
                self._uploads.queue.give_back(place)
        finally:
            service.turnstile.leave(self._key_id)

    async def _receive(
        self, request: Request, body: MeteredBody, place: Place, sender: Sender
    ) -> None:
        body.begin()
        async with received_form(request, body, self._uploads.receiving) as form:
            self._work = _Work(self._uploads, read_form(form.fields), sender)
            await _unless_left(body.left(), self._work.run(place, form.file))


class _Work:
    """One recording that is received."""

    def __init__(self, uploads: Uploads, asked: TranscriptionRequest, sender: Sender) -> None:
        self._service = uploads.service
        self._limits = uploads.decoding
        self._asked = asked
        self._delay_ms = asked.delay_ms or uploads.service.default_delay_ms
        self._sender = sender
        self._upload: Upload | None = None

    @property
    def heard_s(self) -> float:
        """Seconds of the recording that the engine took."""
        return 0.0 if self._upload is None else self._upload.heard_s

    async def run(self, place: Place, file: BinaryIO) -> None:
        """Decode it, transcribe it, and send the answer."""
        async with Decoding(file, self._limits) as decoding:
            _check_ready(self._service)  # it may have changed while the file came
            wants_scores = self._asked.wants_log_probs or self._asked.wants_segments
            session = place.open(self._delay_ms, log_probs=wants_scores)
            with _counted(self._service.metrics):
                async with Upload(decoding, session, self._service.tekken) as upload:
                    self._upload = upload
                    await (self._stream if self._asked.is_streamed else self._wait)(upload)

    async def _wait(self, upload: Upload) -> None:
        async for _ in upload:
            pass
        heard = self._heard(upload)
        text, media_type = document(heard, self._asked)
        await self._sender.whole(text, media_type, self._facts(heard.n_damaged))

    async def _stream(self, upload: Upload) -> None:
        events = _Events(self._asked, self._sender)
        first = await anext(upload)  # a file that fails at once is refused by its status
        await self._sender.begin("text/event-stream", self._facts())
        await events.tell(first)
        async for written in upload:
            await events.tell(written)
        await events.finish(self._heard(upload))

    def _heard(self, upload: Upload) -> Heard:
        heard = upload.heard(self._service.model_name, self._delay_ms)
        self._service.metrics.heard(Kind.UPLOAD, heard.transcript.duration_s)
        return heard

    def _facts(self, n_damaged: int = 0) -> dict[str, str]:
        headers = {
            "x-voxwire-model": _header_text(self._service.model_name),
            "x-voxwire-delay-ms": str(self._delay_ms),
        }
        if self._asked.ignored:
            headers["x-voxwire-ignored"] = ", ".join(self._asked.ignored)
        if n_damaged:
            headers["x-voxwire-damaged-packets"] = str(n_damaged)
        return headers


def _is_fault(error: VoxwireError) -> bool:
    """Tell an error of the server's own from what its client, or its operator, did."""
    return isinstance(error, SessionFailedError) and not isinstance(error, ShutdownError)


def _check_open(service: Service) -> None:
    if service.settings.max_uploads == 0:
        raise UnsupportedError("expected no uploads: this server takes none")
    if service.is_draining:
        raise NotReadyError("the server is going down", service.settings.drain_s)
    _check_ready(service)


def _check_ready(service: Service) -> None:
    if not service.engine.is_ready:
        raise NotReadyError("the engine is not ready", service.settings.drain_s)


@contextmanager
def _counted(metrics: Metrics) -> Iterator[None]:
    """Count a session of the engine, with why it ended."""
    metrics.session_opened(Kind.UPLOAD, _DIALECT)
    reason = CloseReason.DISCONNECT.value
    try:
        yield
        reason = CloseReason.END.value
    except VoxwireError as error:
        reason = error.code
        raise
    finally:
        metrics.session_ended(Kind.UPLOAD, _DIALECT, reason)


class _Events:
    """The server-sent events of one transcription."""

    def __init__(self, asked: TranscriptionRequest, sender: Sender) -> None:
        self._asked = asked
        self._sender = sender
        self._tokens: list[TextToken] = []  # of a character that is not yet complete
        self._told_s = -_PROGRESS_S

    async def tell(self, written: Written) -> None:
        """Tell new text, and from time to time how far it is."""
        if written.token is not None:
            self._tokens.append(written.token)
        if written.text:
            tokens, self._tokens = self._tokens, []
            scores = log_probs(tokens) if self._asked.wants_log_probs else None
            await self._sender.send_event(TextDelta(delta=written.text, logprobs=scores))
        if written.done_s >= self._told_s + _PROGRESS_S:
            self._told_s = written.done_s
            progress = Progress(done_s=round(written.done_s, 3), total_s=written.total_s)
            await self._sender.send(f": progress {progress.model_dump_json()}\n\n")

    async def finish(self, heard: Heard) -> None:
        """Tell the whole, and end."""
        duration_s = heard.transcript.duration_s
        progress = Progress(done_s=duration_s, total_s=duration_s)
        await self._sender.send(f": progress {progress.model_dump_json()}\n\n")
        await self._sender.send_event(done(heard, self._asked), is_last=True)


async def _unless_left(left: Coroutine[Any, Any, None], work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` returns. Raises what it raises, or ClientDisconnect, and ends it.

    left: returns when the client leaves.
    """
    worker = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(left)
    try:
        await asyncio.wait({worker, watcher}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        worker.cancel()
        watcher.cancel()
        await asyncio.wait({worker, watcher})
    if worker.cancelled():
        raise ClientDisconnect
    return worker.result()


def _header_text(name: str) -> str:
    """Return a model's name as a header may carry it: a folder may be called anything."""
    return name.encode("ascii", "backslashreplace").decode().replace("\n", " ").replace("\r", " ")
