"""What do answers look like: the pieces they are built of, the key list, the help, and the one ephemeral with a secret?

Pure functions. slack_sdk's models refuse what is over Slack's limits ("Block Kit", Slack documentation).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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

from bot.domain.commands import VERBS
from bot.domain.errors import utc_text
from bot.domain.keys import AccessKey, ManagedKey
from bot.domain.requests import KeyRequest
from bot.domain.secret import Secret
from bot.slack import action_ids
from bot.slack.messages.text import example

PROFILE = "keydesk"
"""The profile's name in the forms that are handed over: a named one, never `[default]`."""

MAX_TEXT = 3000
MAX_NAME = 30
"""Letters shown of a text, and of a service's or region's name: a dialog holds 300 in all ("Block Kit", Slack)."""


@dataclass(frozen=True)
class Message:
    """A message: the `text` that notifications show, and its blocks as Slack takes them."""

    text: str
    blocks: list[dict[str, Any]]


def message(text: str, parts: Iterable[Block | dict[str, Any] | None]) -> Message:
    """A message of those parts that are there. Raises SlackObjectFormationError over Slack's limits."""
    return Message(
        text,
        [part if isinstance(part, dict) else part.to_dict() for part in parts if part is not None],
    )


def escape(text: str) -> str:
    """User text for mrkdwn: Slack's three control characters ("Formatting message text", Slack documentation)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def escape_sentence(sentence: str) -> str:
    """A sentence of the desk's own as mrkdwn: `<reason>` is shown as it stands, `<@U…>` stays a mention."""
    return re.sub(r"&lt;(@[UW][A-Z0-9]+)&gt;", r"<\1>", escape(sentence))


def date_token(at: datetime) -> str:
    """A moment that Slack shows in each reader's own time; UTC in words where it cannot."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{utc_text(at)}>"


def section(text: str, button: ButtonElement | None = None) -> SectionBlock:
    """Text of at most TEXT_SHOWN letters: a message that is cut is better than none."""
    return SectionBlock(text=_mrkdwn(text), accessory=button)


def operator_section(text: str) -> SectionBlock:
    """What the operator wrote (INSTEAD_OF_KEYS): an address in it becomes a link, as anywhere in Slack."""
    return SectionBlock(text=MarkdownTextObject(text=text[:MAX_TEXT], verbatim=False))


def context(text: str) -> ContextBlock:
    return ContextBlock(elements=[_mrkdwn(text)])


def _mrkdwn(text: str) -> MarkdownTextObject:
    """Formatting and what stands in angle brackets is read (`<@U…>`); a plain @here, #channel or address stays text.

    ("Text object", field `verbatim`, Slack documentation.) What people type may hold those.
    """
    return MarkdownTextObject(text=text[:MAX_TEXT], verbatim=True)


def actions(*buttons: ButtonElement) -> ActionsBlock:
    return ActionsBlock(elements=list(buttons))


def button(
    text: str,
    action_id: str,
    value: str,
    *,
    style: str | None = None,
    confirm: ConfirmObject | None = None,
) -> ButtonElement:
    return ButtonElement(text=text, action_id=action_id, value=value, style=style, confirm=confirm)


def confirm(title: str, text: str, yes: str, *, danger: bool = False) -> ConfirmObject:
    return ConfirmObject(
        title=title,
        text=MarkdownTextObject(text=text, verbatim=True),
        confirm=yes,
        deny="Not now",
        style="danger" if danger else "primary",
    )


def preformatted(text: str) -> dict[str, Any]:
    """Text exactly as it is: no mrkdwn is read in it."""
    return _rich_text("rich_text_preformatted", text)


def quote(text: str) -> dict[str, Any]:
    """User text as a quotation; no mrkdwn and no mention is read in it."""
    return _rich_text("rich_text_quote", text)


def reason(request: KeyRequest) -> dict[str, Any] | ContextBlock:
    """Why something is asked for, as it was typed."""
    if request.verb == "extend":
        return context("Asked by a click on the reminder of its end.")
    return quote(request.reason) if request.reason else context("No reason given.")


def _rich_text(kind: str, text: str) -> dict[str, Any]:
    return {
        "type": "rich_text",
        "elements": [{"type": kind, "elements": [{"type": "text", "text": text}]}],
    }


def key_line(key: AccessKey, now: datetime, why: str = "") -> str:
    """A key in a line: ID, status and why, age, last use."""
    return f"`{key.id}` · {key.status.lower()}{why} · {age_text(key, now)} · {last_used_text(key)}"


def age_text(key: AccessKey, now: datetime) -> str:
    """How old a key is: "made today", "95 days old"."""
    days = max(0, (now - key.created_at).days)
    return "made today" if days == 0 else f"{days} day{'s' if days > 1 else ''} old"


def last_used_text(key: AccessKey) -> str:
    """When and for what a key was last used: date, service, region, or "never used"."""
    if key.last_used is None:
        return "last use unknown"
    if key.last_used.at is None:
        return "never used"
    service, region = (
        escape(name[:MAX_NAME]) for name in (key.last_used.service, key.last_used.region)
    )
    where = f" for {service} in {region}" if service else ""
    return f"last used {date_token(key.last_used.at)}{where}"


def key_list(
    keys: Sequence[AccessKey], records: Mapping[str, ManagedKey], now: datetime, whose: str = ""
) -> Message:
    """Keys, each with what can be done with it. `whose` is a service user's name, "" for the person's own."""
    who = f"`{escape(whose)}` has" if whose else "You have"
    if not keys:
        none = f"{who} no access keys."
        option = f"--user {whose} " if whose else ""
        return message(
            none,
            [section(f"{none} {escape_sentence(f'`/key create {option}<reason>` asks for one.')}")],
        )
    count = f"{len(keys)} access key{'s' if len(keys) > 1 else ''}"
    rows = [
        part
        for key in keys
        for part in (
            section(_row(key, records.get(key.id), now)),
            actions(*key_buttons(key, records.get(key.id))),
        )
    ]
    return message(f"{who} {count}.", [section(f"{who} *{count}*."), *rows])


def keys_for_approver(
    person: str, keys: Sequence[AccessKey], records: Mapping[str, ManagedKey], now: datetime
) -> Message:
    """Somebody else's keys, for an approver: each active one with **Disable**, which asks for the reason."""
    title = f"<@{person}> has {len(keys) or 'no'} access key{'' if len(keys) == 1 else 's'}."
    rows = [
        section(
            _row(key, records.get(key.id), now),
            button("Disable", action_ids.DISABLE_FOR, key.id, style="danger")
            if key.active
            else None,
        )
        for key in keys
    ]
    return message("Access keys", [section(f"*{title}*"), *rows])


