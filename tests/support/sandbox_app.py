"""The smallest Bolt app, with its manifest, that uses every part of Slack in use."""

from __future__ import annotations

from typing import Any

from slack_bolt import Ack, App, Respond
from slack_sdk import WebClient

Payload = dict[str, Any]

SCOPES = [
    "commands",
    "chat:write",
    "im:write",
    "users:read",
    "users:read.email",
    "usergroups:read",
    "channels:read",
    "groups:read",
]
COMMAND = {
    "command": "/key",
    "description": "Your access keys",
    "usage_hint": "help",
    "should_escape": False,
}
MANIFEST: Payload = {
    "display_information": {"name": "Keydesk"},
    "features": {
        "app_home": {
            "home_tab_enabled": True,
            "messages_tab_enabled": True,
            "messages_tab_read_only_enabled": False,
        },
        "bot_user": {"display_name": "Keydesk"},
        "slash_commands": [COMMAND],
    },
    "oauth_config": {"scopes": {"bot": SCOPES}},
    "settings": {
        "event_subscriptions": {"bot_events": ["app_home_opened"]},
        "interactivity": {"is_enabled": True},
        "socket_mode_enabled": True,
    },
}


def button(text: str, action_id: str, value: str = "1") -> Payload:
    """Return a button."""
    return {
        "type": "button",
        "text": {"type": "plain_text", "text": text},
        "action_id": action_id,
        "value": value,
    }


def card(text: str, *buttons: Payload) -> list[Payload]:
    """Return a section and, below it, buttons."""
    section: Payload = {"type": "section", "text": {"type": "mrkdwn", "text": text}}
    return [section, {"type": "actions", "elements": list(buttons)}] if buttons else [section]


def form() -> Payload:
    """Return a modal with one input."""
    return {
        "type": "modal",
        "callback_id": "ask",
        "title": {"type": "plain_text", "text": "Ask"},
        "submit": {"type": "plain_text", "text": "Send"},
        "notify_on_close": True,
        "blocks": [
            {
                "type": "input",
                "block_id": "reason",
                "label": {"type": "plain_text", "text": "Reason"},
                "element": {"type": "plain_text_input", "action_id": "typed", "max_length": 100},
            },
            {"type": "actions", "elements": [button("More", "more")]},
        ],
    }


def notice(title: str) -> Payload:
    """Return a modal that only says something."""
    return {"type": "modal", "title": {"type": "plain_text", "text": title}, "blocks": card(title)}


def add_listeners(app: App) -> None:
    """Give the app its listeners."""
    app.command("/key")(on_command)
    app.action("approve")(on_approve)
    app.action("reveal")(on_reveal)
    app.action("saved")(on_saved)
    app.action("ask")(on_ask)
    app.action("more")(on_more)
    app.view("ask")(on_form)
    app.view_closed("ask")(on_form_closed)
    app.event("app_home_opened")(on_home)


def on_command(ack: Ack, command: Payload, client: WebClient) -> None:
    """Post a card, or answer in the ack."""
    if command["text"] == "silence":
        return
    if command["text"] == "":
        ack("say more")
        return
    ack()
    buttons = [button("Approve", "approve", command["user_id"]), button("Ask", "ask")]
    client.chat_postMessage(
        channel="C0APPROVALS", text="card", blocks=card(command["text"], *buttons)
    )


def on_approve(ack: Ack, body: Payload, action: Payload, client: WebClient) -> None:
    """Render the card again and tell the requester."""
    ack()
    client.chat_update(
        channel=body["channel"]["id"],
        ts=body["message"]["ts"],
        text="approved",
        blocks=card("*approved*"),
    )
    blocks = card("ready", button("Reveal", "reveal"))
    client.chat_postMessage(channel=action["value"], text="ready", blocks=blocks)


def on_reveal(ack: Ack, body: Payload, client: WebClient) -> None:
    """Show something to one person."""
    ack()
    client.chat_postEphemeral(
        channel=body["channel"]["id"],
        user=body["user"]["id"],
        text="s",
        blocks=card("secret", button("Saved", "saved")),
    )


def on_saved(ack: Ack, respond: Respond, body: Payload) -> None:
    """Remove the ephemeral message that was clicked."""
    ack()
    assert "message" not in body
    respond(delete_original=True)


def on_ask(ack: Ack, body: Payload, client: WebClient) -> None:
    """Open the form."""
    ack()
    client.views_open(trigger_id=body["trigger_id"], view=form())


def on_more(ack: Ack, body: Payload, client: WebClient) -> None:
    """Put another modal on top."""
    ack()
    client.views_push(trigger_id=body["trigger_id"], view=notice("More"))


def on_form(ack: Ack, view: Payload) -> None:
    """Answer a submission in each of the ways there are."""
    reason = view["state"]["values"]["reason"]["typed"]["value"]
    if reason == "bad":
        ack(response_action="errors", errors={"reason": "give a better reason"})
    elif reason == "more":
        ack(response_action="push", view=notice("Pushed"))
    elif reason == "update":
        ack(response_action="update", view=notice("Updated"))
    else:
        ack()


def on_form_closed(ack: Ack, body: Payload, client: WebClient) -> None:
    """Say that the form was closed."""
    ack()
    client.chat_postMessage(channel=body["user"]["id"], text="closed")


def on_home(event: Payload, client: WebClient) -> None:
    """Publish a Home tab."""
    view = {"type": "home", "blocks": card("home", button("Ask", "ask"))}
    client.views_publish(user_id=event["user"], view=view)
