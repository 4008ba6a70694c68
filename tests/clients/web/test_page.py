"""The page in a real browser with a real server: a recording is played into its microphone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.clients.web.conftest import Launch
from tests.clients.web.visits import (
    FINALS,
    RECORDING,
    SPOKEN,
    finals,
    give_key,
    heard_all,
    idle,
    press,
    screenshot,
    visit,
)
from tests.proxy import Fault, Kind, proxy_in_a_thread
from tests.server.live_server import LiveServer, live_server
from voxwire.protocol.subtitles import to_srt, to_vtt
from voxwire.protocol.transcript import Transcript

KEY = "correct-horse-battery"
OPEN = ".open .text"


@pytest.fixture(scope="module")
def strict() -> Iterator[LiveServer]:
    """A server that wants a key, has room for one, and is reached by a name too."""
    with live_server(api_keys=(KEY,), allow_hosts=("voice.test",), max_sessions=1) as started:
        yield started


def colour(page: Page, selector: str) -> str:
    return str(page.locator(selector).first.evaluate("(each) => getComputedStyle(each).color"))


def saved(page: Page, name: str) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    return Path(download.value.path()).read_text(encoding="utf-8")


def test_what_is_said_is_read_along(page: Page) -> None:
    expect(page.locator("#room")).to_have_text(re.compile(r"\d+ of \d+ free"))
    screenshot(page, "welcome-light")
    press(page)
    expect(page.locator(OPEN)).to_have_text(re.compile("three one four"))
    live = colour(page, OPEN)
    expect(page.locator("#lag")).to_have_text(re.compile(r"\d\.\d s behind"))
    assert int(page.get_by_role("meter").get_attribute("aria-valuenow") or 0) >= 0
    screenshot(page, "live-light")
    heard_all(page)
    press(page)
    expect(page.locator(".state")).to_have_text(re.compile(r"0:\d\d"))
    assert finals(page) == SPOKEN
    page.wait_for_timeout(800)  # the colour settles
    assert colour(page, FINALS) != live
    page.locator(".word").nth(3).hover()
    expect(page.get_by_role("tooltip")).to_have_text(re.compile(r"\d\.\d\d to \d\.\d\d s"))
    screenshot(page, "done-light")
    transcript = Transcript.model_validate_json(saved(page, "as JSON"))
    assert transcript.text == SPOKEN
    assert (transcript.model, transcript.delay_ms) == ("embedded", 480)
    ends = [word.end_s for word in transcript.words]
    assert ends == sorted(ends)


FIREFOX = """
  const plain = AudioContext.prototype.createMediaStreamSource;
  AudioContext.prototype.createMediaStreamSource = function (stream) {
    if (this.sampleRate === 16000) throw new DOMException("rates differ", "NotSupportedError");
    return plain.call(this, stream);
  };
"""
OLD_SAFARI = """
  const Plain = AudioContext;
  window.AudioContext = class extends Plain {
    constructor(options) {
      if (options) throw new DOMException("this rate cannot be", "NotSupportedError");
      super();
    }
  };
