"""The page for everybody: by keyboard, by ear, in any light, and without anybody else's help."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.clients.web.conftest import WEB
from tests.clients.web.visits import RECORDING, SPOKEN, heard_all, press, screenshot, visit
from tests.server.live_server import LiveServer

PHONE = {"width": 390, "height": 844}


def test_all_of_it_works_by_the_keyboard(page: Page) -> None:
    page.get_by_label("Open files").set_input_files(RECORDING)
    heard_all(page)
    page.get_by_role("button", name="as JSON").focus()
    page.keyboard.press("Tab")
    tip = page.get_by_role("tooltip")
    expect(tip).to_have_text("7.28 to 7.68 s")  # the newest word
    page.keyboard.press("ArrowLeft")
    expect(tip).to_have_text("6.70 to 7.04 s")
    page.keyboard.press("Home")
    expect(tip).to_have_text("0.64 to 1.04 s")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Record", exact=True)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Stop")).to_be_focused()


def test_finals_are_told_to_screen_readers_once(page: Page) -> None:
    page.get_by_label("Open files").set_input_files(RECORDING)
    heard_all(page)
    expect(page.get_by_role("log")).to_have_text(SPOKEN)
    expect(page.get_by_role("status")).to_have_text("digits.flac is transcribed.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [{"width": 1280, "height": 800}, PHONE], ids=["desk", "phone"])
def test_it_can_be_read_by_everybody(
    browser: Browser, server: LiveServer, node_tools: Path, scheme: str, size: dict[str, int]
) -> None:
    """The rules of axe, contrast among them, hold on the empty page and on one with text."""
    rules = node_tools / "node_modules" / "axe-core" / "axe.min.js"
    with visit(browser, server.http, color_scheme=scheme, viewport=size, bypass_csp=True) as page:
        page.add_script_tag(path=rules)
        expect(page.locator("#room")).to_contain_text("free")
        assert violations(page) == []
        page.get_by_label("Open files").set_input_files(RECORDING)
        heard_all(page)
        page.locator("summary").click()
        page.wait_for_timeout(800)  # the colour settles
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        screenshot(page, f"text-{scheme}-{size['width']}")


def violations(page: Page) -> list[str]:
    found = page.evaluate("axe.run().then(({ violations }) => violations)")
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]


def test_the_theme_is_kept(page: Page) -> None:
    theme = page.get_by_role("button", name="Theme")
    theme.click()
    theme.click()
    dark = page.evaluate("getComputedStyle(document.body).color")
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).color") == dark
    expect(theme).to_have_accessible_name("Theme: dark")


def test_nothing_is_asked_of_anybody_else(browser: Browser, server: LiveServer) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(server.http)
    expect(page.locator("#room")).to_contain_text("free")
    press(page)
    expect(page.locator(".state")).to_have_text("listening")
    context.close()
    assert f"{server.http}/static/app.js" in asked
    assert all(url.startswith(server.http) for url in asked)


def test_the_sources_name_no_other_site() -> None:
    text = "".join(path.read_text() for path in (WEB / "dist").iterdir())
    named = set(re.findall(r"https?://[^\s\"'`$]+", text))
    assert named <= {"http://www.w3.org/2000/svg", "http://localhost:"}
