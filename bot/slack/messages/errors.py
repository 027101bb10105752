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
from bot.domain.identity import is_slack_id
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

_CHANGED = {"active": "turned on", "inactive": "turned off", "deleted": "deleted"}
"""How a key is changed to a desired state, in words."""

_CAUSES: dict[Code, str] = {
    Code.AWS_UNAVAILABLE: "AWS isn't responding.",
    Code.AWS_THROTTLED: "AWS limits the number of requests at the moment.",
    Code.AWS_DENIED: "AWS denies Keydesk iam:{action} ({aws_code}): tell a Keydesk admin.",
    Code.AWS_FORBIDDEN: (
        "A policy denies Keydesk iam:{action} on this IAM user ({aws_code}). If that is wrong, "
        "tell a Keydesk admin."
    ),
    Code.AWS_REFUSED: "AWS refused iam:{action} ({aws_code}). If that goes on, tell a Keydesk admin.",
    Code.OUTCOME_UNKNOWN: "The answer of AWS was lost.",
    Code.IAM_USER_RENAMED: (
        "AWS has no IAM user `{iam_user}` any more, and the key belongs to `{renamed_to}` now. "
        "Ask an AWS admin to give the user its name back, or to turn the key off in the AWS "
        "console."
    ),
}
"""Why AWS has not confirmed a change. Keydesk repeats the change, so no cause asks the reader to."""


def _change_not_confirmed(facts: Facts) -> str:
    verdict = _fill("AWS hasn't confirmed yet that {key_id} is {changed}.", _with_change(facts))
    cause = _CAUSES.get(Code(facts["cause"]))
    said = [verdict, *([_fill(cause, facts)] if cause else [])]
    return " ".join([*said, "Keydesk will keep trying. `/key list` shows the result."])


def _with_change(facts: Facts) -> Facts:
    return {**facts, "changed": _CHANGED[facts["desired"]]}


def _nothing_to_undo(facts: Facts) -> str:
    verdict = "{key_id} is {status} now, so there is nothing to undo."
    next_step = " `/key list` shows your keys."
    if facts["status"] == "inactive":
        next_step = " `/key enable {key_id} &lt;reason&gt;` asks for it back."
    return _fill(verdict + next_step, facts)


def _orphan_decided(facts: Facts) -> str:
    """Say who decided, unless it was Keydesk itself, and when."""
    became = "deleted" if facts["status"] == "deleted" else "enabled"
    by = " by {by:user}" if is_slack_id(facts["by"]) else ""
    at = " on {at:date}" if facts["at"] else ""
    return _fill(f"{{key_id}} was already {became}{by}{at}.", facts)


_KEYS: dict[Code, Text] = {
    Code.NOT_YOUR_KEY: "You have no access key with that ID. `/key list` shows yours.",
    Code.KEY_NOT_FOUND: (
        "You have no access key with that ID, and none of your service users has it. `/key list` "
        "shows yours. If the key belongs to a service user that you own, try again in a minute."
    ),
    Code.KEY_NOT_IN_ACCOUNT: (
        "Keydesk can't find {key_id} in this AWS account. It belongs to another account, or was "
        "deleted, or Keydesk lacks iam:GetAccessKeyLastUsed. Tell the owner of that account, or "
        "AWS."
    ),
    Code.KEY_IS_ACTIVE: (
        "{key_id} is still active. Turn it off first with `/key disable {key_id}`, check that "
        "nothing breaks, then delete it."
    ),
    Code.KEY_IS_LEAKED: (
        "{key_id} was reported as leaked, so it can't be turned on again. `/key create "
        "&lt;reason&gt;` asks for a new key."
    ),
    Code.KEY_NOT_MANAGED: (
        "Keydesk doesn't manage the IAM user `{iam_user}` (owner of {key_id}), so it can't turn "
        "this key off. An AWS admin must turn it off in the AWS console now."
    ),
    Code.IAM_USER_RENAMED: (
        "AWS has no IAM user `{iam_user}` any more, and {key_id} belongs to `{renamed_to}` now. "
        "Nothing was changed. Ask an AWS admin to give the user its name back, or to turn the key "
        "off in the AWS console."
    ),
    Code.ORPHAN_DECIDED: _orphan_decided,
    Code.CHANGE_NOT_CONFIRMED: _change_not_confirmed,
    Code.CHANGED_KEY_GONE: lambda facts: _fill(
        "{key_id} can't be {changed}: AWS doesn't know it any more. `/key list` shows your keys.",
        _with_change(facts),
    ),
    Code.KEY_TOO_NEW: lambda facts: _fill(
        "{key_id} was created so recently that AWS doesn't know it everywhere yet. Keydesk will "
        "keep trying until it is {changed}. `/key list` shows the result.",
        _with_change(facts),
    ),
    Code.KEY_NOT_KNOWN_EVERYWHERE: lambda facts: _fill(
        "AWS doesn't know {key_id} everywhere at the moment. Keydesk will keep trying until it is "
        "{changed}. `/key list` shows the result.",
        _with_change(facts),
    ),
    Code.KEY_ALREADY_DELETED: (
        "{key_id} is already being deleted. Keydesk will keep trying until AWS confirms it. `/key "
        "list` shows the result."
    ),
    Code.CONCURRENT_KEY_CHANGE: (
        "Someone else is changing {key_id} right now. `/key list` shows the result."
    ),
    Code.ROTATION_FINISHED: (
        "The rotation to {key_id} is finished, so nothing was changed. `/key list` shows your keys."
    ),
    Code.NEW_KEY_INACTIVE: (
        "The new key {key_id} is {status} now, so the old key {old_key} stays as it is. `/key "
        "list` shows your keys."
    ),
    Code.OLD_KEY_INACTIVE: (
        "The old key {key_id} is already inactive or deleted. `/key list` shows your keys."
    ),
    Code.NOTHING_TO_UNDO: _nothing_to_undo,
    Code.UNDO_EXPIRED: (
        "{key_id} has expired, so *Undo* can't turn it on again. `/key enable {key_id} "
        "&lt;reason&gt;` asks for it back."
    ),
    Code.UNDO_REPORTED: (
        "{key_id} was reported as leaked and the approvers haven't decided yet, so *Undo* can't "
        "turn it on again. `/key enable {key_id} &lt;reason&gt;` asks for it back."
    ),
    Code.REPORTED_AS_LEAKED: "Reported as leaked.",
    Code.REPORTED_AGAIN: "Reported again.",
    Code.IAM_SHOWS: "IAM shows it as {state}.",
    Code.EXPIRY_REMINDER: "Reminder {notice} was sent.",
    Code.DELETION_DUE: "It was inactive ({inactive_reason}) until its deletion was due.",
    Code.OLD_KEY_STILL_USED: "The old key {key_id} is still in use.",
    Code.REPLACED_BY: "Replaced by {key_id}.",
}

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
