"""Tests of the sandbox's page in a real browser: it behaves like Slack's client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from slack_bolt import Ack, App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

from sandbox.local import LocalSlack
from tests.browser.conftest import OpenPage
from tests.browser.story import say

MANIFEST = {
    "display_information": {"name": "Keydesk"},
    "features": {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "bot_user": {"display_name": "Keydesk"},
        "slash_commands": [
            {"command": "/key", "description": "Your access keys", "usage_hint": "help"}
        ],
    },
    "oauth_config": {"scopes": {"bot": ["commands", "chat:write", "im:write"]}},
    "settings": {
        "event_subscriptions": {"bot_events": ["app_home_opened"]},
        "interactivity": {"is_enabled": True},
        "socket_mode_enabled": True,
    },
}
HOSTILE = (
    '<img src=x onerror="window.pwned=1"> <script>window.pwned=1</script> & </article> *b* `c`'
)

pytestmark = pytest.mark.browser
Payload = dict[str, Any]


@pytest.fixture
def slack(tmp_path: Path) -> Iterator[LocalSlack]:
    """Run a workspace without a bot."""
    manifest = tmp_path / "manifest.yml"
    manifest.write_text(json.dumps(MANIFEST), encoding="utf-8")
    with LocalSlack(manifest) as local:
        yield local


@pytest.fixture
def heard(slack: LocalSlack, client: WebClient) -> Iterator[list[str]]:
    """Run a small bot, and return what it was told.

    Its form takes any reason but "bad".
    """
    app, told = App(client=client), list[str]()
    handler = SocketModeHandler(app, slack.app_token, ping_interval=1)

    @app.action("delete")
    def on_delete(ack: Ack) -> None:
        told.append("delete")
        ack()

    @app.command("/key")
    def on_command(ack: Ack, command: Payload) -> None:
        told.append(command["text"])
        ack()
        client.views_open(trigger_id=command["trigger_id"], view=form())

    @app.view("ask")
    def on_form(ack: Ack, view: Payload) -> None:
        reason = view["state"]["values"]["reason"]["typed"]["value"]
        told.append(reason)
        if reason == "bad":
            ack(response_action="errors", errors={"reason": "Say more."})
        else:
            ack()

    handler.connect()
    slack.wait_for_bot()
    yield told
    handler.close()


@pytest.fixture
def page(slack: LocalSlack, open_page: OpenPage) -> Page:
    """Open the page as Alice, in #general."""
    return open_page(slack.url)


def plain(text: str) -> Payload:
    """Return a plain_text object."""
    return {"type": "plain_text", "text": text}


def form() -> Payload:
    """Return a modal that asks for a reason."""
    element = {"type": "plain_text_input", "action_id": "typed", "max_length": 20}
    block = {"type": "input", "block_id": "reason", "label": plain("Reason"), "element": element}
    return {
        "type": "modal",
        "callback_id": "ask",
        "title": plain("Ask"),
        "submit": plain("Send"),
        "blocks": [block],
    }


def delete_card() -> list[Payload]:
    """Return a card with a button that asks first."""
    confirm = {
        "title": plain("Delete the key?"),
        "text": {"type": "mrkdwn", "text": "This is *final*."},
        "confirm": plain("Yes, delete"),
        "deny": plain("Keep"),
        "style": "danger",
    }
    button = {
        "type": "button",
        "action_id": "delete",
        "text": plain("Delete"),
        "value": "1",
        "confirm": confirm,
    }
    return [{"type": "actions", "elements": [button]}]


def test_no_text_becomes_markup(page: Page, client: WebClient) -> None:
    """Text of each kind shows hostile characters as they are."""
    blocks = [
        {"type": "header", "text": plain(HOSTILE)},
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": HOSTILE},
            "fields": [plain(HOSTILE)],
        },
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "<javascript:window.pwned=1|click>"},
        },
        {"type": "rich_text", "elements": [preformatted(HOSTILE)]},
        {"type": "markdown", "text": f"{HOSTILE} [click](javascript:window.pwned=1)"},
    ]
    say(page, HOSTILE)
    client.chat_postMessage(channel=dm_of(client), text="x", blocks=blocks)
    shown = "<script>window.pwned=1</script> & </article> b c"
    expect(page.get_by_role("article").first).to_contain_text(shown)
    page.get_by_role("link", name="Keydesk").click()
    expect(page.locator("pre")).to_have_text(HOSTILE)
    assert page.locator("article img, article script, [href^='javascript']").count() == 0
    assert page.evaluate("window.pwned") is None


def preformatted(text: str) -> Payload:
    """Return a preformatted part of a rich text block."""
    return {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text}]}


def dm_of(client: WebClient, user: str = "U0ALICE") -> str:
    """Return the ID of the bot's direct message with a person."""
    channel: str = client.conversations_open(users=user)["channel"]["id"]
    return channel


def test_a_button_with_confirm_asks_first(page: Page, client: WebClient, heard: list[str]) -> None:
    """Escape and the denying button tell the bot nothing.

    The confirming one tells it once.
    """
    client.chat_postMessage(channel=dm_of(client), text="card", blocks=delete_card())
    page.get_by_role("link", name="Keydesk").click()
    delete = page.get_by_role("article").get_by_role("button", name="Delete")
    dialog = page.get_by_role("dialog")
    for leave in (
        lambda: page.keyboard.press("Escape"),
        dialog.get_by_role("button", name="Keep").click,
    ):
        delete.click()
        expect(dialog).to_contain_text("This is final.")
        leave()
        expect(dialog).to_have_count(0)
    assert heard == []
    delete.click()
    with page.expect_response("**/act"):
        dialog.get_by_role("button", name="Yes, delete").click()
    assert heard == ["delete"]


