"""Find the parts of a message or view: buttons, formatted and bold texts."""

from __future__ import annotations

import json
import re
from typing import Any

from bot.slack.messages.blocks import Message


def parts(thing: Any, kind: str) -> list[dict[str, Any]]:
    """Return every part of a message or view whose type is `kind`, at any depth."""
    if isinstance(thing, Message):
        return parts(thing.blocks, kind)
    if isinstance(thing, list):
        return [found for one in thing for found in parts(one, kind)]
    if not isinstance(thing, dict):
        return []
    here = [thing] if thing.get("type") == kind else []
    return here + [found for one in thing.values() for found in parts(one, kind)]


def buttons(thing: Any) -> dict[str, str]:
    """Return the buttons of a message: action IDs and values."""
    return {one["action_id"]: one["value"] for one in parts(thing, "button")}


def formatted(thing: Any) -> list[str]:
    """Return every text in which Slack reads formatting and mentions."""
    own = [thing.text] if isinstance(thing, Message) else []
    return own + [one["text"] for one in parts(thing, "mrkdwn")]


def bold(message: Message) -> list[str]:
    """Return every text that Slack shows bold."""
    return [
        found
        for text in formatted(message)
        for found in re.findall(r"(?<![\w*])\*(?=\S)([^\n]*?)(?<=\S)\*(?![\w*])", text)
    ]


def everything(message: Message) -> str:
    """Return all of a message as text to search in."""
    return message.text + json.dumps(message.blocks, ensure_ascii=False)
