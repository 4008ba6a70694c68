"""Wyoming over real sockets: transcripts, errors, and that no connection leaves anything behind."""

from __future__ import annotations

import itertools
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sdk.audio import offline_text, recording, to_pcm
from tests.server.live_server import LiveServer, live_server
from voxwire.protocol.wyoming.framing import EventReader, WyomingEvent

TIMEOUT_S = 60.0
RATE_HZ = 16000


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    """A server that has room for one session."""
    with live_server(max_sessions=1, max_uploads=0) as started:
        yield started


class Client:
    """One connection."""

    def __init__(self, server: LiveServer) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.wyoming_port), TIMEOUT_S)
        self._reader = EventReader(1 << 20)
        self._events: Iterator[WyomingEvent] = iter(())

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def say(self, kind: str, payload: bytes = b"", **data: object) -> None:
        self.send(WyomingEvent(kind, data, payload).encode())

    def speak(self, pcm: bytes, rate_hz: int = RATE_HZ, chunk_bytes: int = 2048) -> None:
        """Send a whole utterance."""
        self.say("transcribe", language="en")
        self.say("audio-start", rate=rate_hz, width=2, channels=1)
        for at in range(0, len(pcm), chunk_bytes):
            part = pcm[at : at + chunk_bytes]
            self.say("audio-chunk", part, rate=rate_hz, width=2, channels=1)
        self.say("audio-stop")

    def next(self) -> WyomingEvent | None:
        """Return the next event; None where the server closed the connection."""
        while True:
            for event in self._events:
                return event
            data = self._socket.recv(1 << 16)
            if not data:
                return None
            self._events = self._reader.feed(data)

    def until(self, kind: str) -> list[WyomingEvent]:
        """Return the events up to the first of a kind."""
        events: list[WyomingEvent] = []
        while not events or events[-1].type != kind:
            event = self.next()
            assert event is not None, f"closed after {[one.type for one in events]}"
            events.append(event)
        return events

    def close(self) -> None:
        self._socket.close()


def is_empty(server: LiveServer) -> bool:
    """Wait until no session is open, but not for ever."""
    until_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until_s:
        if not server.service.sessions and server.service.engine.n_open == 0:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("rate_hz", [16000, 22050])
def test_one_connection_takes_one_utterance_after_another(server: LiveServer, rate_hz: int) -> None:
    names = ("fsdd-george", "commands-stop", "fsdd-jackson")
    with closing(Client(server)) as client:
        for name in names:
            pcm = to_pcm(recording(name), rate_hz)
            client.speak(pcm, rate_hz)
            events = client.until("transcript-stop")
            texts = [event.data["text"] for event in events if event.type == "transcript-chunk"]
            expected = offline_text([pcm], rate_hz)
            assert expected
            assert events[0].type == "transcript-start"
            assert events[-2] == WyomingEvent("transcript", {"text": expected})
            assert "".join(texts).rstrip() == expected
    assert is_empty(server)


@settings(deadline=None, max_examples=5)
@given(st.lists(st.integers(1, 200_000), max_size=20))
def test_any_cutting_of_the_bytes_gives_the_same_transcript(
    server: LiveServer, cuts: list[int]
) -> None:
    pcm = to_pcm(recording("commands-stop"), RATE_HZ)
    form = {"rate": RATE_HZ, "width": 2, "channels": 1}
    events = [
        WyomingEvent("audio-start", form),
        WyomingEvent("audio-chunk", form, pcm[:1001]),  # within a sample
        WyomingEvent("audio-chunk", form, pcm[1001:]),
        WyomingEvent("audio-stop"),
    ]
    sent = b"".join(event.encode() for event in events)
    bounds = [0, *sorted(min(cut, len(sent)) for cut in cuts), len(sent)]
    with closing(Client(server)) as client:
        for start, end in itertools.pairwise(bounds):
            client.send(sent[start:end])
        transcript = client.until("transcript")[-1]
    assert transcript.data == {"text": offline_text([pcm], RATE_HZ)}


