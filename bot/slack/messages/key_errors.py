"""Word the refusals and pending changes in a key's life, by code."""

from __future__ import annotations

from bot.domain.codes import Code
from bot.domain.identity import is_slack_id
from bot.slack.messages.facts import Facts, Text, fill

_CHANGED = {"active": "turned on", "inactive": "turned off", "deleted": "deleted"}

"""How a key is changed to a desired state, in words."""

_CAUSES: dict[Code, Text] = {
    Code.AWS_UNAVAILABLE: "AWS isn't responding.",
    Code.AWS_THROTTLED: "AWS limits the number of requests at the moment.",
    Code.AWS_DENIED: "AWS denies Keydesk iam:{action} ({aws_code}): tell a Keydesk admin.",
    Code.AWS_FORBIDDEN: (
        "A policy denies Keydesk iam:{action} on this IAM user ({aws_code}). If that is wrong, "
        "tell a Keydesk admin."
    ),
    Code.AWS_NOT_CONFIGURED: (
        "Keydesk has no working AWS credentials ({aws_code}): tell a Keydesk admin."
    ),
    Code.AWS_REFUSED: (
        "AWS refused iam:{action} ({aws_code}). If that goes on, tell a Keydesk admin."
    ),
    Code.OUTCOME_UNKNOWN: "The answer of AWS was lost.",
    Code.IAM_USER_RENAMED: (
        "AWS has no IAM user `{iam_user}` any more, and the key belongs to `{renamed_to}` now. "
        "Ask an AWS admin to give the user its name back, or to turn the key off in the AWS "
        "console."
    ),
}

"""Why AWS has not confirmed a change.

Keydesk repeats the change, so no text asks the reader to.
"""


def _change_not_confirmed(facts: Facts) -> str:
    verdict = fill("AWS hasn't confirmed yet that {key_id} is {changed}.", _with_change(facts))
    cause = _CAUSES.get(Code(facts["cause"]))
    said = [verdict, *([fill(cause, facts)] if cause else [])]
    return " ".join([*said, "Keydesk will keep trying. `/key list` shows the result."])


def _with_change(facts: Facts) -> Facts:
    return {**facts, "changed": _CHANGED[facts["desired"]]}


def _nothing_to_undo(facts: Facts) -> str:
    verdict = "{key_id} is {status} now, so there is nothing to undo."
    next_step = " `/key list` shows your keys."
    if facts["status"] == "inactive":
        next_step = " `/key enable {key_id} &lt;reason&gt;` asks for it back."
    return fill(verdict + next_step, facts)


def _orphan_decided(facts: Facts) -> str:
    """Say who decided, unless it was Keydesk itself, and when."""
    became = "deleted" if facts["status"] == "deleted" else "enabled"
    by = " by {by:user}" if is_slack_id(facts["by"]) else ""
    at = " on {at:date}" if facts["at"] else ""
    return fill(f"{{key_id}} was already {became}{by}{at}.", facts)


KEYS: dict[Code, Text] = {
    Code.NOT_YOUR_KEY: "You have no access key with that ID. `/key list` shows yours.",
    Code.KEY_NOT_FOUND: (
        "You have no access key with that ID, and none of your service users has it. `/key list` "
        "shows yours. If the key belongs to a service user that you own, try again in a minute."
    ),
    Code.NO_KEY_TO_ROTATE: "You don't have an access key to rotate. `/key create` requests one.",
    Code.NO_INACTIVE_KEY: "You don't have an inactive access key. `/key list` shows your keys.",
    Code.MEMBER_WITHOUT_USER: "{member:user} has no IAM user here, so there are no keys to show.",
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
    Code.CHANGED_KEY_GONE: lambda facts: fill(
        "{key_id} can't be {changed}: AWS doesn't know it any more. `/key list` shows your keys.",
        _with_change(facts),
    ),
    Code.KEY_TOO_NEW: lambda facts: fill(
        "{key_id} was created so recently that AWS doesn't know it everywhere yet. Keydesk will "
        "keep trying until it is {changed}. `/key list` shows the result.",
        _with_change(facts),
    ),
    Code.KEY_NOT_KNOWN_EVERYWHERE: lambda facts: fill(
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
