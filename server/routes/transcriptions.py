"""POST /v1/audio/transcriptions: whole recordings, as OpenAI's interface takes them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ...protocol.errors import UnsupportedError
from ...protocol.openai_rest.answers import Transcription, VerboseTranscription
from ...protocol.openai_rest.errors import ErrorBody
from ...protocol.openai_rest.form import form_schema
from ..doors.asgi import visitor_of
from ..service import Service
from ..uploads.answer import UploadAnswer, Uploads
from ..uploads.decoding import DecoderLimits
from ..uploads.queue import UploadQueue
from ..uploads.receive import FORM_TYPE, ReceiveLimits

QUEUE_PATIENCE_S = 30.0

router = APIRouter(prefix="/v1/audio", tags=["Recordings"])

_TEACHING = """
Send a recording, get its words. Any container and codec that FFmpeg reads will do.

```
curl http://127.0.0.1:8000/v1/audio/transcriptions -F file=@talk.mp3 -F response_format=srt
```
```
from openai import OpenAI
client = OpenAI(base_url="http://127.0.0.1:8000/v1", api_key="none")
print(client.audio.transcriptions.create(model="voxtral", file=open("talk.mp3", "rb")).text)
```

With `stream=true` the text comes while it is found: server-sent events `transcript.text.delta`,
then one `transcript.text.done`; an error that comes late is an event `{"error": ...}` and the
last. Between them comment lines `: progress {"done_s": 12.0, "total_s": 60.0}` tell how far it
is. With `response_format=verbose_json` the last event has words and segments too.

Fields that change nothing are accepted and named in the header `x-voxwire-ignored`.
"""
_ERRORS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorBody, "description": "A field is wrong, or the file is no recording."},
    408: {"model": ErrorBody, "description": "The upload stopped, or came too slowly."},
    413: {"model": ErrorBody, "description": "More bytes or seconds than are allowed."},
    415: {"model": ErrorBody, "description": "The body is no multipart/form-data."},
    500: {"model": ErrorBody, "description": "The server failed."},
    503: {
        "model": ErrorBody,
        "description": "No room now.",
        "headers": {
            "Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}},
        },
    },
}
_EVENT = {
    "type": "object",
    "properties": {
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "transcript.text.delta, transcript.text.done or an error.",
        }
    },
    "required": ["data"],
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": VerboseTranscription | Transcription,
        "description": "The transcript, in the form that was asked for.",
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            "application/x-subrip": {"schema": {"type": "string"}},
            "text/vtt": {"schema": {"type": "string"}},
            "text/event-stream": {"schema": _EVENT},
        },
        "headers": {
            "x-voxwire-model": {"description": "What was served.", "schema": {"type": "string"}},
            "x-voxwire-delay-ms": {
                "description": "How far ahead the model heard.",
                "schema": {"type": "integer"},
            },
            "x-voxwire-ignored": {
                "description": "Fields that came and changed nothing, divided by commas.",
                "schema": {"type": "string"},
            },
            "x-request-id": {
                "description": "By which the server's log tells of it; of an error, too.",
                "schema": {"type": "string"},
            },
            "x-voxwire-damaged-packets": {
                "description": "Packets of the file that were left out.",
                "schema": {"type": "integer"},
            },
        },
    },
    **_ERRORS,
}


@router.post(
    "/transcriptions",
    summary="Transcribe a recording",
    description=_TEACHING,
    responses=_ANSWERS,
    openapi_extra={
        "requestBody": {"required": True, "content": {FORM_TYPE: {"schema": form_schema()}}}
    },
)
async def transcribe(request: Request) -> Response:
    """Receive a recording and answer with its transcript."""
    return UploadAnswer(_uploads(request), visitor_of(request).key_id)


@router.post(
    "/translations",
    summary="Not offered: the model transcribes and does not translate",
    responses={400: {"model": ErrorBody, "description": "Always."}},
    status_code=400,
)
async def translate() -> Response:
    """Refuse, by name."""
    raise UnsupportedError("expected /v1/audio/transcriptions: this model does not translate")


def _uploads(request: Request) -> Uploads:
    """Return what all uploads share, made when the first one comes."""
    state = request.app.state
    if not hasattr(state, "uploads"):
        service: Service = state.service
        limit = service.settings
        state.uploads = Uploads(
            service,
            UploadQueue(service.engine, limit.max_uploads, QUEUE_PATIENCE_S),
            ReceiveLimits(max_file_bytes=limit.max_upload_bytes),
            DecoderLimits(max_audio_s=limit.max_upload_s),
        )
    uploads: Uploads = state.uploads
    return uploads