def test_it_tells_what_it_serves_and_that_it_is_there(server: LiveServer) -> None:
    with closing(Client(server)) as client:
        client.say("describe")
        (info,) = client.until("info")
        (model,) = info.data["asr"][0]["models"]
        assert (model["name"], model["languages"]) == ("embedded", ["en"])
        client.say("ping", text="hello")
        assert client.next() == WyomingEvent("pong", {"text": "hello"})


def test_what_cannot_be_understood_is_told_and_the_connection_closed(server: LiveServer) -> None:
    with closing(Client(server)) as client:
        client.send(b"GET / HTTP/1.1\r\n")
        error = client.next()
        assert error is not None
        assert (error.type, error.data["code"]) == ("error", "invalid_request")
        assert client.next() is None


def test_who_sends_all_of_an_utterance_before_reading_reads_why_it_was_refused(
    server: LiveServer,
) -> None:
    with closing(Client(server)) as client:
        client.say("audio-start", rate=RATE_HZ, width=4, channels=1)
        for _ in range(200):
            client.say("audio-chunk", bytes(2048), rate=RATE_HZ, width=4, channels=1)
            time.sleep(0.002)  # so that most of it comes when the server has said its last word
        client.say("audio-stop")
        assert client.next().type == "error"  # type: ignore[union-attr]
        assert client.next() is None
    assert is_empty(server)


def test_a_client_that_leaves_frees_its_session(server: LiveServer) -> None:
    with closing(Client(server)) as client:
        client.say("audio-start", rate=RATE_HZ, width=2, channels=1)
        client.say("audio-chunk", bytes(64_000), rate=RATE_HZ, width=2, channels=1)
        client.say("ping")
        client.until("pong")
        assert len(server.service.sessions) == 1
    assert is_empty(server)


def test_a_wrong_event_ends_the_open_utterance_with_the_connection(server: LiveServer) -> None:
    with closing(Client(server)) as client:
        for _ in range(2):
            client.say("audio-start", rate=RATE_HZ, width=2, channels=1)
        assert client.until("error")[-1].data["text"].startswith("expected audio-stop")
        assert client.next() is None
    assert is_empty(server)


def test_who_finds_the_server_full_is_told_so_and_others_go_on(server: LiveServer) -> None:
    pcm = to_pcm(recording("commands-stop"), RATE_HZ)
    with closing(Client(server)) as first:
        first.say("audio-start", rate=RATE_HZ, width=2, channels=1)
        first.say("ping")
        first.until("pong")
        with closing(Client(server)) as second:
            second.say("audio-start", rate=RATE_HZ, width=2, channels=1)
            (error,) = second.until("error")
            assert error.data["code"] == "at_capacity"
            assert second.next() is None
        first.say("audio-chunk", pcm, rate=RATE_HZ, width=2, channels=1)
        first.say("audio-stop")
        assert first.until("transcript")[-1].data["text"] == offline_text([pcm], RATE_HZ)
    assert is_empty(server)


@settings(deadline=None, max_examples=25)
@given(st.binary(max_size=300))
def test_noise_is_answered_by_an_error_or_waited_out_and_hurts_nobody(
    server: LiveServer, noise: bytes
) -> None:
    with closing(Client(server)) as client:
        client.send(noise + b"\n" * 1500)  # no header, or no data, can be that
        error = client.until("error")[-1]
        assert error.data["code"] == "invalid_request"
    assert is_empty(server)


def test_an_open_utterance_is_finished_when_the_server_goes_down(checkpoint: Path) -> None:
    with live_server(str(checkpoint)) as server, closing(Client(server)) as client:
        client.say("audio-start", rate=RATE_HZ, width=2, channels=1)
        client.say("audio-chunk", bytes(96_000), rate=RATE_HZ, width=2, channels=1)
        client.say("ping")
        client.until("pong")
        server.call(server.service.drain(TIMEOUT_S))
        client.until("transcript-stop")
        assert client.next() is None


def test_a_client_that_says_nothing_is_told_and_closed(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = server.service.settings.model_copy(update={"session_idle_s": 0.02})
    monkeypatch.setattr(server.service, "settings", hasty)
    with closing(Client(server)) as client:
        (error,) = client.until("error")
        assert error.data["code"] == "idle"
        assert client.next() is None