"""


@pytest.mark.parametrize("quirk", [FIREFOX, OLD_SAFARI], ids=["firefox", "safari"])
def test_a_browser_that_knows_only_the_microphones_rate_is_resampled(
    browser: Browser, server: LiveServer, quirk: str
) -> None:
    with visit(browser, server.http, script=quirk) as page:
        press(page)
        expect(page.locator("#takes")).to_contain_text(re.compile("one four one|five nine two"))
        assert page.evaluate("new AudioContext().sampleRate") != 16000


def test_a_file_is_transcribed_and_saved_in_every_format(page: Page) -> None:
    page.get_by_label("Open files").set_input_files(RECORDING)
    heard_all(page)
    expect(page.locator(".state")).to_have_text("0:08")
    expect(page.get_by_role("progressbar")).to_be_hidden()
    assert saved(page, "as TXT") == f"{SPOKEN}\n"
    transcript = Transcript.model_validate_json(saved(page, "as JSON"))
    assert transcript.text == SPOKEN
    assert transcript.duration_s == pytest.approx(8.964, abs=0.01)
    assert (transcript.model, transcript.delay_ms) == ("embedded", 480)
    assert saved(page, "as SRT") == to_srt(transcript.words)
    assert saved(page, "as VTT") == to_vtt(transcript.words)


def drop(page: Page, name: str, content: bytes) -> None:
    script = """([name, bytes]) => {
      const files = new DataTransfer();
      files.items.add(new File([Uint8Array.from(bytes)], name));
      const event = (kind) => new DragEvent(kind, { dataTransfer: files, bubbles: true });
      document.body.dispatchEvent(event("dragenter"));
      const isAsked = !document.querySelector("#drop").hidden;
      document.body.dispatchEvent(event("drop"));
      return isAsked && document.querySelector("#drop").hidden;
    }"""
    assert page.evaluate(script, [name, list(content)])


def test_a_file_may_be_dropped_anywhere(page: Page) -> None:
    drop(page, "my talk.flac", RECORDING.read_bytes())
    heard_all(page)
    expect(page.get_by_role("heading", name="my talk.flac")).to_be_visible()


def test_a_file_that_is_no_recording_says_so_and_the_next_goes_on(page: Page) -> None:
    drop(page, "notes.txt", b"this is no sound")
    drop(page, "talk.flac", RECORDING.read_bytes())
    heard_all(page)
    expect(page.locator(".state[data-tone=wrong]")).to_contain_text("not transcribed")


def test_the_microphone_that_is_refused_is_explained(launch: Launch, server: LiveServer) -> None:
    with (
        launch("--deny-permission-prompts") as browser,
        visit(browser, server.http) as page,
    ):
        press(page)
        expect(page.get_by_role("alert")).to_contain_text("The microphone is blocked")
        idle(page)
        screenshot(page, "refused-light")


def test_a_page_that_is_not_secure_says_what_is_needed(launch: Launch, strict: LiveServer) -> None:
    with (
        launch("--host-resolver-rules=MAP voice.test 127.0.0.1") as browser,
        visit(browser, f"http://voice.test:{strict.port}") as page,
    ):
        press(page)
        expect(page.get_by_role("alert")).to_contain_text(f"http://localhost:{strict.port}")
        page.get_by_label("Open files").set_input_files(RECORDING)
        give_key(page, KEY)
        heard_all(page)


def test_a_key_is_asked_for_until_it_is_right_and_a_full_server_says_so(
    browser: Browser, strict: LiveServer
) -> None:
    with visit(browser, strict.http) as page, visit(browser, strict.http) as second:
        press(page)
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("This server asks for a key")
        screenshot(page, "key-light")
        give_key(page, "wrong-wrong-wrong")
        expect(dialog).to_contain_text("not one of this server's keys")
        give_key(page, f"  Bearer {KEY} ")
        expect(page.locator(".state")).to_have_text("listening")
        press(second)
        give_key(second, KEY)
        expect(second.get_by_role("alert")).to_contain_text("The server has no room")
        expect(second.locator("#room")).to_have_text("no room now")
        screenshot(second, "full-light")
        press(page)
        idle(page)
        second.get_by_role("button", name="Try again").click()
        expect(second.locator(".state")).to_have_text("listening")


def test_who_has_no_key_gets_back_to_where_they_were(browser: Browser, strict: LiveServer) -> None:
    with visit(browser, strict.http) as page:
        press(page)
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        idle(page)
        expect(page.locator(".take")).to_have_count(0)


def test_a_server_that_is_gone_is_told_apart(page: Page) -> None:
    page.route(re.compile("readyz|models"), lambda route: route.abort())
    page.route_web_socket("**/v1/stream*", lambda socket: socket.close())
    press(page)
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    idle(page)


def test_a_connection_that_is_cut_costs_no_word(browser: Browser, server: LiveServer) -> None:
    faults = [Fault(Kind.RESET, 100_000), Fault(Kind.DROP, 60_000), Fault(Kind.RESET, 40_000)]
    with proxy_in_a_thread(server.port, faults) as between, visit(browser, between.http) as page:
        expect(page.locator("#room")).to_contain_text("free")
        press(page)
        # A locator looks at every frame drawn; `expect` looks so seldom that it may miss this.
        page.locator(".state", has_text="connection lost, trying again").wait_for()
        screenshot(page, "lost-light")
        expect(page.locator(".state")).to_have_text("listening")
        heard_all(page)
        press(page)
        idle(page)
        assert between.n_faults == len(faults)
        assert finals(page) == SPOKEN
        expect(page.locator("#problem")).to_be_hidden()


def test_a_session_that_the_server_lost_is_told_and_followed_by_another(page: Page) -> None:
    addresses: list[str] = []

    def pass_on(socket: WebSocketRoute) -> None:
        addresses.append(socket.url)
        if "resume=" in socket.url:
            refusal = {"seq": 1, "type": "error", "code": "resume_lost", "message": "no such"}
            socket.send(json.dumps(refusal))
            socket.close(code=1008)
        else:
            sockets.append(socket)
            socket.connect_to_server()

    sockets: list[WebSocketRoute] = []
    page.route_web_socket("**/v1/stream*", pass_on)
    press(page)
    expect(page.locator(OPEN)).to_have_text(re.compile("three"))
    sockets[0].close(code=1011)
    expect(page.get_by_role("alert")).to_contain_text("may be missing")
    expect(page.locator(".state")).to_have_text("listening")
    assert ["resume=" in address for address in addresses] == [False, True, False]
    press(page)
    idle(page)
    starts = page.locator(".segments .at").all_inner_texts()
    assert starts == sorted(starts)


def test_a_session_that_follows_closes_segments_as_was_chosen_last(page: Page) -> None:
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if "resume=" in socket.url:
            refusal = {"seq": 1, "type": "error", "code": "resume_lost", "message": "no such"}
            socket.send(json.dumps(refusal))
            socket.close(code=1008)
        else:
            socket.connect_to_server()

    page.route_web_socket("**/v1/stream*", pass_on)
    page.locator("summary").click()
    page.get_by_label("Delay").select_option("960")
    press(page)
    expect(page.locator(".state")).to_have_text("listening")
    page.get_by_label("Close a segment").select_option("none")
    sockets[0].close(code=1011)
    expect(page.get_by_role("alert")).to_contain_text("may be missing")
    expect(page.locator(".state")).to_have_text("listening")
    queries = [dict(parse_qsl(urlsplit(socket.url).query)) for socket in sockets]
    assert queries[0] == {"delay_ms": "960", "endpoint": "pads", "silence_ms": "800"}
    assert queries[2] == {"delay_ms": "960", "endpoint": "none"}


def test_a_session_that_is_lost_after_its_end_ends_the_recording_and_says_so(page: Page) -> None:
    addresses: list[str] = []

    def open_socket(socket: WebSocketRoute) -> None:
        def hear(frame: str | bytes) -> None:
            if isinstance(frame, bytes):
                n_bytes.append(len(frame))
            elif json.loads(frame)["type"] == "end":
                tell(2, type="received", audio_bytes=sum(n_bytes), controls=1)
                socket.close(code=1011)

        def tell(seq: int, **message: object) -> None:
            socket.send(json.dumps({"seq": seq, **message}))

        n_bytes: list[int] = []
        addresses.append(socket.url)
        if "resume=" in socket.url:
            tell(1, type="error", code="resume_lost", message="no such session")
            socket.close(code=1008)
        else:
            socket.on_message(hear)
            tell(1, type="ready", session="s", model="m", settings={}, resume="token")

    page.route_web_socket("**/v1/stream*", open_socket)
    press(page)
    expect(page.locator(".state")).to_have_text("listening")
    page.wait_for_timeout(500)
    press(page)
    idle(page)
    expect(page.get_by_role("alert")).to_contain_text("may be missing")
    expect(page.locator(".state")).to_have_text(re.compile(r"0:\d\d, nothing was said"))
    assert ["resume=" in address for address in addresses] == [False, True]


def scripted(page: Page, *messages: dict[str, Any]) -> list[Any]:
    """Answer the page's socket with these messages; return what the page says, as it grows."""
    said: list[Any] = []

    def open_socket(socket: WebSocketRoute) -> None:
        socket.on_message(
            lambda frame: said.append(frame if isinstance(frame, bytes) else json.loads(frame))
        )
        settings = {"delay_ms": 480}
        ready = {"type": "ready", "session": "s", "model": "scripted", "settings": settings}
        for seq, message in enumerate([ready, *messages], 1):
            socket.send(json.dumps({"seq": seq, **message}))

    page.route_web_socket("**/v1/stream*", open_socket)
    return said


