"""One HTTP answer, sent piece by piece to a client that may not read it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from pydantic import BaseModel
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Send

from ...protocol.errors import VoxwireError
from ...protocol.openai_rest.errors import ErrorBody, error_body, error_headers, status_of

LINGER_S = 2.0
STALL_S = 60.0  # who takes nothing for so long has left


class Sender:
    """Sends raise ClientDisconnect when the client takes nothing for STALL_S.

    request_id: by which the client may ask, and our log tells, what became of it. is_finished: the
    last piece was sent.
    """

    def __init__(self, send: Send, request_id: str, stall_s: float = STALL_S) -> None:
        self._send = send
        self._request_id = request_id
        self._stall_s = stall_s
        self._has_begun = False
        self.is_finished = False

    async def whole(self, text: str, media_type: str, headers: Mapping[str, str]) -> None:
        """Send the whole answer."""
        await self._begin_whole(text, media_type, headers, 200)
        await self.send(text, is_last=True)

    async def begin(self, media_type: str, headers: Mapping[str, str], status: int = 200) -> None:
        """Send the head."""
        self._has_begun = True
        message: Message = {"type": "http.response.start", "status": status, "headers": []}
        own = MutableHeaders(scope=message)
        is_json = media_type == "application/json"
        own["content-type"] = media_type if is_json else f"{media_type}; charset=utf-8"
        own["cache-control"] = "no-store"
        own["x-request-id"] = self._request_id  # OpenAI's SDK shows it with an error
        if media_type == "text/event-stream":
            own["x-accel-buffering"] = "no"  # proxies that follow nginx pass events on at once
        own.update(headers)
        await self._put(message)

    async def send(self, text: str, *, is_last: bool = False) -> None:
        """Send a piece of the body."""
        body = text.encode()
        await self._put({"type": "http.response.body", "body": body, "more_body": not is_last})
        self.is_finished = is_last

    async def send_event(self, event: BaseModel, *, is_last: bool = False) -> None:
        """Send a piece of the body as a server-sent event."""
        json = event.model_dump_json(exclude_none=not isinstance(event, ErrorBody))
        await self.send(f"data: {json}\n\n", is_last=is_last)

    async def fail(self, error: VoxwireError, unread: Receive | None) -> None:
        """Send an error, by its status or as the stream's last event; or nobody reads it.

        unread: where more of the request may come. It is thrown away for a while: a connection
        that is closed over unread bytes is reset, and the client might never see the error.
        """
        with suppress(ClientDisconnect):
            if self._has_begun:
                await self.send_event(error_body(error), is_last=True)
                return
            headers = error_headers(error) | ({"connection": "close"} if unread else {})
            text = error_body(error).model_dump_json()
            await self._begin_whole(text, "application/json", headers, status_of(error))
            await self.send(text)
            if unread is not None:
                await _throw_away(unread)
            await self.send("", is_last=True)

    async def _begin_whole(
        self, text: str, media_type: str, headers: Mapping[str, str], status: int
    ) -> None:
        length = {"content-length": str(len(text.encode()))}
        await self.begin(media_type, {**headers, **length}, status)

    async def _put(self, message: Message) -> None:
        try:
            async with asyncio.timeout(self._stall_s):
                await self._send(message)
        except TimeoutError:
            raise ClientDisconnect from None


async def _throw_away(receive: Receive) -> None:
    """Receive what comes of a request, for LINGER_S at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            while (await receive()).get("more_body"):
                pass
