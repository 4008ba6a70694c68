"""The page's dialog for a key, and what is typed into it that can be none."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.clients.web.visits import RECORDING, give_key, idle, press, visit
from tests.server.live_server import LiveServer, live_server

KEY = "correct-horse-battery"


@pytest.fixture(scope="module")
def guarded() -> Iterator[LiveServer]:
    """A server that wants a key."""
    with live_server(api_keys=(KEY,)) as started:
        yield started


@pytest.mark.parametrize("way", ["Record", "Open files"])
def test_what_cannot_be_a_key_is_refused_at_once(
    browser: Browser, guarded: LiveServer, way: str
) -> None:
    with visit(browser, guarded.http) as page:
        if way == "Record":
            press(page)
        else:
            page.get_by_label(way).set_input_files(RECORDING)
        dialog = page.get_by_role("dialog")
        give_key(page, "ein Schlüssel mit Lücken")
        expect(dialog).to_contain_text("not one of this server's keys")
        expect(dialog.get_by_label("Key")).to_be_focused()
        assert page.evaluate("sessionStorage.length") == 0
        give_key(page, KEY)
        expect(page.locator(".state")).to_have_text(re.compile("listening|0:08"))


def test_a_stored_text_that_cannot_be_a_key_is_not_used(
    browser: Browser, guarded: LiveServer
) -> None:
    script = "sessionStorage.getItem('voxwire.key') ?? sessionStorage.setItem('voxwire.key', 'ä ö')"
    with visit(browser, guarded.http, script=script) as page:
        press(page)
        give_key(page, KEY)
        expect(page.locator(".state")).to_have_text("listening")


LOSES_MICROPHONE = """
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await open(wanted);
    window.unplug = () => stream.getTracks()[0].dispatchEvent(new Event("ended"));
    return stream;
  };
"""


def test_a_recording_that_ends_takes_its_question_for_a_key_back(
    browser: Browser, guarded: LiveServer
) -> None:
    with visit(browser, guarded.http, script=LOSES_MICROPHONE) as page:
        press(page)
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        page.evaluate("unplug()")
        idle(page)
        expect(dialog).to_be_hidden()
        press(page)
        give_key(page, KEY)
        expect(page.locator(".state")).to_have_text("listening")


def test_a_key_that_has_all_its_sessions_is_told_so(browser: Browser) -> None:
    with (
        live_server(max_sessions_per_key=1) as server,
        visit(browser, server.http) as page,
        visit(browser, server.http) as second,
    ):
        press(page)
        expect(page.locator(".state")).to_have_text("listening")
        press(second)
        expect(second.get_by_role("alert")).to_contain_text(
            "Visitors without a key have 1 session open, and no more may be."
        )
        idle(second)