def _row(key: AccessKey, record: ManagedKey | None, now: datetime) -> str:
    why = (
        f" ({record.inactive_reason})"
        if record and record.inactive_reason and not key.active
        else ""
    )
    ends = (
        f" · ends {date_token(record.expires_at)}"
        if record and record.expires_at and key.active
        else ""
    )
    gone = (
        f" · deleted {date_token(record.delete_at)}"
        if record and record.delete_at and not key.active
        else ""
    )
    return f"{key_line(key, now, why)}{ends}{gone}"


def key_buttons(key: AccessKey, record: ManagedKey | None) -> list[ButtonElement]:
    """What can be done with a key in its state."""
    if key.active:
        return [button("Rotate", action_ids.ROTATE, key.id), disable_button(key)]
    enable = [] if record and record.leaked else [button("Enable", action_ids.ENABLE, key.id)]
    return [*enable, delete_button(key)]


def cancel_button(request: KeyRequest) -> ButtonElement:
    done = (
        f"No new key will be made.{delete_first_text(request)}"
        if request.delete_first_at
        else "Nothing will be done."
    )
    return button(
        "Cancel request",
        action_ids.CANCEL,
        request.id,
        confirm=confirm(
            "Cancel this request?", f"{done} You can ask again at any time.", "Cancel request"
        ),
    )


def delete_first_text(request: KeyRequest) -> str:
    """What is not taken back: the key whose deletion began with the first reveal; "" where none did."""
    return (
        f" {request.delete_first} was let go at the first reveal, and does not come back."
        if request.delete_first_at
        else ""
    )


