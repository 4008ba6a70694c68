"""What goes wrong around the page: the server, the browser's leave, files that are none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.clients.web.visits import (
    RECORDING,
    finals,
    heard_all,
    idle,
    press,
    visit,
)
from tests.server.live_server import LiveServer, live_server

OPEN = ".open .text"
LOST = "connection lost, trying again"


class Connection:
    """The page's socket to a server that a test takes away, and gives back."""

    def __init__(self, page: Page) -> None:
        self.is_away = False
        self._sockets: list[WebSocketRoute] = []
        self._page = page
        page.route_web_socket("**/v1/stream*", self._open)

    def _open(self, socket: WebSocketRoute) -> None:
        if self.is_away:
            socket.close()
        else:
            self._sockets.append(socket)
            socket.connect_to_server()

    def lose(self) -> None:
        self.is_away = True
        self._sockets[-1].close(code=1011)
        expect(self._page.locator(".state")).to_have_text(LOST)


def test_record_without_a_server_blames_the_server(browser: Browser) -> None:
    with ExitStack() as up:
        server = up.enter_context(live_server())
        with visit(browser, server.http) as page:
            expect(page.locator("#room")).to_contain_text("free")
            up.close()
            press(page)
            expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
            idle(page)


def test_a_lost_server_hides_the_lag_and_its_return_is_told(page: Page) -> None:
    connection = Connection(page)
    press(page)
    expect(page.locator("#lag")).to_have_text(re.compile("behind"))
    connection.lose()
    expect(page.locator("#lag")).to_have_text("")
    expect(page.get_by_role("status")).to_have_text("The connection was lost. Trying again.")
    connection.is_away = False
    expect(page.locator(".state")).to_have_text("listening")
    expect(page.get_by_role("status")).to_have_text("Connected again. Nothing was lost.")


def stopped_while_away(page: Page) -> Connection:
    """Speak, lose the server, and press Stop."""
    connection = Connection(page)
    press(page)
    expect(page.locator(OPEN)).to_have_text(re.compile("three"))
    connection.lose()
    press(page)
    expect(page.get_by_role("button", name="Give up")).to_be_enabled()
    return connection


def test_a_lost_server_may_be_given_up_after_stop(page: Page) -> None:
    stopped_while_away(page)
    expect(page.locator(".state")).to_have_text(LOST)
    page.get_by_role("button", name="Give up").click()
    idle(page)
    expect(page.locator(".state")).to_have_text("ended early")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    assert "three" in finals(page)


def test_a_server_that_comes_back_after_stop_finishes(page: Page) -> None:
    connection = stopped_while_away(page)
    connection.is_away = False
    idle(page)
    expect(page.locator(".state")).to_have_text(re.compile(r"0:\d\d"))


def test_a_server_that_follows_another_takes_its_warning_away(page: Page) -> None:
    """The one goes down; the other hears what is said from then on."""
    sockets: list[WebSocketRoute] = []

    def open_socket(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        tell(socket, 1, type="ready", session="s", model="scripted", settings={"delay_ms": 480})

    def tell(socket: WebSocketRoute, seq: int, **message: object) -> None:
        socket.send(json.dumps({"seq": seq, **message}))

    page.route_web_socket("**/v1/stream*", open_socket)
    press(page)
    expect(page.locator(".state")).to_have_text("listening")
    text = "the server goes down in 30 s"
    tell(sockets[0], 2, type="warning", code="draining", message=text, seconds_left=30)
    expect(page.get_by_role("alert")).to_contain_text(text)
    tell(sockets[0], 3, type="bye", reason="shutdown", audio_s=0.1)
    sockets[0].close()
    expect(page.get_by_role("status")).to_have_text("Connected again.")
    expect(page.locator(".state")).to_have_text("listening")
    expect(page.locator("#problem")).to_be_hidden()


BLOCKED = """
  for (const name of ["localStorage", "sessionStorage"]) {
    const get = () => { throw new DOMException("access is denied", "SecurityError"); };
    Object.defineProperty(window, name, { get });
  }
"""


def test_a_page_without_storage_works(browser: Browser, server: LiveServer) -> None:
    with visit(browser, server.http, script=BLOCKED) as page:
        theme = page.get_by_role("button", name="Theme")
        theme.click()
        expect(theme).to_have_accessible_name("Theme: light")
        page.locator("summary").click()
        page.get_by_label("Delay").select_option("960")
        page.get_by_label("Open files").set_input_files(RECORDING)
        heard_all(page)


@pytest.mark.parametrize("stored", ["null", "{", '{"a":1}', '[null,"x","no","9",7]', '"vad"'])
def test_settings_that_make_no_sense_are_forgotten(
    browser: Browser, server: LiveServer, stored: str
) -> None:
    script = f"localStorage.setItem('voxwire.settings', {json.dumps(stored)})"
    with visit(browser, server.http, script=script) as page:
        expect(page.locator("#room")).to_contain_text("free")
        expect(page.locator("#summary")).to_contain_text("ends after 0.8 s without a new word")


def is_kept(page: Page) -> bool:
    """Whether leaving the page would ask first."""
    script = """() => {
      const event = new Event("beforeunload", { cancelable: true });
      dispatchEvent(event);
      return event.defaultPrevented;
    }"""
    return bool(page.evaluate(script))


DELTAS = (
    ': progress {"done_s":0.0,"total_s":9.0}\n\n'
    'data: {"type":"transcript.text.delta","delta":"three one"}\n\n'
    ': progress {"done_s":2.5,"total_s":9.0}\n\n'
)


def test_a_file_that_fails_keeps_what_came(page: Page) -> None:
    page.route("**/v1/audio/transcriptions", lambda route: route.fulfill(body=DELTAS))
    page.get_by_label("Open files").set_input_files(RECORDING)
    expect(page.locator(".state")).to_contain_text("The file was not transcribed")
    assert finals(page) == "three one"
    expect(page.locator(".open")).to_be_hidden()
    with page.expect_download() as download:
        page.get_by_role("button", name="as SRT").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert text == "1\n00:00:00,000 --> 00:00:02,500\nthree one\n"
    assert is_kept(page)


def test_a_file_that_is_cancelled_is_told_and_the_focus_stays_near(page: Page) -> None:
    page.route("**/v1/audio/transcriptions", lambda route: None)  # never answered
    page.get_by_label("Open files").set_input_files(RECORDING)
    page.get_by_role("button", name="Cancel digits.flac").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".state")).to_have_text("cancelled")
    expect(page.get_by_role("status")).to_have_text("digits.flac is cancelled.")
    expect(page.get_by_role("heading", name="digits.flac")).to_be_focused()
    assert not is_kept(page)


