"""How long the page waits for what does not come; its clock is moved, so that nobody else waits."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, Route, WebSocketRoute, expect

from tests.clients.web.visits import finals, heard_all, idle, press, visit
from tests.proxy import Fault, Kind, proxy_in_a_thread
from tests.server.live_server import LiveServer

STALL_S = 10
SILENCE_S = 4
GIVE_UP_S = 120
OPEN = ".open .text"


def test_a_connection_over_which_nothing_comes_is_given_up_and_costs_no_word(
    browser: Browser, server: LiveServer
) -> None:
    gone = Fault(Kind.VANISH, 100_000)
    with proxy_in_a_thread(server.port, [gone]) as between, visit(browser, between.http) as page:
        page.clock.install()
        press(page)
        while not between.n_faults:
            page.wait_for_timeout(50)
        page.wait_for_timeout(1000)  # audio is owed an answer again
        page.clock.fast_forward(SILENCE_S * 1000)
        expect(page.locator("#lag")).to_have_text("")
        page.clock.fast_forward(STALL_S * 1000)
        expect(page.locator(".state")).to_have_text("listening")
        heard_all(page)
        press(page)
        idle(page)
        assert between.n_connections > 1
        expect(page.locator("#problem")).to_be_hidden()


def test_no_server_for_two_minutes_ends_the_recording_and_keeps_its_text(page: Page) -> None:
    page.clock.install()
    press(page)
    expect(page.locator(OPEN)).to_have_text(re.compile("three"))
    page.context.set_offline(True)
    page.route_web_socket("**/v1/stream*", lambda socket: socket.close())
    expect(page.locator(".state")).to_have_text("connection lost, trying again")
    page.clock.fast_forward((GIVE_UP_S - 20) * 1000)
    expect(page.locator(".state")).to_have_text("connection lost, trying again")
    page.clock.fast_forward(30 * 1000)
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer")
    idle(page)
    assert "three" in finals(page)


REFUSED = "The server is there, but the connection for sound is refused"


def test_a_server_that_lets_no_socket_through_is_told_at_once_and_soon_given_up(page: Page) -> None:
    """A proxy without WebSockets, or a server that does not allow the page's address."""
    sockets: list[WebSocketRoute] = []

    def refuse(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.close()

    page.route_web_socket("**/v1/stream*", refuse)
    press(page)
    expect(page.get_by_role("alert")).to_contain_text(REFUSED)
    expect(page.locator(".state")).to_have_text("ended early")
    idle(page)
    assert len(sockets) == 4
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_contain_text(REFUSED)
    idle(page)


def test_who_stops_while_no_socket_opens_need_not_wait(page: Page) -> None:
    page.clock.install(time=0)
    page.clock.pause_at(1000)  # no second try comes
    page.route_web_socket("**/v1/stream*", lambda socket: socket.close())
    press(page)
    expect(page.get_by_role("alert")).to_contain_text(REFUSED)
    expect(page.locator(".state")).to_have_text("no connection, trying again")
    press(page)
    idle(page)
    expect(page.get_by_role("alert")).to_contain_text(REFUSED)


def test_a_first_socket_that_hangs_can_be_given_up(page: Page) -> None:
    sockets: list[WebSocketRoute] = []

    def refuse_one(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if len(sockets) == 1:
            socket.close()

    page.route_web_socket("**/v1/stream*", refuse_one)
    press(page)
    while len(sockets) < 2:
        page.wait_for_timeout(50)
    press(page)
    expect(page.get_by_role("button", name="Give up")).to_be_enabled()
    press(page)
    idle(page)
    expect(page.get_by_role("alert")).to_contain_text(REFUSED)


def test_a_socket_that_opens_at_a_later_try_takes_the_word_away(page: Page) -> None:
    sockets: list[WebSocketRoute] = []

    def refuse_two(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        if len(sockets) < 3:
            socket.close()
        else:
            socket.connect_to_server()

    page.route_web_socket("**/v1/stream*", refuse_two)
    press(page)
    expect(page.locator(".state")).to_have_text("listening")
    expect(page.locator("#problem")).to_be_hidden()
    heard_all(page)


def test_a_server_that_answers_nothing_is_asked_again(page: Page) -> None:
    """A network that vanished: a request over it would be waited for until the system gives up."""
    asked: list[Route] = []
    page.route("**/v1/models", lambda route: asked.append(route))  # never answered
    sockets: list[WebSocketRoute] = []

    def pass_on(socket: WebSocketRoute) -> None:
        sockets.append(socket)
        socket.connect_to_server()

    page.route_web_socket("**/v1/stream*", pass_on)
    press(page)
    expect(page.locator(OPEN)).to_have_text(re.compile("three"))
    sockets[0].close(code=1011)
    expect(page.locator(".state")).to_have_text("listening")
    heard_all(page)
    assert asked
