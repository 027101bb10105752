"""Build the parts of messages: blocks, buttons, dialogs, dates and escaped text.

Pure functions. slack_sdk's models refuse what is over Slack's limits ("Block Kit", Slack
documentation).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from slack_sdk.models.blocks import (
    ActionsBlock,
    Block,
    ButtonElement,
    ConfirmObject,
    ContextBlock,
    MarkdownTextObject,
    SectionBlock,
)

from bot.slack.messages.text import utc_text

MAX_TEXT = 3000
"""Maximum characters of a section's text ("Section block", Slack documentation)."""

DATE_FORMAT = "\u200b{date_short_pretty} at {time}"
"""A zero-width space starts each format, because Slack capitalises its first letter."""


@dataclass(frozen=True)
class Message:
    """A message: its `text` for notifications, and its blocks as Slack takes them."""

    text: str
    blocks: list[dict[str, Any]]


def message(text: str, parts: Iterable[Block | dict[str, Any] | None]) -> Message:
    """Return a message of those parts that are not None.

    Raises SlackObjectFormationError over Slack's limits.
    """
    return Message(
        text,
        [part if isinstance(part, dict) else part.to_dict() for part in parts if part is not None],
    )


def sentence(text: str) -> Message:
    """Return a message of one mrkdwn text."""
    return message(text, [section(text)])


def escape(text: str) -> str:
    """Escape Slack's three control characters.

    Source: "Formatting message text", Slack documentation.
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def date_token(at: datetime) -> str:
    """Return a moment in the reader's time zone, or in UTC where Slack cannot show it."""
    return f"<!date^{int(at.timestamp())}^{DATE_FORMAT}|{utc_text(at)}>"


def time_token(at: datetime) -> str:
    """Return the time of day of a recent moment, in the reader's time zone."""
    return f"<!date^{int(at.timestamp())}^{{time}}|{at:%H:%M} UTC>"


def section(text: str, button: ButtonElement | None = None) -> SectionBlock:
    """Return mrkdwn text, cut after MAX_TEXT characters."""
    return SectionBlock(text=_mrkdwn(text), accessory=button)


def operator_section(text: str) -> SectionBlock:
    """Return what the operator wrote (INSTEAD_OF_KEYS): addresses in it become links."""
    return SectionBlock(text=MarkdownTextObject(text=text[:MAX_TEXT], verbatim=False))


def context(text: str) -> ContextBlock:
    """Return mrkdwn text in small, grey letters."""
    return ContextBlock(elements=[_mrkdwn(text)])


def _mrkdwn(text: str) -> MarkdownTextObject:
    """Return mrkdwn in which a plain @here, #channel or address stays text.

    Users may type those ("Text object", field `verbatim`, Slack documentation).
    """
    return MarkdownTextObject(text=text[:MAX_TEXT], verbatim=True)


def actions(*buttons: ButtonElement) -> ActionsBlock:
    """Return a row of buttons."""
    return ActionsBlock(elements=list(buttons))


def button(
    text: str,
    action_id: str,
    value: str,
    *,
    style: str | None = None,
    confirm: ConfirmObject | None = None,
) -> ButtonElement:
    """Return a button whose value is the ID of a request or key, and nothing else."""
    return ButtonElement(text=text, action_id=action_id, value=value, style=style, confirm=confirm)


def confirm(
    title: str, text: str, yes: str, *, no: str = "Not now", danger: bool = False
) -> ConfirmObject:
    """Return the dialog that asks before a button does something."""
    return ConfirmObject(
        title=title,
        text=MarkdownTextObject(text=text, verbatim=True),
        confirm=yes,
        deny=no,
        style="danger" if danger else "primary",
    )


def preformatted(text: str) -> dict[str, Any]:
    """Return text exactly as it is: no mrkdwn is read in it."""
    return _rich_text("rich_text_preformatted", _plain(text))


def quote(text: str) -> dict[str, Any]:
    """Return what a user typed as a quotation, without mrkdwn or mentions."""
    return _rich_text("rich_text_quote", _plain(text))


def table(rows: Iterable[Iterable[str | datetime | tuple[str | datetime, ...]]]) -> dict[str, Any]:
    """Return a table whose cells are text, moments, or both one after the other."""
    cells = [[_cell(one) for one in row] for row in rows]
    return {
        "type": "table",
        "rows": cells,
        "column_settings": [{"is_wrapped": True}] * len(cells[0]),
    }


def _cell(content: str | datetime | tuple[str | datetime, ...]) -> dict[str, Any]:
    if isinstance(content, str):
        return {"type": "raw_text", "text": content}
    parts = content if isinstance(content, tuple) else (content,)
    return _rich_text(
        "rich_text_section",
        *(_plain(one) if isinstance(one, str) else _date(one) for one in parts),
    )


def _date(at: datetime) -> dict[str, Any]:
    """Return a date for rich text.

    Source: "Rich text block", element `date`, Slack documentation.
    """
    return {
        "type": "date",
        "timestamp": int(at.timestamp()),
        "format": DATE_FORMAT,
        "fallback": utc_text(at),
    }


def _plain(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _rich_text(kind: str, *elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": kind, "elements": list(elements)}]}
