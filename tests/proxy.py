"""A TCP proxy that fails as networks do, at points that a test chooses."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import StrEnum

READ_BYTES = 1 << 16


class Kind(StrEnum):
    """How a connection fails."""

    RESET = "reset"  # RST both ways; what is on its way is lost
    DROP = "drop"  # FIN both ways, in the middle of whatever was being sent
    STALL = "stall"  # nothing passes for a while, and then RST
    VANISH = "vanish"  # nothing passes any more, and nobody is told: both ends stay open


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure after `after_bytes` of one direction have passed, the last of them cut there.

    stall_s: how long a STALL lasts; None until the client leaves.
    """

    kind: Kind
    after_bytes: int
    is_upwards: bool = True
    stall_s: float | None = 0.0


def random_faults(seed: int, n: int, least_bytes: int, most_bytes: int) -> list[Fault]:
    """Draw faults that end; one of ten strikes what the server says, of which there is less."""
    rng = random.Random(seed)

    def draw() -> Fault:
        is_upwards = rng.random() < 0.9
        n_bytes = rng.randrange(least_bytes, most_bytes)
        kind = rng.choice([Kind.RESET, Kind.DROP, Kind.STALL])
        return Fault(kind, n_bytes if is_upwards else n_bytes // 16, is_upwards, rng.random() / 100)

    return [draw() for _ in range(n)]


@dataclass
class Proxy:
    """Where clients connect. target: the port that a new connection is led to. strikes: whether
    a connection that begins with these bytes takes a fault.

    n_connections, n_faults: so far. upwards: what each client has sent.
    """

    target: Callable[[], int]
    strikes: Callable[[bytes], bool] = bool
    port: int = 0
    n_connections: int = 0
    n_faults: int = 0
    upwards: list[bytearray] = field(default_factory=list)
    led: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def http(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def proxy(
    target: int | Callable[[], int],
    faults: Iterable[Fault] = (),
    strikes: Callable[[bytes], bool] = bool,
) -> AsyncIterator[Proxy]:
    """Lead connections to a port; each takes the next of the faults, while there are any."""
    lead = target if callable(target) else lambda: target
    running, left = Proxy(lead, strikes), iter(faults)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        led = asyncio.create_task(_lead(running, left, reader, writer))
        running.led.append(led)
        with contextlib.suppress(asyncio.CancelledError):  # asyncio's streams would complain
            await led

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield running
    finally:
        server.close()
        for led in running.led:
            led.cancel()
        await asyncio.gather(*running.led, return_exceptions=True)


async def _lead(
    running: Proxy,
    left: Iterator[Fault],
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    running.n_connections += 1
    running.upwards.append(said := bytearray())
    head = await reader.read(READ_BYTES)
    fault = next(left, None) if running.strikes(head) else None
    try:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", running.target())
    except OSError:  # nobody is there
        writer.close()
        return
    ends = (writer, far_writer)
    up_left = fault.after_bytes if fault and fault.is_upwards else None
    down_left = fault.after_bytes if fault and not fault.is_upwards else None
    up = asyncio.create_task(_pump(reader, far_writer, up_left, said, head))
    down = asyncio.create_task(_pump(far_reader, writer, down_left))
    try:
        done, _ = await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
        if any(task.result() for task in done):
            assert fault is not None
            running.n_faults += 1
            await _fail(fault, reader, up, down, ends)
        else:
            await asyncio.wait([up, down], timeout=1)
    finally:
        for task in (up, down):
            task.cancel()
        for end in ends:
            end.close()
        await asyncio.wait([up, down])
        for end in ends:
            end.transport.abort()
            with contextlib.suppress(OSError):
                await end.wait_closed()


async def _pump(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    n_left: int | None,
    said: bytearray | None = None,
    data: bytes = b"",
) -> bool:
    """Pass bytes on to the end, `data` first; return whether as many passed as were to pass."""
    with contextlib.suppress(OSError):
        while (data := data or await reader.read(READ_BYTES)) and not writer.is_closing():
            if said is not None:
                said += data
            writer.write(data[:n_left])
            await writer.drain()
            if n_left is not None:
                n_left -= len(data)
                if n_left <= 0:
                    return True
            data = b""
        writer.write_eof()
    return False


async def _fail(
    fault: Fault,
    reader: asyncio.StreamReader,
    up: asyncio.Task[bool],
    down: asyncio.Task[bool],
    ends: tuple[asyncio.StreamWriter, ...],
) -> None:
    for task in (up, down):
        task.cancel()
    await asyncio.gather(up, down, return_exceptions=True)
    if fault.kind is Kind.STALL and fault.stall_s is not None:
        await asyncio.sleep(fault.stall_s)
    elif fault.kind in (Kind.STALL, Kind.VANISH):
        with contextlib.suppress(OSError):
            while await reader.read(READ_BYTES):
                pass
    if fault.kind is Kind.VANISH:
        await asyncio.Event().wait()  # until the proxy ends
    if fault.kind is not Kind.DROP:
        for end in ends:
            reset(end)


def reset(writer: asyncio.StreamWriter) -> None:
    """Have a connection end by RST."""
    linger = struct.pack("ii", 1, 0)
    taken: socket.socket = writer.get_extra_info("socket")
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


def is_websocket(head: bytes) -> bool:
    """Tell a handshake from a page's other requests."""
    return b"upgrade: websocket" in head.lower()


@contextlib.contextmanager
def proxy_in_a_thread(target: int | Callable[[], int], faults: Iterable[Fault]) -> Iterator[Proxy]:
    """Run a proxy, whose faults strike WebSockets alone, for a test that has no loop."""
    begun: Future[tuple[Proxy, Callable[[], object]]] = Future()

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        async with proxy(target, faults, is_websocket) as running:
            begun.set_result((running, lambda: loop.call_soon_threadsafe(stop.set)))
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="proxy")
    thread.start()
    running, end = begun.result()
    try:
        yield running
    finally:
        end()
        thread.join()
