"""Visits to the page: what most tests of it do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, expect

from tests.repo.sources import ROOT
from voxwire.model.checkpoint.hub import EMBEDDED

RECORDING = EMBEDDED / "demo" / "digits.flac"
SPOKEN = (EMBEDDED / "demo" / "digits.txt").read_text().strip()
SCREENSHOTS = ROOT / ".cache" / "screenshots"
FINALS = ".segments .text"
PATIENCE_MS = 60_000  # a browser on a busy machine; a healthy one needs none of it
expect.set_options(timeout=PATIENCE_MS)
# What a browser says of answers that the page explains by itself.
EXPECTED = re.compile("Failed to load resource|WebSocket connection to")


@contextmanager
def visit(browser: Browser, url: str, script: str = "", **options: Any) -> Iterator[Page]:
    """Open the page as a new visitor, after `script`.

    What its scripts complain of, or the policy blocks, fails the test.
    """
    options.setdefault("viewport", {"width": 1280, "height": 800})
    context = browser.new_context(**options)
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text))
    opened.add_init_script(script)
    opened.goto(url)
    yield opened
    context.close()
    assert [text for text in complaints if not EXPECTED.search(text)] == []


def press(page: Page) -> None:
    page.locator("#record").click()


def finals(page: Page) -> str:
    return " ".join(page.locator(FINALS).all_inner_texts())


def heard_all(page: Page) -> None:
    page.wait_for_function(
        "([selector, text]) => [...document.querySelectorAll(selector)]"
        ".map((each) => each.textContent).join(' ') === text",
        arg=[FINALS, SPOKEN],
        timeout=PATIENCE_MS,
    )


def give_key(page: Page, key: str) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Key").fill(key)
    dialog.get_by_role("button", name="Continue").click()


def idle(page: Page) -> None:
    expect(page.get_by_role("button", name="Record", exact=True)).to_be_enabled()


def screenshot(page: Page, name: str) -> None:
    """Keep what the page looks like now."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")