WORD = {"text": "Hé<b>!", "start_s": 0.1, "end_s": 0.5, "space_before": False, "confidence": 0.93}
FINAL = {
    "type": "final",
    "segment": 0,
    "reason": "commit",
    "text": "Hé<b>!",
    "words": [WORD],
    "start_s": 0.0,
    "end_s": 0.6,
}


def test_what_the_server_writes_is_shown_as_text_and_never_as_markup(page: Page) -> None:
    open_text = {"type": "partial", "segment": 1, "delta": "", "text": "<i>x</i>", "at_s": 1}
    scripted(page, FINAL, open_text)
    press(page)
    expect(page.locator(FINALS)).to_have_text("Hé<b>!")
    expect(page.locator(OPEN)).to_have_text("<i>x</i>")
    assert page.locator("#takes b, #takes i").count() == 0
    page.locator(".word").hover()
    expect(page.get_by_role("tooltip")).to_have_text("0.10 to 0.50 s · 93 %")


def test_a_session_that_fails_keeps_its_text_and_says_why(page: Page) -> None:
    open_text = {"type": "partial", "segment": 1, "delta": "", "text": "half a", "at_s": 1}
    error = {"type": "error", "code": "step_fault", "message": "a step of the model failed"}
    scripted(page, FINAL, open_text, error, {"type": "bye", "reason": "error", "audio_s": 1})
    press(page)
    expect(page.get_by_role("alert")).to_contain_text("A step of the model failed.")
    assert finals(page) == "Hé<b>! half a"
    assert saved(page, "as SRT").endswith("00:00:01,000 --> 00:00:02,000\nhalf a\n")
    expect(page.get_by_role("button", name="Record", exact=True)).to_be_enabled()


