"""Helpers that render a record and read what a message shows."""

from __future__ import annotations

from typing import Any

from bot.domain.records import Record
from bot.slack.messages import kinds
from bot.slack.messages.blocks import Message
from tests.support.example_requests import PLACES
from tests.support.message_parts import formatted, parts


def rendered(record: Record, kind: str) -> Message:
    return kinds.render(record, kind, PLACES)


def shown(record: Record, kind: str) -> str:
    """Return all text of a message in which Slack reads formatting."""
    return "\n".join(formatted(rendered(record, kind)))


def quotes(thing: Any) -> list[str]:
    """Return the quoted texts of a message or view."""
    found = parts(thing, "rich_text_quote")
    assert all(len(one["elements"]) == 1 for one in found)
    return [one["elements"][0]["text"] for one in found]


def dialog(thing: Any, action_id: str) -> tuple[str, str]:
    """Return the text and the style of the dialog that a button opens."""
    [button] = [one for one in parts(thing, "button") if one["action_id"] == action_id]
    return button["confirm"]["text"]["text"], button["confirm"].get("style", "")


def asking(messages: list[Message]) -> dict[str, set[bool]]:
    """Return for each button whether it opens a dialog first."""
    found: dict[str, set[bool]] = {}
    for one in (part for message in messages for part in parts(message, "button")):
        found.setdefault(one["action_id"], set()).add("confirm" in one)
    return found