def test_a_folder_is_told_apart_from_a_file(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "talks"
    folder.mkdir()
    cdp = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        event = {"type": kind, "x": 300, "y": 300, "data": data}
        cdp.send("Input.dispatchDragEvent", event)
    expect(page.locator(".state")).to_contain_text("That is no file that can be read.")
    assert not is_kept(page)


def test_who_dismisses_a_word_by_the_keyboard_goes_on_at_record(page: Page) -> None:
    page.route("**/v1/models", lambda route: route.abort())
    page.route_web_socket("**/v1/stream*", lambda socket: socket.close())
    press(page)
    page.get_by_role("button", name="Dismiss").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#record")).to_be_focused()


NO_CLIPBOARD = "Object.defineProperty(navigator, 'clipboard', { value: undefined });"
DENIED = """
  const writeText = () => Promise.reject(new DOMException("no", "NotAllowedError"));
  Object.defineProperty(navigator, "clipboard", { value: { writeText } });
"""


@contextmanager
def transcribed(browser: Browser, server: LiveServer, script: str) -> Iterator[Page]:
    with visit(browser, server.http, script=script) as page:
        page.get_by_label("Open files").set_input_files(RECORDING)
        heard_all(page)
        yield page


def test_a_page_without_a_clipboard_copies_all_the_same(
    browser: Browser, server: LiveServer
) -> None:
    with transcribed(browser, server, NO_CLIPBOARD) as page:
        page.evaluate(
            "addEventListener('copy', () => (window.copied = document.activeElement.value))"
        )
        copy = page.get_by_role("button", name="Copy the text")
        copy.click()
        expect(copy).to_have_text("Copied")
        expect(copy).to_be_focused()
        assert page.evaluate("copied") == finals(page)


def test_a_clipboard_that_is_denied_is_told(browser: Browser, server: LiveServer) -> None:
    with transcribed(browser, server, DENIED) as page:
        page.get_by_role("button", name="Copy the text").click()
        expect(page.get_by_role("alert")).to_contain_text("TXT saves the text.")


def test_two_recordings_of_a_minute_have_two_names(page: Page) -> None:
    for _ in range(2):
        press(page)
        expect(page.locator(".state").last).to_have_text("listening")
        page.wait_for_timeout(1100)
        press(page)
        idle(page)
    first, second = page.locator(".title").all_inner_texts()
    assert first != second


def test_only_the_word_that_is_shown_is_described(page: Page) -> None:
    page.get_by_label("Open files").set_input_files(RECORDING)
    heard_all(page)
    page.locator(".word").nth(3).hover()
    page.locator(".word").nth(5).hover()
    expect(page.locator("[aria-describedby=tip]")).to_have_count(1)
    page.set_viewport_size({"width": 360, "height": 300})
    page.locator('.word[tabindex="0"]').focus()
    page.keyboard.press("Home")
    page.keyboard.press("End")
    page.wait_for_timeout(300)  # scrolled
    expect(page.get_by_role("tooltip")).to_be_visible()
    word, dock = (page.locator(name).bounding_box() for name in ('.word[tabindex="0"]', "#dock"))
    assert word
    assert dock
    assert word["y"] + word["height"] <= dock["y"]


def test_a_phone_on_its_side_shows_text_above_the_settings(page: Page) -> None:
    page.set_viewport_size({"width": 640, "height": 360})
    page.locator("summary").click()
    dock = page.locator("#dock").bounding_box()
    assert dock
    assert dock["height"] <= 240


def test_a_narrow_phone_shows_no_sliver_of_the_model(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    expect(page.locator("#room")).to_contain_text("free")
    expect(page.locator("#model")).to_be_hidden()