def test_the_controls_reach_the_session(page: Page) -> None:
    page.locator("summary").click()
    page.get_by_label("Delay").select_option("960")
    addresses: list[str] = []
    said = scripted(page)
    page.on("websocket", lambda socket: addresses.append(socket.url))
    press(page)
    expect(page.locator(".state")).to_have_text("listening")
    expect(page.get_by_label("Delay")).to_be_disabled()
    expect(page.get_by_label("Close a segment").locator("[value=vad]")).to_be_disabled()
    page.get_by_label("Close a segment").select_option("none")
    page.get_by_role("button", name="New segment").click()
    page.wait_for_timeout(300)
    texts = [frame for frame in said if not isinstance(frame, bytes)]
    assert texts == [{"type": "config", "endpoint": "none"}, {"type": "commit"}]
    frames = [frame for frame in said if isinstance(frame, bytes)]
    assert frames
    assert {len(frame) for frame in frames} == {2560}  # 80 ms of PCM16 at 16 kHz
    page.reload()
    expect(page.get_by_label("Close a segment")).to_have_value("none")
    expect(page.get_by_label("Delay")).to_have_value("960")


def test_the_voice_detector_stays_on_while_recording(page: Page) -> None:
    page.locator("summary").click()
    close = page.get_by_label("Close a segment")
    expect(page.locator("#summary")).to_contain_text("0.8 s without a new word")
    close.select_option("vad")
    expect(page.locator("#summary")).to_contain_text("0.8 s after the voice")
    scripted(page)
    press(page)
    expect(page.locator(".state")).to_have_text("listening")
    expect(close).to_be_disabled()
    expect(page.locator("#endpoint-hint")).to_contain_text("between recordings")
    page.reload()
    expect(close).to_be_enabled()