def test_a_form_shows_errors_and_closes_for_good(
    page: Page, slack: LocalSlack, heard: list[str]
) -> None:
    """An empty or too long field is not sent. The bot's error keeps the text.

    Escape removes the form from page and workspace, and the focus is back where it was.
    """
    dialog = page.get_by_role("dialog", name="Ask")
    reason = dialog.get_by_role("textbox", name="Reason")
    say(page, "/key create")
    expect(reason).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("textbox", name="Message")).to_be_focused()
    assert slack.person("alice").modal is None

    say(page, "/key create")
    expect(reason).to_be_focused()
    errors = {"": "required field", "x" * 21: "at most 20 characters", "bad": "Say more."}
    for typed, error in errors.items():
        reason.fill(typed)
        dialog.get_by_role("button", name="Send").click()
        expect(dialog.get_by_role("alert")).to_contain_text(error)
        expect(reason).to_have_attribute("aria-invalid", "true")
        expect(reason).to_have_value(typed)
    reason.fill("deploy script")
    reason.press("Enter")
    expect(dialog).to_have_count(0)
    assert heard == ["create", "create", "bad", "deploy script"]


def test_a_reload_loses_ephemerals_and_nothing_else(page: Page, client: WebClient) -> None:
    """As Slack says, ephemeral messages "do not persist across reloads"."""
    client.chat_postMessage(channel=dm_of(client), text="lasting")
    client.chat_postEphemeral(channel=dm_of(client), user="U0ALICE", text="shown once")
    page.get_by_role("link", name="Keydesk").click()
    expect(page.locator("article.ephemeral")).to_contain_text("Only visible to you")
    expect(page.locator("article.ephemeral")).to_contain_text("shown once")
    page.get_by_role("button", name="Reload page").click()
    expect(page.get_by_role("article").filter(has_text="lasting")).to_be_visible()
    expect(page.get_by_text("shown once")).to_have_count(0)


def test_each_person_sees_their_own_workspace(page: Page, client: WebClient) -> None:
    """Bob's direct message gives Bob a dot and an unread badge.

    Alice sees nothing of it.
    """
    client.chat_postMessage(channel=dm_of(client, "U0BOB"), text="for Bob")
    expect(page.locator("[data-person='bob'][data-news='yes']")).to_be_visible()
    page.get_by_role("link", name="Keydesk").click()
    expect(page.get_by_text("for Bob")).to_have_count(0)
    page.get_by_role("link", name="general").click()
    page.get_by_role("button", name="Bob Brown").click()
    expect(page.get_by_role("link", name="Keydesk")).to_contain_text("1")
    page.get_by_role("link", name="Keydesk").click()
    expect(page.get_by_role("article")).to_contain_text("for Bob")
    expect(page.locator("[data-person='bob'][data-news='no']")).to_be_visible()


def test_commands_are_suggested_and_their_failure_is_shown(page: Page) -> None:
    """Enter completes a half-typed name.

    An unknown command is refused and stays typed.
    """
    box = page.get_by_role("textbox", name="Message")
    box.press_sequentially("/k")
    expect(page.get_by_role("option")).to_contain_text("Your access keys")
    box.press("Enter")
    expect(box).to_have_value("/key ")
    say(page, "/nope please")
    expect(page.get_by_role("alert")).to_have_text("/nope is not a valid command")
    expect(box).to_have_value("/nope please")


def test_what_is_typed_before_the_first_answer_stays(page: Page) -> None:
    """The commands that fit the first letters are shown once the workspace answers."""
    held: list[Route] = []
    page.route("**/events?*", lambda answer: held.append(answer))
    page.reload()
    box = page.get_by_role("textbox", name="Message")
    box.press_sequentially("/k")
    for answer in held:
        answer.continue_()
    assert held
    expect(page.get_by_role("option")).to_contain_text("Your access keys")
    expect(box).to_have_value("/k")


def test_shift_enter_makes_a_line_and_enter_sends(page: Page) -> None:
    """Both lines arrive as one message."""
    box = page.get_by_role("textbox", name="Message")
    box.press_sequentially("one")
    box.press("Shift+Enter")
    box.press_sequentially("two")
    box.press("Enter")
    expect(page.get_by_role("article")).to_contain_text("one\ntwo")
    expect(box).to_have_value("")


def test_the_page_asks_only_the_sandbox(page: Page, slack: LocalSlack, client: WebClient) -> None:
    """Also for a message with a picture from elsewhere."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    picture = {"type": "image", "image_url": "https://outside.example/a.png", "alt_text": "a chart"}
    client.chat_postMessage(channel=dm_of(client), text="x", blocks=[picture])
    page.reload()
    page.get_by_role("link", name="Keydesk").click()
    expect(page.get_by_role("img", name="a chart")).to_be_visible()
    assert asked and [address for address in asked if not address.startswith(slack.url)] == []
