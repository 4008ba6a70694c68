"""OpenAI's short-lived tokens for browsers: the request for one, and its answer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from .errors import InvalidRequestError, UnsupportedError
from .messages import own_words
from .openai_realtime.client_events import SessionUpdate
from .openai_realtime.config import Config, read_update

Json = dict[str, JsonValue]
TRANSCRIPTION = "transcription"


class ExpiresAfter(BaseModel):
    """How long the token is to be taken."""

    anchor: Literal["created_at"] = "created_at"
    seconds: int = Field(default=600, ge=10, le=7200)


class ClientSecretRequest(BaseModel):
    """What is asked for. session: what a session that this token opens begins with."""

    model_config = ConfigDict(extra="ignore")

    expires_after: ExpiresAfter = ExpiresAfter()
    session: Json = Field(default_factory=lambda: Json(type=TRANSCRIPTION))


class ClientSecret(BaseModel):
    """The token. expires_at: seconds since 1970. session: see `begun_with`."""

    value: str
    expires_at: int
    session: Json


def read_request(body: bytes) -> ClientSecretRequest:
    """Return what a body asks for; nothing in it takes all defaults.

    Raises InvalidRequestError, also for settings that no session could begin with.
    """
    try:
        wanted = ClientSecretRequest.model_validate_json(body.strip() or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        param = ".".join(map(str, first["loc"])) or None
        raise InvalidRequestError(
            f"{param or 'body'}: {own_words(first['msg'])}", param=param
        ) from None
    kind = wanted.session.setdefault("type", TRANSCRIPTION)
    if kind != TRANSCRIPTION:
        message = f"expected a session of type {TRANSCRIPTION!r}: this server does nothing else"
        raise UnsupportedError(message, param="session.type")
    read_update(Config(), SessionUpdate(type="session.update", session=wanted.session))
    return wanted


def begun_with(session: Json, session_id: str) -> Json:
    """Return what a session begins with, under the name that OpenAI's clients look for."""
    return {"id": session_id, "object": "realtime.transcription_session", **session}
