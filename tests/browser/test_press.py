"""Tests of clicks in the sandbox's page while the message changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from slack_bolt import Ack, App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

from sandbox.local import LocalSlack
from tests.browser.conftest import OpenPage
from tests.browser.test_page import dm_of, plain
from tests.support.running_bot import MANIFEST

pytestmark = pytest.mark.browser
Hand = Callable[[], None]


@pytest.fixture
def slack() -> Iterator[LocalSlack]:
    """Run a workspace."""
    with LocalSlack(MANIFEST) as slack:
        yield slack


@pytest.fixture
def approved(slack: LocalSlack, client: WebClient) -> Iterator[list[str]]:
    """Run a small bot, and return the value of each **Approve** it was told of."""
    app, told = App(client=client), list[str]()
    handler = SocketModeHandler(app, slack.app_token, ping_interval=1)

    @app.action("approve")
    def on_approve(ack: Ack, action: dict[str, Any]) -> None:
        told.append(action["value"])
        ack()

    handler.connect()
    slack.wait_for_bot()
    yield told
    handler.close()


@pytest.fixture
def page(slack: LocalSlack, open_page: OpenPage) -> Page:
    """Open the page as Alice, in her direct message with the app."""
    page = open_page(slack.url)
    page.get_by_role("link", name="Keydesk").click()
    return page


def card(text: str) -> dict[str, Any]:
    """Return a message with a button, whose blocks have the IDs that Slack gives them."""
    button = {"type": "button", "action_id": "approve", "text": plain("Approve"), "value": text}
    section = {"type": "section", "text": plain(text)}
    return {"text": text, "blocks": [section, {"type": "actions", "elements": [button]}]}


def by_mouse(page: Page) -> tuple[Hand, Hand]:
    """Return how to press and release the button with the mouse."""
    page.get_by_role("button", name="Approve").hover()
    return page.mouse.down, page.mouse.up


def by_space(page: Page) -> tuple[Hand, Hand]:
    """Return how to press and release the button with the space bar."""
    page.get_by_role("button", name="Approve").focus()
    return lambda: page.keyboard.down("Space"), lambda: page.keyboard.up("Space")


@pytest.mark.parametrize("held", [by_mouse, by_space])
def test_a_click_counts_while_its_message_changes(
    page: Page, client: WebClient, approved: list[str], held: Callable[[Page], tuple[Hand, Hand]]
) -> None:
    """It is a click on what the person saw.

    The page shows the change after the release.
    """
    states: list[str] = []
    network = page.context.new_cdp_session(page)
    network.on("Network.eventSourceMessageReceived", lambda event: states.append(event["data"]))
    network.send("Network.enable")
    dm = dm_of(client)
    ts = client.chat_postMessage(channel=dm, **card("Bob asks for a key."))["ts"]
    press, release = held(page)
    press()
    client.chat_update(channel=dm, ts=ts, **card("Bob asks for a key. He has none."))
    while not any("He has none" in state for state in states):
        page.evaluate("0")  # lets the browser's events in
    with page.expect_response("**/act") as answer:
        release()
    assert answer.value.json()["ok"]
    expect(page.get_by_text("He has none")).to_be_visible()
    assert approved == ["Bob asks for a key."]
