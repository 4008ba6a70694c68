"""Whatever is said at the realtime paths, a server answers: in its words, in order, to the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from websockets.asyncio.client import connect

from tests.protocol.fuzz import messages
from tests.protocol.golden import pcm
from tests.server.live_server import LiveServer, live_server
from voxwire.protocol.dialect import Message
from voxwire.protocol.mistral.events import ServerEvent as MistralEvent
from voxwire.protocol.openai_realtime.server_events import ServerEvent as OpenAIEvent
from voxwire.protocol.vllm import ServerEvent as VllmEvent

TIMEOUT_S = 60.0
PROBE = json.dumps({"type": "probe"})

REALTIME = messages(
    [
        "session.update",
        "transcription_session.update",
        "input_audio_buffer.append",
        "input_audio_buffer.commit",
        "input_audio_buffer.clear",
        "conversation.item.delete",
    ],
    {
        "audio": [pcm(200), pcm(1), "", "AAA"],
        "model": ["m"],
        "final": [True],
        "item_id": ["item"],
        "session": [
            {"audio": {"input": {"turn_detection": None}}},
            {"audio": {"input": {"format": {"rate": 16000}}}},
            {"audio": {"input": {"transcription": {"delay": "low"}}}},
            {"input_audio_format": "g711_ulaw"},
            {"include": ["item.input_audio_transcription.logprobs"]},
        ],
    },
)
MISTRAL = messages(
    ["session.update", "input_audio.append", "input_audio.flush"],
    {
        "audio": [pcm(200), "", "AAA"],
        "session": [
            {"audio_format": {"encoding": "pcm_f32le", "sample_rate": 8000}},
            {"target_streaming_delay_ms": 81},
            {"turn_detection": {"min_silence_ms": 100}},
        ],
    },
)


@pytest.fixture(scope="module")
def server(checkpoint: Path) -> Iterator[LiveServer]:
    with live_server(str(checkpoint)) as started:
        yield started


async def converse(url: str, said: list[Message], wire: TypeAdapter[Any]) -> None:
    """Say all, then something that no dialect knows: its refusal shows that all was worked on."""
    async with asyncio.timeout(TIMEOUT_S), connect(url) as socket:
        wire.validate_json(await socket.recv())
        for message in [*said, PROBE]:
            await socket.send(message)
        while not _is_of_probe(told := await socket.recv()):
            wire.validate_json(told)


def _is_of_probe(told: str | bytes) -> bool:
    fields = json.loads(told)
    return fields["type"] == "error" and "got probe" in str(fields["error"])


few = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@few
@given(said=st.lists(REALTIME, max_size=8))
def test_realtime_answers_everything(server: LiveServer, said: list[Message]) -> None:
    wire: TypeAdapter[Any] = TypeAdapter(OpenAIEvent | VllmEvent)
    asyncio.run(converse(f"{server.ws}/v1/realtime", said, wire))


@few
@given(said=st.lists(MISTRAL, max_size=8))
def test_mistrals_path_answers_everything(server: LiveServer, said: list[Message]) -> None:
    wire: TypeAdapter[Any] = TypeAdapter(MistralEvent)
    asyncio.run(converse(f"{server.ws}/v1/audio/transcriptions/realtime?model=m", said, wire))


def test_an_address_that_is_wrong_is_refused_before_the_socket_opens(server: LiveServer) -> None:
    async def knock() -> None:
        async with connect(f"{server.ws}/v1/realtime?intent=conversation"):
            pass

    with pytest.raises(Exception, match="HTTP 400"):
        asyncio.run(knock())


@pytest.mark.parametrize(
    "asked",
    [
        {"additional_headers": {"OpenAI-Beta": "realtime=v1"}},
        {"subprotocols": ["realtime", "openai-beta.realtime-v1"]},
    ],
)
def test_who_asks_for_the_beta_is_greeted_in_its_words(
    server: LiveServer, asked: dict[str, Any]
) -> None:
    async def greet() -> str:
        url = f"{server.ws}/v1/realtime?intent=transcription"
        async with asyncio.timeout(TIMEOUT_S), connect(url, **asked) as socket:
            return str(json.loads(await socket.recv())["type"])

    assert asyncio.run(greet()) == "transcription_session.created"


def test_an_update_that_is_refused_does_not_spoil_the_next(server: LiveServer) -> None:
    updates = [
        {"audio_format": {"encoding": "pcm_mulaw", "sample_rate": 1}},
        {"audio_format": {"encoding": "pcm_alaw", "sample_rate": 8000}},
    ]

    async def update() -> list[dict[str, Any]]:
        url = f"{server.ws}/v1/audio/transcriptions/realtime"
        async with asyncio.timeout(TIMEOUT_S), connect(url) as socket:
            for session in updates:
                await socket.send(json.dumps({"type": "session.update", "session": session}))
            return [json.loads(await socket.recv()) for _ in range(3)]

    _, refused, updated = asyncio.run(update())
    assert refused["error"]["code"] == 400
    assert updated["type"] == "session.updated"
    assert updated["session"]["audio_format"]["sample_rate"] == 8000


def test_a_handshake_may_carry_a_connection_header_too_many(server: LiveServer) -> None:
    async def greet() -> str:
        url = f"{server.ws}/v1/audio/transcriptions/realtime"
        headers = {"Connection": "keep-alive"}
        async with asyncio.timeout(TIMEOUT_S), connect(url, additional_headers=headers) as socket:
            return str(await socket.recv())

    assert "session.created" in asyncio.run(greet())
