"""What do answers look like: the pieces they are built of, the key list, the help, and the one ephemeral with a secret?

Pure functions. slack_sdk's models refuse what is over Slack's limits ("Block Kit", Slack documentation).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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

from bot.core.access_key import AccessKey, Secret
from bot.core.command import HELP
from bot.core.errors import at_words
from bot.slack import ids

PROFILE = "keydesk"
"""The profile's name in the forms that are handed over: a named one, never `[default]`."""

TEXT_SHOWN = 3000
NAME_SHOWN = 30
"""Letters shown of a text, and of a service's or region's name: a dialog holds 300 in all ("Block Kit", Slack)."""


@dataclass(frozen=True)
class Drawn:
    """A message: the `text` that notifications show, and its blocks as Slack takes them."""

    text: str
    blocks: list[dict[str, Any]]


def draw(text: str, parts: Iterable[Block | dict[str, Any] | None]) -> Drawn:
    """A message of those parts that are there. Raises SlackObjectFormationError over Slack's limits."""
    return Drawn(text, [part if isinstance(part, dict) else part.to_dict() for part in parts if part is not None])


def escape(text: str) -> str:
    """User text for mrkdwn: Slack's three control characters ("Formatting message text", Slack documentation)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def worded(sentence: str) -> str:
    """A sentence of the desk's own as mrkdwn: `<reason>` is shown as it stands, `<@U…>` stays a mention."""
    return re.sub(r"&lt;(@[UW][A-Z0-9]+)&gt;", r"<\1>", escape(sentence))


def moment(at: datetime) -> str:
    """A moment that Slack shows in each reader's own time; UTC in words where it cannot."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}} at {{time}}|{at_words(at)}>"


def section(text: str, button: ButtonElement | None = None) -> SectionBlock:
    """Text of at most TEXT_SHOWN letters: a message that is cut is better than none."""
    return SectionBlock(text=MarkdownTextObject(text=text[:TEXT_SHOWN], verbatim=False), accessory=button)


def context(text: str) -> ContextBlock:
    return ContextBlock(elements=[MarkdownTextObject(text=text[:TEXT_SHOWN])])


def actions(*buttons: ButtonElement) -> ActionsBlock:
    return ActionsBlock(elements=list(buttons))


def button(text: str, action_id: str, value: str, *, style: str | None = None,
           confirm: ConfirmObject | None = None) -> ButtonElement:
    return ButtonElement(text=text, action_id=action_id, value=value, style=style, confirm=confirm)


def confirm(title: str, text: str, yes: str, *, danger: bool = False) -> ConfirmObject:
    return ConfirmObject(title=title, text=MarkdownTextObject(text=text), confirm=yes, deny="Not now",
                         style="danger" if danger else "primary")


def preformatted(text: str) -> dict[str, Any]:
    """Text exactly as it is: no mrkdwn is read in it."""
    return _rich_text("rich_text_preformatted", text)


def quote(text: str) -> dict[str, Any]:
    """User text as a quotation; no mrkdwn and no mention is read in it."""
    return _rich_text("rich_text_quote", text)


def _rich_text(kind: str, text: str) -> dict[str, Any]:
    return {"type": "rich_text", "elements": [{"type": kind, "elements": [{"type": "text", "text": text}]}]}


def key_facts(key: AccessKey, now: datetime) -> str:
    """A key in a line: ID, status, age, last use."""
    days = max(0, (now - key.created_at).days)
    age = "made today" if days == 0 else f"{days} day{'s' if days > 1 else ''} old"
    return f"`{key.id}` · {key.status.lower()} · {age} · {last_used(key)}"


def last_used(key: AccessKey) -> str:
    """When and for what a key was last used: date, service, region, or "never used"."""
    if key.last_used is None:
        return "last use unknown"
    if key.last_used.at is None:
        return "never used"
    service, region = (escape(name[:NAME_SHOWN]) for name in (key.last_used.service, key.last_used.region))
    where = f" for {service} in {region}" if service else ""
    return f"last used {moment(key.last_used.at)}{where}"


def key_list(keys: Sequence[AccessKey], now: datetime) -> Drawn:
    """A person's own keys, each with its action."""
    if not keys:
        none = "You have no access keys."
        return draw(none, [section(worded(f"{none} `/key create <reason>` asks for one."))])
    title = f"You have {len(keys)} access key{'s' if len(keys) > 1 else ''}."
    rows = [section(key_facts(key, now), disable_button(key) if key.active else delete_button(key)) for key in keys]
    return draw(title, [section(f"*{title}*"), *rows])