def last_use_message(key: AccessKey, now: datetime) -> Message:
    """`/key used`: date and how long ago, service, region; "never used"."""
    at = key.last_used.at if key.last_used else None
    ago = f", {_ago_text(now - at)}" if at else ""
    return message(
        f"{key.id}: {last_used_text(key)}",
        [
            section(f"`{key.id}`: {last_used_text(key)}{ago}."),
            context("AWS notices a use some minutes late."),
        ],
    )


def _ago_text(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    for unit, length in (("day", 24 * 60), ("hour", 60), ("minute", 1)):
        if minutes >= length:
            count = minutes // length
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def leak_question(key: AccessKey, button_: ButtonElement, now: datetime) -> Message:
    """An approver who reports a key is asked once, with its last use."""
    return message(
        f"Disable {key.id} now?",
        [section(f"{key_line(key, now)} · IAM user `{escape(key.iam_user)}`"), actions(button_)],
    )


def disable_button(key: AccessKey) -> ButtonElement:
    return button(
        "Disable",
        action_ids.DISABLE,
        key.id,
        confirm=confirm(
            "Disable this key?",
            f"{key.id}, {last_used_text(key)}. Whatever uses it stops working at once. You can ask "
            "for it back with /key enable.",
            "Disable",
            danger=True,
        ),
    )


def disabled(key: AccessKey) -> Message:
    """A key was turned off: what stops working, and how to turn it on again."""
    unused = key.last_used is not None and key.last_used.at is None
    stops = (
        "It was never used, so nothing should stop working."
        if unused
        else (f"Whatever used it stops working now ({last_used_text(key)}).")
    )
    return message(
        f"{key.id} is inactive.",
        [
            section(f":no_entry: *{key.id} is inactive.* {stops}"),
            context(
                f"To turn it on again: {escape_sentence(f'`/key enable {key.id} <reason>`')}. To remove it for good: "
                f"`/key delete {key.id}`."
            ),
        ],
    )


def delete_button(key: AccessKey) -> ButtonElement:
    return button(
        "Delete",
        action_ids.DELETE,
        key.id,
        style="danger",
        confirm=confirm(
            "Delete this key?",
            f"{key.id}, {last_used_text(key)}. It cannot be brought back.",
            "Delete",
            danger=True,
        ),
    )


def delete_question(key: AccessKey, now: datetime) -> Message:
    """`/key delete` asks once more, naming the key and its last use."""
    return message(
        f"Delete {key.id}?",
        [section(f"Delete this key for good?\n{key_line(key, now)}", delete_button(key))],
    )


def help_text(instead: str = "") -> Message:
    """The verbs with one example each."""
    rows = "\n".join(
        f"• *{name}*: {verb.summary}. `{escape(example(name))}`" for name, verb in VERBS.items()
    )
    return message(
        "What the key desk can do",
        [
            section("*Keydesk hands you AWS access keys, here in Slack.*"),
            operator_section(instead) if instead else None,
            section(rows),
            context("A key is shown once, to you alone, after an approver has said yes."),
        ],
    )


def secret_message(key: AccessKey, secret: Secret) -> Message:
    """The one ephemeral that carries the secret: three usual forms, and **I saved it**."""
    shown = secret.expose()
    file_form = f"[{PROFILE}]\naws_access_key_id = {key.id}\naws_secret_access_key = {shown}"
    shell = f"export AWS_ACCESS_KEY_ID={key.id}\nexport AWS_SECRET_ACCESS_KEY={shown}"
    configure = (
        f"aws configure --profile {PROFILE} set aws_access_key_id {key.id}\n"
        f"aws configure --profile {PROFILE} set aws_secret_access_key {shown}"
    )
    return message(
        f"Your access key {key.id}, shown once",
        [
            section(
                ":key: *Your access key.* It is shown once, here, and is kept nowhere. A new key may take a minute to "
                "work."
            ),
            preformatted(f"Access key ID      {key.id}\nSecret access key  {shown}"),
            section("In `~/.aws/credentials`:"),
            preformatted(file_form),
            section("In a shell:"),
            preformatted(shell),
            section("With the AWS command line:"),
            preformatted(configure),
            actions(button("I saved it", action_ids.SAVED, key.id, style="primary")),
            context("*I saved it* also removes this message."),
        ],
    )
