"""A server is replaced while clients speak: what they said is heard once, in order, to the end."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.proxy import proxy
from tests.sdk.audio import to_pcm
from tests.server.live_server import LiveServer, live_server
from tests.server.serve_process import serving
from tests.server.voices import read
from voxwire.clients.python import Continued, Gap, Heard, Persistence, stream
from voxwire.model.checkpoint.hub import EMBEDDED
from voxwire.protocol.native.messages import Bye, Final, Partial, Warned
from voxwire.protocol.wyoming.framing import EventReader, WyomingEvent
from voxwire.server.cli.demo import RECORDING

SPOKEN = (EMBEDDED / "demo" / "digits.txt").read_text().strip()
SPEECH = read(RECORDING)
BREAK = 79_000  # between "five" and "nine", in samples
RATE_HZ = 16_000
SILENCE = np.zeros(2 * RATE_HZ, np.float32)
TIMEOUT_S = 120
AT_ONCE = Persistence(first_s=0.01, longest_s=0.05)
DRAIN_S = 60.0


def pcm(samples: np.ndarray[Any, Any]) -> bytes:
    return (samples * 32767).astype("<i2").tobytes()


@pytest.fixture(scope="module")
def old() -> Iterator[LiveServer]:
    with live_server() as running:
        yield running


@pytest.fixture(scope="module")
def new() -> Iterator[LiveServer]:
    with live_server() as running:
        yield running


def drain(server: LiveServer) -> Future[None]:
    """Have a server drain, as the first signal does."""
    return asyncio.run_coroutine_threadsafe(server.service.drain(DRAIN_S), server.loop)


@pytest.fixture(autouse=True)
def admit_again(old: LiveServer) -> Iterator[None]:
    yield
    old.service.is_draining = False


async def heard(url: str, audio: AsyncIterator[bytes], **more: Any) -> list[Heard]:
    async with asyncio.timeout(TIMEOUT_S):
        return [message async for message in stream(audio, url, persistence=AT_ONCE, **more)]


async def at_once(data: bytes) -> AsyncIterator[bytes]:
    yield data


def finals(messages: list[Heard]) -> list[Final]:
    return [message for message in messages if isinstance(message, Final)]


def text_of(messages: list[Heard]) -> str:
    return " ".join(final.text for final in finals(messages) if final.text)


def said(final: Final, segment: int = 0, from_s: float = 0.0) -> tuple[Any, ...]:
    """Return what a final says, as that of a session which follows others."""
    # Six digits, as the client adds: a tie at fewer would be rounded either way.
    words = tuple((word.text, round(word.end_s + from_s, 6)) for word in final.words)
    return (final.segment + segment, final.text, words)


def test_words_are_all_there_where_the_boundary_falls_in_silence(
    old: LiveServer, new: LiveServer
) -> None:
    first, second = SPEECH[:BREAK], SPEECH[BREAK:]
    closed = asyncio.Event()

    async def run() -> list[Heard]:
        target = old.port

        async def audio() -> AsyncIterator[bytes]:
            nonlocal target
            yield pcm(np.concatenate([first, SILENCE]))
            await closed.wait()  # the first half is heard, and its segment closed by silence
            target = new.port
            draining = drain(old)
            yield pcm(second)
            await asyncio.wrap_future(draining)

        messages: list[Heard] = []
        async with proxy(lambda: target) as between, asyncio.timeout(TIMEOUT_S):
            async for message in stream(audio(), between.url, persistence=AT_ONCE):
                messages.append(message)
                if isinstance(message, Final):
                    closed.set()
        return messages

    messages = asyncio.run(run())
    whole = asyncio.run(heard(new.ws, at_once(pcm(np.concatenate([first, SILENCE, second])))))
    assert text_of(messages) == text_of(whole) == SPOKEN
    assert one(messages, Continued).at_s == (len(first) + len(SILENCE)) / RATE_HZ
    assert one(messages, Warned).code == "draining"
    assert not any(isinstance(message, Gap) for message in messages)
    assert one(messages, Bye).audio_s == pytest.approx(one(whole, Bye).audio_s, abs=1e-5)
    ends, expected = (
        [word.end_s for final in finals(each) for word in final.words] for each in (messages, whole)
    )
    assert ends == pytest.approx(expected, abs=0.17)  # two tokens
    assert [final.segment for final in finals(messages)] == list(range(len(finals(messages))))


def one(messages: list[Heard], kind: type[Any]) -> Any:
    (found,) = [message for message in messages if isinstance(message, kind)]
    return found


def test_wherever_the_boundary_falls_the_servers_hear_the_two_parts_of_the_whole(
    old: LiveServer, new: LiveServer
) -> None:
    """Every sample is heard once, in order: each server writes what it would of its part alone."""
    data = pcm(SPEECH)
    n_clients = 3

    async def run() -> list[list[Heard]]:
        target = old.port
        begun = asyncio.Barrier(n_clients)

        async def audio(piece_bytes: int) -> AsyncIterator[bytes]:
            nonlocal target
            await begun.wait()
            for at in range(0, len(data), piece_bytes):
                yield data[at : at + piece_bytes]
                await asyncio.sleep(0)
                if at > len(data) // 3 and target == old.port:
                    target = new.port
                    await asyncio.to_thread(old.call, until_heard(old, seconds=2.0))
                    draining.append(drain(old))

        draining: list[Future[None]] = []
        async with proxy(lambda: target) as between, asyncio.TaskGroup() as tasks:
            clients = [
                tasks.create_task(heard(between.url, audio(3001 + 1000 * n)))
                for n in range(n_clients)
            ]
        await asyncio.wrap_future(draining[0])
        return [client.result() for client in clients]

    async def alone(part: bytes) -> list[Heard]:
        return await heard(new.ws, at_once(part))

    boundaries = set()
    for messages in asyncio.run(run()):
        follows = [message.at_s for message in messages if isinstance(message, Continued)]
        (at_s,) = follows or [len(SPEECH) / RATE_HZ]  # a client may have been done before
        n_first = round(at_s * RATE_HZ) * 2
        boundaries.add(n_first)
        first, second = (
            finals(asyncio.run(alone(part))) for part in (data[:n_first], data[n_first:])
        )
        n_segments = first[-1].segment + 1 if first else 0
        assert [said(each) for each in finals(messages)] == [
            *(said(each) for each in first),
            *(said(each, n_segments, at_s) for each in second),
        ]
        assert one(messages, Bye).audio_s == pytest.approx(len(SPEECH) / RATE_HZ, abs=1e-4)
        assert not any(isinstance(message, Gap) for message in messages)
    assert boundaries - {0, len(data)}


def test_a_signal_to_a_real_server_loses_no_client(new: LiveServer) -> None:
    async def run(port: int, stop: Callable[[], None]) -> list[Heard]:
        target = port
        begun = asyncio.Event()

        async def audio() -> AsyncIterator[bytes]:
            nonlocal target
            yield pcm(SPEECH[:BREAK])
            await begun.wait()
            target = new.port
            stop()
            yield pcm(SPEECH[BREAK:])

        messages: list[Heard] = []
        async with proxy(lambda: target) as between, asyncio.timeout(TIMEOUT_S):
            async for message in stream(audio(), between.url, persistence=AT_ONCE):
                messages.append(message)
                if isinstance(message, Partial):
                    begun.set()
        return messages

    with serving() as process:
        messages = asyncio.run(run(process.port, process.signal))
        assert process.wait() == 0
    assert not any(isinstance(message, Gap) for message in messages)
    assert one(messages, Bye).audio_s == pytest.approx(len(SPEECH) / RATE_HZ, abs=1e-4)
    assert text_of(messages).startswith("three one")
    assert text_of(messages).endswith("six five three")


# --- how each dialect says it ---


@dataclass(frozen=True)
class Speech:
    """How a dialect is spoken. said: what the client says, all but the end of it."""

    path: str
    said: list[str | bytes]
    text: Callable[[list[dict[str, Any]]], str]
    announces: bool  # it has words for a server that goes down


def _append(kind: str, data: bytes) -> str:
    return json.dumps({"type": kind, "audio": base64.b64encode(data).decode()})


def _last(kind: str, name: str) -> Callable[[list[dict[str, Any]]], str]:
    return lambda events: [event[name] for event in events if event["type"] == kind][-1].strip()


def _deepgram(events: list[dict[str, Any]]) -> str:
    results = [event for event in events if event["type"] == "Results" and event["is_final"]]
    texts = [each["channel"]["alternatives"][0]["transcript"] for each in results]
    return " ".join(filter(None, texts))


SAID = pcm(SPEECH)
TRANSCRIPTION = "conversation.item.input_audio_transcription.completed"
SESSION = {"type": "transcription", "audio": {"input": {"turn_detection": None}}}
DIALECTS = {
    "native": Speech("/v1/stream?endpoint=none", [SAID], _last("final", "text"), True),
    "openai": Speech(
        "/v1/realtime?intent=transcription",
        [
            json.dumps({"type": "session.update", "session": SESSION}),
            _append("input_audio_buffer.append", to_pcm(SPEECH, 24_000)),
        ],
        _last(TRANSCRIPTION, "transcript"),
        True,
    ),
    "vllm": Speech(
        "/v1/realtime",
        [
            json.dumps({"type": "session.update", "model": "m"}),
            json.dumps({"type": "input_audio_buffer.commit"}),
            _append("input_audio_buffer.append", SAID),
        ],
        _last("transcription.done", "text"),
        False,
    ),
    "mistral": Speech(
        "/v1/audio/transcriptions/realtime",
        [_append("input_audio.append", SAID)],
        _last("transcription.done", "text"),
        True,
    ),
    "deepgram": Speech("/v1/listen?encoding=linear16&sample_rate=16000", [SAID], _deepgram, False),
}


async def until_heard(server: LiveServer, seconds: float) -> None:
    """Return when a session has got so much audio; in the server's loop."""
    async with asyncio.timeout(TIMEOUT_S):
        while not any(session.audio_s > seconds for session in server.service.sessions.values()):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_a_client_that_cannot_resume_gets_its_text_and_is_told(
    old: LiveServer, dialect: Speech
) -> None:
    async def run() -> tuple[list[dict[str, Any]], int | None]:
        events: list[dict[str, Any]] = []
        async with connect(old.ws + dialect.path) as client, asyncio.timeout(TIMEOUT_S):
            for message in dialect.said:
                await client.send(message)
            await asyncio.to_thread(old.call, until_heard(old, len(SPEECH) / RATE_HZ - 0.1))
            draining = drain(old)
            try:
                async for text in client:
                    events.append(json.loads(text))
            except ConnectionClosed:
                pass
            await asyncio.wrap_future(draining)
            return events, client.close_code

    events, code = asyncio.run(run())
    assert dialect.text(events) == SPOKEN
    assert code == 1012  # service restart
    assert ("draining" in json.dumps(events)) is dialect.announces


def test_a_wyoming_client_gets_its_transcript(old: LiveServer) -> None:
    form = {"rate": RATE_HZ, "width": 2, "channels": 1}
    events: list[WyomingEvent] = []
    with socket.create_connection(("127.0.0.1", old.wyoming_port), TIMEOUT_S) as client:
        client.sendall(WyomingEvent("audio-start", form).encode())
        client.sendall(WyomingEvent("audio-chunk", form, SAID).encode())
        old.call(until_heard(old, len(SPEECH) / RATE_HZ - 0.1))
        draining = drain(old)
        reader = EventReader(1 << 20)
        while data := client.recv(1 << 16):
            events += reader.feed(data)
    draining.result(TIMEOUT_S)
    assert [event.data["text"] for event in events if event.type == "transcript"] == [SPOKEN]
