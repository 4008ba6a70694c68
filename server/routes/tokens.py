"""Short-lived tokens: a page's own server asks for one with its key, and hands it to the page."""

from __future__ import annotations

import json
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from ...protocol.client_secrets import ClientSecret, ClientSecretRequest, begun_with, read_request
from ...protocol.errors import TooLargeError
from ..doors.asgi import visitor_of
from ..doors.doorman import TOKENS_PATH, Visitor
from ..doors.tokens import MAX_SESSION_BYTES, TokenMint

router = APIRouter(tags=["tokens"])

MAX_BODY_BYTES = 4 * MAX_SESSION_BYTES  # spaces and escapes


@router.post(
    TOKENS_PATH,
    openapi_extra={
        "requestBody": {
            "content": {"application/json": {"schema": ClientSecretRequest.model_json_schema()}}
        }
    },
)
async def client_secrets(
    request: Request, visitor: Annotated[Visitor, Depends(visitor_of)]
) -> ClientSecret:
    """Make a token that opens sessions for 10 seconds to 2 hours, as OpenAI's does.

    A session that it opens begins with the settings that stand here.
    """
    wanted = read_request(await _read(request))
    session = json.dumps(wanted.session, separators=(",", ":"))
    if len(session) > MAX_SESSION_BYTES:
        message = f"expected a session of {MAX_SESSION_BYTES} bytes at most, got {len(session)}"
        raise TooLargeError(message, param="session")
    mint: TokenMint = request.app.state.token_mint
    carried = session if len(wanted.session) > 1 else ""  # more than the type that all have
    value, expires_at = mint.issue(visitor.key_id, wanted.expires_after.seconds, carried)
    shown = begun_with(wanted.session, f"sess_{secrets.token_hex(12)}")
    return ClientSecret(value=value, expires_at=expires_at, session=shown)


async def _read(request: Request) -> bytes:
    """Return the body, of a bounded size. Raises TooLargeError."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            raise TooLargeError(f"expected a body of {MAX_BODY_BYTES} bytes at most")
    return body
