"""Does the sandbox's page take every click, though messages change while a button is held down?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from slack_sdk import WebClient

from sandbox.local import LocalSlack
from tests.browser.story import opened
from tests.browser.test_page import CHROMIUM, dm_of, plain
from tests.running import MANIFEST

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"NO BROWSER: {CHROMIUM} is missing, clicks are untested"),
]


@pytest.fixture
def client() -> Iterator[WebClient]:
    """The Web API of a workspace where no bot runs."""
    with LocalSlack(MANIFEST) as slack:
        yield WebClient(token=slack.bot_token, base_url=slack.api_url, retry_handlers=[], timeout=5)


@pytest.fixture
def page(client: WebClient) -> Iterator[Page]:
    """The page as Alice, in her direct message with the app."""
    with opened(client.base_url.removesuffix("/api/")) as page:
        page.get_by_role("link", name="Keydesk").click()
        yield page


def card(text: str) -> dict[str, Any]:
    """A message with a button."""
    button = {"type": "button", "action_id": "approve", "text": plain("Approve")}
    section = {"type": "section", "text": plain(text)}
    return {"text": text, "blocks": [section, {"type": "actions", "block_id": "answer", "elements": [button]}]}


def by_mouse(page: Page) -> tuple[Callable[[], None], Callable[[], None]]:
    page.get_by_role("button", name="Approve").hover()
    return page.mouse.down, page.mouse.up


def by_space(page: Page) -> tuple[Callable[[], None], Callable[[], None]]:
    page.get_by_role("button", name="Approve").focus()
    return lambda: page.keyboard.down("Space"), lambda: page.keyboard.up("Space")


@pytest.mark.parametrize("held", [by_mouse, by_space])
def test_a_click_counts_though_its_message_changes_between_press_and_release(
    page: Page, client: WebClient, held: Callable[[Page], tuple[Callable[[], None], Callable[[], None]]]
) -> None:
    """The page shows the change once the button is let go."""
    acts: list[str] = []
    page.on("request", lambda request: acts.append(request.post_data_json["do"]) if request.post_data else None)
    told: list[str] = []
    network = page.context.new_cdp_session(page)
    network.on("Network.eventSourceMessageReceived", lambda event: told.append(event["data"]))
    network.send("Network.enable")
    dm = dm_of(client)
    ts = client.chat_postMessage(channel=dm, **card("Bob asks for a key."))["ts"]
    press, release = held(page)
    press()
    client.chat_update(channel=dm, ts=ts, **card("Bob asks for a key. He has none."))
    while not any("He has none" in state for state in told):
        page.evaluate("0")  # lets the browser's events in
    release()
    expect(page.get_by_text("He has none")).to_be_visible()
    assert acts == ["click"]