def disable_button(key: AccessKey) -> ButtonElement:
    return button("Disable", ids.DISABLE, key.id, confirm=confirm(
        "Disable this key?", f"{key.id}, {last_used(key)}. Whatever uses it stops working at once. You can ask an "
                             "administrator to turn it on again.", "Disable", danger=True))


def disabled(key: AccessKey) -> Drawn:
    """A key was turned off: what stops working, and how to turn it on again."""
    unused = key.last_used is not None and key.last_used.at is None
    stops = "It was never used, so nothing should stop working." if unused else (
        f"Whatever used it stops working now ({last_used(key)}).")
    again = (f"To turn it on again, ask whoever looks after AWS at your place to run `aws iam update-access-key "
             f"--user-name {key.iam_user} --access-key-id {key.id} --status Active`.")
    return draw(f"{key.id} is inactive.", [
        section(f":no_entry: *{key.id} is inactive.* {stops}"), context(f"{escape(again)} To remove it for good: "
                                                                       f"`/key delete {key.id}`.")])


def delete_button(key: AccessKey) -> ButtonElement:
    return button("Delete", ids.DELETE, key.id, style="danger", confirm=confirm(
        "Delete this key?", f"{key.id}, {last_used(key)}. It cannot be brought back.", "Delete", danger=True))


def delete_question(key: AccessKey, now: datetime) -> Drawn:
    """`/key delete` asks once more, naming the key and its last use."""
    return draw(f"Delete {key.id}?", [section(f"Delete this key for good?\n{key_facts(key, now)}", delete_button(key))])


def help_text(instead: str = "") -> Drawn:
    """The verbs with one example each."""
    rows = "\n".join(f"• *{verb}*: {what}. `{escape(example)}`" for verb, (what, example) in HELP.items())
    return draw("What the key desk can do", [
        section("*Keydesk hands you AWS access keys, here in Slack.*"), section(escape(instead)) if instead else None,
        section(rows), context("A key is shown once, to you alone, after an approver has said yes.")])


def handed_over(key: AccessKey, secret: Secret) -> Drawn:
    """The one ephemeral that carries the secret: three usual forms, and **I saved it**."""
    shown = secret.expose()
    file_form = f"[{PROFILE}]\naws_access_key_id = {key.id}\naws_secret_access_key = {shown}"
    shell = f"export AWS_ACCESS_KEY_ID={key.id}\nexport AWS_SECRET_ACCESS_KEY={shown}"
    configure = (f"aws configure --profile {PROFILE} set aws_access_key_id {key.id}\n"
                 f"aws configure --profile {PROFILE} set aws_secret_access_key {shown}")
    return draw(f"Your access key {key.id}, shown once", [
        section(":key: *Your access key.* It is shown once, here, and is kept nowhere. A new key may take a minute to "
                "work."),
        preformatted(f"Access key ID      {key.id}\nSecret access key  {shown}"),
        section("In `~/.aws/credentials`:"), preformatted(file_form),
        section("In a shell:"), preformatted(shell),
        section("With the AWS command line:"), preformatted(configure),
        actions(button("I saved it", ids.SAVED, key.id, style="primary")),
        context("*I saved it* also removes this message.")])
