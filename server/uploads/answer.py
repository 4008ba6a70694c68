"""Answer one upload: receive, decode, transcribe, tell; end at once when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import BinaryIO

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ...protocol.errors import NotReadyError, UnsupportedError, VoxwireError
from ...protocol.openai_rest.answers import Progress, TextDelta
from ...protocol.openai_rest.form import TranscriptionRequest, read_form
from ...protocol.openai_rest.heard import Heard, TextToken, document, done, log_probs
from ..engine.place import Place
from ..service import Service
from .decoding import DecoderLimits, Decoding
from .queue import UploadQueue
from .receive import MeteredBody, ReceiveLimits, check_head, received_form
from .sender import Sender
from .transcribe import Upload, Written

_PROGRESS_S = 1.0  # of audio, between two reports


@dataclass(frozen=True, slots=True)
class Uploads:
    """What all uploads of one server share."""

    service: Service
    queue: UploadQueue
    receiving: ReceiveLimits
    decoding: DecoderLimits


class UploadAnswer(Response):
    """The answer to a request for a transcription, which it receives itself."""

    def __init__(self, uploads: Uploads) -> None:
        super().__init__()
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer over ASGI."""
        body = MeteredBody(receive, self._uploads.receiving)
        sender = Sender(send)
        try:
            await self._serve(Request(scope, receive), body, sender)
        except ClientDisconnect:
            pass
        except VoxwireError as error:
            await sender.fail(error, is_last=not body.is_complete)

    async def _serve(self, request: Request, body: MeteredBody, sender: Sender) -> None:
        self._check_open()
        check_head(request, self._uploads.receiving)
        async with (
            self._uploads.queue.place() as place,
            received_form(request, body, self._uploads.receiving) as form,
        ):
            asked = read_form(form.fields)
            work = self._transcribe(place, form.file, asked, sender)
            await _unless_left(request.receive, work)

    def _check_open(self) -> None:
        service = self._uploads.service
        if service.settings.max_uploads == 0:
            raise UnsupportedError("expected no uploads: this server takes none")
        if service.is_draining or not service.engine.is_ready:
            raise NotReadyError("the server is starting or going down", service.settings.drain_s)

    async def _transcribe(
        self, place: Place, file: BinaryIO, asked: TranscriptionRequest, sender: Sender
    ) -> None:
        service = self._uploads.service
        async with Decoding(file, self._uploads.decoding) as decoding:
            self._check_open()  # it may have changed while the file came
            delay_ms = asked.delay_ms or service.default_delay_ms
            wants_scores = asked.wants_log_probs or asked.wants_segments
            session = place.open(delay_ms, log_probs=wants_scores)
            async with Upload(decoding, session, service.tekken) as upload:
                first = await anext(upload)  # a file that fails at once is refused by its status
                if asked.is_streamed:
                    await self._stream(upload, first, asked, delay_ms, sender)
                else:
                    async for _ in upload:
                        pass
                    heard = upload.heard(service.model_name, delay_ms)
                    text, media_type = document(heard, asked)
                    await sender.whole(text, media_type, self._facts(asked, heard.n_damaged))

    async def _stream(
        self,
        upload: Upload,
        first: Written,
        asked: TranscriptionRequest,
        delay_ms: int,
        sender: Sender,
    ) -> None:
        events = _Events(asked, sender)
        await sender.begin("text/event-stream", self._facts(asked))
        await events.tell(first)
        async for written in upload:
            await events.tell(written)
        await events.finish(upload.heard(self._uploads.service.model_name, delay_ms))

    def _facts(self, asked: TranscriptionRequest, n_damaged: int = 0) -> dict[str, str]:
        headers = {"x-voxwire-model": _header_text(self._uploads.service.model_name)}
        if asked.ignored:
            headers["x-voxwire-ignored"] = ", ".join(asked.ignored)
        if n_damaged:
            headers["x-voxwire-damaged-packets"] = str(n_damaged)
        return headers


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


async def _unless_left(receive: Receive, work: Coroutine[object, object, None]) -> None:
    """Run `work`, which is cancelled when the client leaves. Raises what `work` raises."""
    worker = asyncio.ensure_future(work)
    watcher = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({worker, watcher}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        worker.cancel()
        watcher.cancel()
        await asyncio.wait({worker, watcher})
    if not worker.cancelled():
        worker.result()


async def _left(receive: Receive) -> None:
    """Return when the client leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _header_text(name: str) -> str:
    """Return a model's name as a header may carry it: a folder may be called anything."""
    return name.encode("ascii", "backslashreplace").decode().replace("\n", " ").replace("\r", " ")
