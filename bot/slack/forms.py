"""What do forms look like, and what was typed into them? Pure functions; no secret ever stands in a view."""

from __future__ import annotations

from typing import Any

from slack_sdk.models.blocks import InputBlock, PlainTextInputElement

from bot.core.command import REASON_MAX
from bot.slack import ids
from bot.slack.blocks import escape, section


def create_form(instead: str = "") -> dict[str, Any]:
    """The form that asks what a key is for. `instead` is shown first ("People: use SSO")."""
    reason = InputBlock(
        block_id=ids.REASON_BLOCK, label="What is the key for?", hint="An approver reads this and decides.",
        element=PlainTextInputElement(action_id=ids.REASON_INPUT, multiline=True, min_length=1, max_length=REASON_MAX,
                                      placeholder="Deploy script of the billing job"))
    blocks = [section(escape(instead)).to_dict()] if instead else []
    return {"type": "modal", "callback_id": ids.CREATE_FORM, "title": _plain("Ask for an access key"),
            "submit": _plain("Ask"), "close": _plain("Cancel"), "blocks": [*blocks, reason.to_dict()]}


def create_reason(view: dict[str, Any]) -> str:
    """The reason typed into the form, or "" where there is none."""
    part: Any = view
    for name in ("state", "values", ids.REASON_BLOCK, ids.REASON_INPUT, "value"):
        part = part.get(name) if isinstance(part, dict) else None
    return part if isinstance(part, str) else ""


def message_view(text: str, name: str = "") -> dict[str, Any]:
    """A form that only says something: "Checking…", then what came of it. `text` is mrkdwn.

    `name` is the `external_id` by which it can be found again.
    """
    named = {"external_id": name} if name else {}
    return {"type": "modal", "title": _plain("Ask for an access key"), "close": _plain("Close"),
            "blocks": [section(text).to_dict()], **named}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}
