"""Every refusal, failure and stored detail in words, by code. Nothing else in Keydesk words them for people.

A text is a template, or a function of the facts where a template is not enough. A template's fields are facts:
`{key_id}` is escaped, `{by:user}` becomes a mention, `{at:date}` a date in the reader's time zone, `{limit:duration}`
a duration. A text never holds another text: a cause is chosen by its own code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from string import Formatter
from typing import Any

from bot.domain.codes import Code, Detail
from bot.domain.commands import VERBS
from bot.domain.errors import BadCommand, KeydeskError
from bot.domain.rate_limits import LimitedAction
from bot.slack.messages.blocks import date_token, escape, escape_sentence
from bot.slack.messages.text import duration_text, usage

Facts = Mapping[str, Any]
Text = str | Callable[[Facts], str]

_EXAMPLE_ID = "`AKIAIOSFODNN7EXAMPLE`"


def _reason_missing(facts: Facts) -> str:
    about = "what the key is for" if facts["verb"] == "create" else "why"
    return f"Say {about} in a few words."


def _key_id_missing(facts: Facts) -> str:
    if facts["verb"] == "leaked":
        return "Which key? Add the ID of the key that you found."
    return "Which key? `/key list` shows yours."


def _unknown_command(facts: Facts) -> str:
    if facts["verb"] == "help":
        return "That isn't a command. `/key help` lists them all."
    return f"That isn't a command. Did you mean `/key {facts['verb']}`?"


_COMMANDS: dict[Code, Text] = {
    Code.UNKNOWN_COMMAND: _unknown_command,
    Code.UNKNOWN_OPTION: "`/key {verb}` has no option `--{option}`.",
    Code.OPTION_TAKES_NO_VALUE: "`--{option}` takes no value, and you can give it once.",
    Code.OPTION_NEEDS_VALUE: "`--{option}` needs one value, and you can give it once.",
    Code.NO_ARGUMENTS: "`/key {verb}` takes nothing after it.",
    Code.ONLY_A_KEY_ID: "`/key {verb}` takes one access key ID and nothing else.",
    Code.ONLY_A_MEMBER: "`/key list` shows your keys. Approvers can add one @person.",
    Code.KEY_ID_MISSING: _key_id_missing,
    Code.BAD_KEY_ID: f"That isn't an access key ID. They look like {_EXAMPLE_ID}.",
    Code.TEMPORARY_KEY: "Keys that begin with ASIA are temporary. They expire by themselves, "
    "and Keydesk doesn't manage them.",
    Code.BAD_LIFETIME: "That isn't a key's lifetime. Use hours, days or weeks: `12h`, `30d`, `2w`.",
    Code.BAD_USER_NAME: "That isn't an IAM user name.",
    Code.REASON_MISSING: _reason_missing,
    Code.REASON_TOO_LONG: "The reason has {length} characters. The maximum is {limit}.",
    Code.LOOKS_LIKE_SECRET: "That looks like a secret access key, so nothing was stored. Treat "
    "the key as leaked: report it with `/key leaked` and its ID, then request a new one.",
    Code.UNKNOWN_BUTTON: "Keydesk doesn't know that button. It may come from another version.",
    Code.UNKNOWN_FORM: "Keydesk doesn't know that form. It may come from another version.",
}

_NOT_FOUND = "Keydesk can't tell which IAM user is yours"
_LIMITED = {
    LimitedAction.REQUEST: ("requests", "If it's urgent, contact an approver."),
    LimitedAction.REVEAL: ("reveals", "Your approval is still valid."),
    LimitedAction.NUDGE: ("nudges", "If it's urgent, contact an approver."),
    LimitedAction.LEAK_REPORT: (
        "leak reports",
        "If it's urgent, tell an approver or an AWS admin in person. They can turn the key off at "
        "once, here or in the AWS console.",
    ),
    LimitedAction.REFUSAL: ("refusals", ""),
}


def _rate_limited(facts: Facts) -> str:
    what, instead = _LIMITED[LimitedAction(facts["limited_action"])]
    who = "You have" if facts["whose"] == "person" else "Keydesk has"
    return _fill(
        f"Nothing was done. {who} reached the limit of {{limit}} {what} an hour. You can try "
        f"again {{until:date}}. Until then, Keydesk won't answer this again. {instead}".rstrip(),
        facts,
    )


_POLICY: dict[Code, Text] = {
    Code.NOT_A_MEMBER: "Keydesk is for full members of this workspace. Guests and bots can't use "
    "it. Ask a full member.",
    Code.NOT_IN_USER_LIST: f"{_NOT_FOUND}: you aren't in its user list. Ask an AWS admin to add "
    "you, then try again.",
    Code.TWICE_IN_USER_LIST: f"{_NOT_FOUND}: its user list has two for you. Ask an AWS admin to "
    "remove one, then try again.",
    Code.EMAIL_NOT_CONFIRMED: f"{_NOT_FOUND}: Slack has no confirmed email address for you. "
    "Confirm it in your Slack profile, then try again.",
    Code.EMAIL_DOMAIN_NOT_SERVED: f"{_NOT_FOUND}: your email address is of a domain that Keydesk "
    "doesn't serve. Ask a Keydesk admin to add the domain.",
    Code.RATE_LIMITED: _rate_limited,
    Code.USER_NOT_SHOWN: (
        "AWS doesn't show Keydesk an IAM user `{iam_user}` under the path `{path}`, and Keydesk manages no others "
        "(iam:{action}, {aws_code}). Ask an AWS admin to create it there, then try again."
    ),
    Code.SERVICE_USERS_OFF: "Service users aren't set up here. Ask a Keydesk admin.",
    Code.NOT_SERVICE_OWNER: (
        "You aren't an owner of the service user `{iam_user}`, or Keydesk doesn't manage it. Owners are listed in its "
        "IAM tag `{tag}`. If you are one, try again in a minute. If not, ask an AWS admin to add you."
    ),
    Code.KEYDESK_OWN_KEY: (
        "That is a key that Keydesk itself uses, so Keydesk can't turn it off. Tell a Keydesk admin at once: they "
        "must replace it."
    ),
}

_REQUESTS: dict[Code, Text] = {}

_DELIVERY: dict[Code, Text] = {}

_KEYS: dict[Code, Text] = {}

_OUTSIDE: dict[Code, Text] = {
    Code.UNEXPECTED: "Something went wrong in Keydesk. Tell a Keydesk admin.",
}

TEXTS: dict[Code, Text] = {
    **_COMMANDS,
    **_POLICY,
    **_REQUESTS,
    **_DELIVERY,
    **_KEYS,
    **_OUTSIDE,
}


def error_text(error: KeydeskError) -> str:
    """Return what a person reads of an error, as mrkdwn. A bad command comes with its usage."""
    if error.sentence:
        return escape_sentence(error.sentence)
    words = text(error.code, error.facts)
    if isinstance(error, BadCommand) and error.verb in VERBS:
        return f"{words} Usage: `{escape(usage(error.verb))}`"
    return words


def detail_text(detail: Detail) -> str:
    """Return what a person reads of a stored detail, as mrkdwn."""
    return text(Code(detail.code), detail.facts)


def text(code: Code, facts: Facts) -> str:
    """Return the text of a code. Raises KeyError where it has none, or where a fact is missing."""
    found = TEXTS[code]
    return found if isinstance(found, str) and "{" not in found else _fill(found, facts)


def _fill(found: Text, facts: Facts) -> str:
    return _FACTS.vformat(found, (), facts) if isinstance(found, str) else found(facts)


class _FactsFormatter(Formatter):
    """Formats facts for mrkdwn: whatever is not a mention, a date or a duration is escaped."""

    def format_field(self, value: Any, spec: str) -> str:
        if spec == "user":
            return f"<@{escape(str(value))}>"
        if spec == "date":
            return date_token(
                value if isinstance(value, datetime) else datetime.fromisoformat(value)
            )
        if spec == "duration":
            span = value if isinstance(value, timedelta) else timedelta(seconds=float(value))
            return duration_text(span)
        return escape(str(super().format_field(value, spec)))


_FACTS = _FactsFormatter()
