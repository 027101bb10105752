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
from bot.domain.errors import KeydeskError
from bot.slack.messages.blocks import date_token, escape, escape_sentence
from bot.slack.messages.text import duration_text

Facts = Mapping[str, Any]
Text = str | Callable[[Facts], str]

_COMMANDS: dict[Code, Text] = {}

_POLICY: dict[Code, Text] = {
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
    """Return what a person reads of an error, as mrkdwn."""
    if error.sentence:
        return escape_sentence(error.sentence)
    return text(error.code, error.facts)


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
