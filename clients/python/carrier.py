"""Carries one stream to its end, over as many connections and sessions as it takes."""

from __future__ import annotations

import asyncio
import contextlib

from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from ...protocol.errors import (
    DisplacedError,
    EngineDeadError,
    ResumeError,
    SessionClosedError,
    SessionFailedError,
    ShutdownError,
    VoxwireError,
)
from ...protocol.native import messages
from ...protocol.native.messages import Bye, Ready, ServerMessage
from ...protocol.native.parameters import Parameters
from ...protocol.session import CloseReason
from .addresses import address_of, next_address_of, resume_address_of
from .inbox import Inbox
from .link import Link, end_of
from .notices import Continued, Reconnected
from .persistence import Attempts, Persistence
from .refusals import error_of, refusal_of
from .ring import Ring, Said
from .sizes import RATE_HZ, Cutter, format_of
from .timeline import Timeline

ACK_EVERY = 64  # messages; the server keeps some hundred

_END = messages.End().model_dump_json(exclude_none=True)
_BROKEN = (OSError, ConnectionClosed, InvalidHandshake, EOFError)  # TimeoutError is an OSError
# The server ends, and with it the session, which another can follow.
_FOLLOWED = (ShutdownError, EngineDeadError)


class Carrier:
    """Says what is to be said, and hears what is told; connects again by itself.

    Call `open`, then let `run` go on in a task. All methods on one loop.
    """

    def __init__(
        self, url: str, key: str | None, parameters: Parameters, persistence: Persistence
    ) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._persistence = persistence
        self._address = address_of(url, parameters)
        self._settings = Parameters()  # as the server told them last
        self._token: str | None = None  # of the session at hand, where it can be gone on with
        self._ring = Ring(0)
        self._timeline = Timeline()
        self._cutter = Cutter()
        self._came_s = 0.0  # of the session's audio
        self._link: Link | None = None
        self.inbox = Inbox()
        self._has_more = asyncio.Event()  # to send
        self._has_room = asyncio.Event()
        self._is_ended = self._is_draining = self._is_over = False
        self._failure: Exception | None = None
        self._last_error: VoxwireError | None = None
        self._n_acknowledged = 0
        self._attempts = Attempts(persistence)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be sent."""
        return self._is_over

    # --- what the caller does ---

    async def open(self) -> Ready:
        """Open the first session. Raises what the first attempt does: VoxwireError or OSError."""
        try:
            first = await self._connect(self._address)
        except InvalidStatus as error:
            raise refusal_of(error.response) from None
        except (ConnectionClosed, InvalidHandshake) as error:
            raise SessionFailedError(f"expected ready, got: {error}") from error
        if not isinstance(first, Ready):
            raise SessionFailedError(f"expected ready first, got {first.type}")
        self._begin(first)
        self._timeline.last_seq = first.seq
        return first

    async def say_audio(self, data: bytes) -> None:
        """Send audio; waits where too much is unconfirmed."""
        for piece in self._cutter.cut(data, self._settings):
            await self._say(piece)

    async def say(self, message: str) -> None:
        """Send a message; waits where too many are unconfirmed."""
        for rest in self._cutter.rest():
            await self._say(rest)
        await self._say(message)
        self._is_ended |= message == _END

    async def say_now(self, message: str) -> None:
        """Send what means nothing later, if there is a connection."""
        if self._link is not None:
            with contextlib.suppress(ConnectionClosed):
                await self._link.send(message)

    async def run(self) -> None:
        """Carry the stream to its end. What it ends by is told to the caller."""
        try:
            while not await self._talk() and await self._connect_again():
                pass
        except Exception as error:  # of whatever kind: who reads would wait for ever
            self._failure = error
        finally:
            self._is_over = True
            self._has_room.set()
            await self._leave()
        await self.inbox.end(self._failure)

    async def hang_up(self) -> None:
        """Leave, once `run` is cancelled; the caller hears no more."""
        self._is_over = True
        await self._leave()
        self.inbox.cut()

    async def _say(self, said: Said) -> None:
        while not self._ring.has_room and not self._is_over:
            self._has_room.clear()
            await self._has_room.wait()
        if self._is_over:
            raise self._failure or SessionClosedError("the session has ended")
        self._ring.add(said)
        self._has_more.set()

    # --- one connection ---

    async def _talk(self) -> bool:
        """Send and hear over the connection; return whether all is told. False: it is over."""
        assert self._link is not None
        sending = asyncio.create_task(self._send_all(self._link))
        try:
            while True:
                message = await self._link.receive()
                self._timeline.last_seq = self._link.last_seq
                if await self._hear(message):
                    return True
                if isinstance(message, Bye):
                    return False
        except ConnectionClosed as error:
            if error.rcvd and error.rcvd.reason == DisplacedError.code:
                raise DisplacedError("the session goes on, on another connection") from error
            await self.inbox.put(self._attempts.failed(end_of(error)))
            if self._token is None:
                await self._lose()
            return False
        finally:
            sending.cancel()
            await asyncio.wait([sending])
            await self._leave()

    async def _send_all(self, link: Link) -> None:
        """Send what is kept and what follows, as long as the server takes it."""
        with contextlib.suppress(ConnectionClosed):
            while not self._is_draining:
                if self._timeline.last_seq - self._n_acknowledged >= ACK_EVERY:
                    self._n_acknowledged = self._timeline.last_seq
                    ack = messages.Ack(seq=self._n_acknowledged)
                    await link.send(ack.model_dump_json(exclude_none=True))
                elif (said := self._ring.next()) is not None:
                    await link.send(said)
                else:
                    self._has_more.clear()
                    await self._has_more.wait()

    async def _hear(self, message: ServerMessage) -> bool:
        """Take a message of the session's; return whether it was the last of all."""
        if message.seq - self._n_acknowledged >= ACK_EVERY:
            self._has_more.set()
        self._attempts.succeeded()
        match message:
            case messages.Received():
                self._came(message.audio_bytes, message.controls)
                return False
            case messages.Configured():
                self._settings = message.settings
            case messages.Warned(code="draining"):
                self._is_draining = True  # what is sent from here on, another server hears
            case messages.Error():
                self._last_error = error_of(message.code, message.message, message.retry_after_s)
            case Bye():
                return await self._part(message)
        await self.inbox.put(self._timeline.place(message))
        return False

    async def _part(self, bye: Bye) -> bool:
        """Take leave of a session; return whether nothing follows it."""
        if bye.reason is CloseReason.SHUTDOWN and self._has_more_to_say:
            self._follow(bye.audio_s)
            return False
        is_failed = bye.reason is CloseReason.ERROR
        if is_failed and isinstance(self._last_error, _FOLLOWED) and self._has_more_to_say:
            await self._lose()
            return False
        await self.inbox.put(self._timeline.place(bye))
        if is_failed:
            raise self._last_error or SessionFailedError("the session failed")
        return True

    @property
    def _has_more_to_say(self) -> bool:
        """Whether a session that follows would have anything to hear: its end alone is nothing."""
        return not self._is_ended or self._ring.kept not in ((), (_END,))

    def _came(self, n_bytes: int, n_controls: int) -> None:
        before = self._ring.n_bytes
        self._ring.came(n_bytes, n_controls)
        self._came_s += (self._ring.n_bytes - before) / format_of(self._settings).bytes_per_s
        if self._ring.has_room:
            self._has_room.set()

    # --- one connection after another ---

    async def _connect_again(self) -> bool:
        """Open the next connection, however often; False: none is needed. Raises VoxwireError."""
        while self._token is not None or self._has_more_to_say:
            await self._attempts.wait()
            try:
                if await self._go_on():
                    return True
            except InvalidStatus as error:
                refusal = refusal_of(error.response)
                if error.response.status_code < 500:
                    raise refusal from None
                await self.inbox.put(self._attempts.failed(refusal.message))
            except _BROKEN as error:
                await self.inbox.put(self._attempts.failed(str(error) or type(error).__name__))
        return False

    async def _go_on(self) -> bool:
        """Connect to the session at hand, or to one that follows it; return whether it is so."""
        if self._token is None:
            first = await self._connect(next_address_of(self._url, self._settings))
        else:
            after = self._timeline.last_seq
            first = await self._connect(resume_address_of(self._url, self._token, after))
        match first:
            case Ready():
                self._begin(first)
                self._timeline.last_seq = first.seq
                await self.inbox.put(Continued(self._timeline.from_s, first.model))
            case messages.Resumed():
                self._came(first.audio_bytes, first.controls)
                self._ring.send_again()
                await self.inbox.put(Reconnected())
            case messages.Error(code=ResumeError.code):
                await self._leave()
                await self._lose()
                return False
            case messages.Error():
                raise error_of(first.code, first.message, first.retry_after_s)
            case _:
                raise SessionFailedError(f"expected ready or resumed first, got {first.type}")
        return True

    async def _connect(self, address: str) -> ServerMessage:
        """Open a connection; return the first message."""
        self._link = await Link.open(address, self._headers, self._persistence.stall_s)
        try:
            return await self._link.receive_first()
        except BaseException:
            await self._leave()
            raise

    async def _leave(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    def _begin(self, ready: Ready) -> None:
        """Let a session begin, with what is kept as the first that it hears."""
        self._settings, self._token = ready.settings, ready.resume
        self._ring.max_bytes = int(self._persistence.keep_s * format_of(ready.settings).bytes_per_s)
        self._ring.begin_session()
        self._is_draining, self._last_error, self._n_acknowledged = False, None, 0

    def _follow(self, audio_s: float) -> None:
        """Let another session follow, behind so many seconds of this one."""
        self._timeline.begin_session(audio_s)
        self._ring.begin_session()
        self._token, self._came_s = None, 0.0

    async def _lose(self) -> None:
        """Give the session at hand up, and tell what may be missing of it."""
        # A final may tell of audio whose coming was not confirmed yet: it is not heard twice.
        n_frames = round(self._timeline.final_s * (self._settings.sample_rate or RATE_HZ))
        self._came(n_frames * format_of(self._settings).frame_bytes, 0)
        await self.inbox.put(self._timeline.gap(self._came_s))
        self._follow(self._came_s)
