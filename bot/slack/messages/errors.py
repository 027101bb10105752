"""Every refusal, failure and stored detail in words, by code.

A text is a template, or a function of the facts. A template's fields are facts: `{key_id}` is
escaped, `{by:user}` becomes a mention, `{at:date}` a date in the reader's time zone, and
`{limit:duration}` a duration. A text never holds another text: a cause has its own code.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.domain.codes import Code, Detail
from bot.domain.commands import VERBS
from bot.domain.errors import BadCommand, KeydeskError
from bot.domain.identity import is_slack_id
from bot.domain.keys import AccessKey
from bot.domain.rate_limits import LimitedAction
from bot.domain.states import Status
from bot.slack.messages.blocks import date_token, escape, escape_sentence
from bot.slack.messages.delivery_errors import DELIVERY
from bot.slack.messages.facts import Facts, Text, fill
from bot.slack.messages.key_status import last_used_text
from bot.slack.messages.request_text import story
from bot.slack.messages.text import duration_text, mentions, usage

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


def _key_rows(keys: Sequence[AccessKey]) -> str:
    """Return each key in a line, for a refusal that is about an IAM user's keys."""
    return "\n".join(
        f"• `{key.id}`: {key.status.lower()}, created {date_token(key.created_at)}, "
        f"{last_used_text(key)}"
        for key in keys
    )


def _too_many_keys(facts: Facts) -> str:
    keys = facts["keys"]
    oldest = min(keys, key=lambda key: key.created_at)
    spare = next((key for key in keys if not key.active), None)
    free = f"\n`/key delete {spare.id}` frees a slot." if spare else ""
    return (
        f"You already have two access keys, the AWS limit:\n{_key_rows(keys)}\n"
        f"`/key rotate {oldest.id}` gives you a new key in its place.{free}"
    )


def _lifetime_too_long(facts: Facts) -> str:
    longest: timedelta = facts["longest"]
    asked = facts["lifetime"]
    wanted = f"for {duration_text(asked)}" if asked else "for one that never expires"
    most = f"{longest.days}d" if longest.days else f"{longest // timedelta(hours=1)}h"
    hint = f"Try `--for {most}`." if longest >= timedelta(hours=1) else "Leave out `--for`."
    return f"Keys can last {duration_text(longest)} at most, and you asked {wanted}. {hint}"


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
    return fill(
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
    Code.USER_NOT_SHOWN: "AWS doesn't show Keydesk an IAM user `{iam_user}` under the path "
    "`{path}`, and Keydesk manages no others (iam:{action}, {aws_code}). Ask an AWS admin to "
    "create it there, then try again.",
    Code.SERVICE_USERS_OFF: "Service users aren't set up here. Ask a Keydesk admin.",
    Code.NOT_SERVICE_OWNER: "You aren't an owner of the service user `{iam_user}`, or Keydesk "
    "doesn't manage it. Owners are listed in its IAM tag `{tag}`. If you are one, try again in a "
    "minute. If not, ask an AWS admin to add you.",
    Code.KEYDESK_OWN_KEY: "That is a key that Keydesk itself uses, so Keydesk can't turn it off. "
    "Tell a Keydesk admin at once: they must replace it.",
    Code.NOT_AN_APPROVER: "Only approvers can do that. Ask one of them.",
    Code.NOT_IN_OWNER_TAG: "The tag `{tag}` of your IAM user doesn't name you. Ask an AWS admin to "
    "set it to `{slack_user}`, then try again.",
    Code.USER_OUTSIDE_PATH: "The IAM user `{iam_user}` isn't under the path `{path}`, and Keydesk "
    "manages no others. Ask an AWS admin about its keys.",
    Code.KEY_OF_FORMER_USER: "{key_id} belongs to the IAM user `{iam_user}`, which isn't yours any "
    "more. Nothing was changed. `/key create` requests a key of your own.",
    Code.TOO_MANY_KEYS: _too_many_keys,
    Code.LIFETIME_TOO_LONG: _lifetime_too_long,
    Code.KEY_NEVER_EXPIRES: "{key_id} never expires, so there is nothing to extend.",
    Code.KEY_NOT_EXTENDED: "{key_id} can't live longer than {longest:duration}. "
    "`/key rotate {key_id}` gives you a new key in its place.",
    Code.URGENT_KEY_NOT_EXTENDED: "{key_id} was an urgent request, so it can't be extended. "
    "`/key rotate {key_id}` requests a normal key in its place.",
    Code.KEY_LIFETIME_OVER: "{key_id} has lived {longest:duration}, the maximum for a key. "
    "`/key create` requests a new one.",
    Code.KEY_IS_BEING_DELETED: "{key_id} is being deleted, so it can't be turned on again. "
    "`/key create` requests a new key.",
    Code.KEY_ALREADY_ACTIVE: "{key_id} is active already. `/key used {key_id}` shows when it was "
    "last used.",
    Code.URGENT_REQUESTS_OFF: "Urgent requests aren't set up here. Ask without `--urgent`. You can "
    "nudge the approvers in your direct message with Keydesk.",
    Code.URGENT_NOT_ALLOWED: "You aren't allowed to make urgent requests. A Keydesk admin can "
    "allow it. Ask without `--urgent`. You can nudge the approvers in your direct message with "
    "Keydesk.",
}


def _request_moved_on(facts: Facts) -> str:
    return story(facts["request"])


def _request_contended(facts: Facts) -> str:
    return (
        f"{story(facts['request'])} Others changed it at the same time, so nothing was done. "
        "Try again."
    )


def _request_already_open(facts: Facts) -> str:
    reason = f'"{escape(facts["reason"])}", ' if facts["reason"] else ""
    asked = f"{reason}asked {date_token(facts['at'])}"
    match Status(facts["status"]):
        case Status.PENDING:
            return (
                f"You already have an open request ({asked}). It waits for an approver. You can "
                "nudge the approvers or cancel it in your direct message with Keydesk."
            )
        case Status.APPROVED if facts["verb"] in ("create", "rotate"):
            return (
                f"You already have an approved request ({asked}). Click *Reveal my key* in your "
                "direct message with Keydesk."
            )
        case Status.DELIVERED | Status.UNCLAIMED:
            return (
                f"You already have an open request ({asked}). Its key {facts['key_id']} was shown "
                "to you. Say in your direct message with Keydesk whether you have it. Then ask "
                "again."
            )
    return (
        f"You already have a request ({asked}) that is being carried out now. Ask again when it is "
        "finished."
    )


def _must_choose_key(facts: Facts) -> str:
    key_id, keys = facts["key_id"], facts["keys"]
    ways = " or ".join(f"`/key rotate {key_id} --delete {key.id}`" for key in keys)
    return (
        f"You have two keys, the AWS limit:\n{_key_rows(keys)}\n"
        f"Which one should be deleted when you reveal the new one? {ways}"
    )


def _already_approved(facts: Facts) -> str:
    missing = facts["missing"]
    more = "1 more approval is needed" if missing == 1 else f"{missing} more approvals are needed"
    if not facts["repeat_helps"]:
        return f"You have approved this already. {more}."
    return (
        f"You have approved this already. {more}. The request isn't risky, as Keydesk knows now. "
        "Withdraw your approval and approve again: then one fewer is needed."
    )


def _revoke_too_late(facts: Facts) -> str:
    request = facts["request"]
    key_id = request.access_key_id
    for_good = f" `/key leaked {key_id}` turns it off for good." if key_id else ""
    return (
        f"{story(request)} It is too late to revoke the approval. You can turn the key off: "
        f"`/key list` with the name of <@{request.requester}> shows it.{for_good}"
    )


def _approved_not_applied(facts: Facts) -> str:
    who = {"slack": "Slack", "store": "Keydesk's database", "aws": "AWS"}[facts["service"]]
    return (
        f"You approved it, and that counts. The change isn't made yet, because {who} didn't "
        "respond or refused it. Keydesk will keep trying."
    )


def _permissions_loaded(facts: Facts) -> str:
    admin, unread = facts.get("admin", ""), facts.get("unread", "")
    parts = [
        f"admin access: {escape(admin)}" if admin else "",
        f"could not be read: {escape(unread)}" if unread else "",
    ]
    return "; ".join(filter(None, parts))


def _approvers_changed(facts: Facts) -> str:
    parts = ["Approvers changed."]
    for name, label in (("added", "Added"), ("removed", "Removed")):
        if name in facts:
            others = facts.get(f"{name}_others")
            more = f" and {others} others" if others else ""
            users = ", ".join(f"<@{escape(user)}>" for user in facts[name].split())
            parts.append(f"{label}: {users}{more}.")
    return " ".join(parts)


def _approvals_dropped(facts: Facts) -> str:
    users = mentions([escape(user) for user in facts["users"].split()])
    return f"No approver any more, so their approval doesn't count: {users}."


_REQUESTS: dict[Code, Text] = {
    Code.REQUEST_NOT_FOUND: "Keydesk doesn't know that request any more. `/key create` starts a "
    "new one.",
    Code.REQUEST_MOVED_ON: _request_moved_on,
    Code.REQUEST_CONTENDED: _request_contended,
    Code.REQUEST_ALREADY_OPEN: _request_already_open,
    Code.OTHER_REQUEST_OPEN: "{by:user} already has an open request for the IAM user you share, "
    "`{iam_user}` (asked {at:date}). Ask again when it is finished.",
    Code.UNKNOWN_REQUEST_OPEN: "You already have an open request. See your direct message with "
    "Keydesk, and ask again when it is finished.",
    Code.MUST_CHOOSE_KEY: _must_choose_key,
    Code.NO_KEY_TO_DELETE: "You have only one key, so none has to be deleted. Nothing was "
    "requested. Ask without `--delete`: `/key rotate {key_id}`. The old key stays active until the "
    "new one is used.",
    Code.EXTEND_INACTIVE_KEY: "{key_id} is inactive, so it can't be extended. `/key enable "
    "{key_id}` requests to turn it on again.",
    Code.NOT_THE_REQUESTER: "Only the requester can do that. `/key create` requests a key of your "
    "own.",
    Code.OWN_REQUEST: "You can't decide your own request. Another approver has to. To withdraw it, "
    "click *Cancel request* in your direct message with Keydesk.",
    Code.SAME_IAM_USER: "You and the requester share the IAM user `{iam_user}`, so another "
    "approver has to decide this.",
    Code.ALREADY_APPROVED: _already_approved,
    Code.IAM_USER_HAS_APPROVED: "{by:user} already approved this, and you both use the IAM user "
    "`{iam_user}`, so yours would count as the same approval. Another approver has to approve.",
    Code.NOT_APPROVED_BY_YOU: "You haven't approved this, so there is nothing to withdraw. *Deny* "
    "ends the request.",
    Code.WITHDRAW_TOO_LATE: lambda facts: (
        f"{story(facts['request'])} *Revoke* on its card undoes the approval."
    ),
    Code.REVOKE_TOO_LATE: _revoke_too_late,
    Code.REVOKE_AFTER_DELETION: lambda facts: (
        f"{story(facts['request'])} Then click *Revoke* again."
    ),
    Code.NUDGED_RECENTLY: "You nudged the approvers {at:date}. You can nudge again "
    "{again_at:date}.",
    Code.APPROVED_NOT_APPLIED: _approved_not_applied,
    Code.APPROVED_KEY_BUSY: "You approved it, and that counts. The change isn't made yet, because "
    "others are changing the key right now. Keydesk will keep trying.",
    Code.ENABLE_NEEDS_APPROVAL: "{key_id} was just turned off or reported, so nothing was done. "
    "`/key enable {key_id}` asks the approvers.",
    Code.ENABLE_PENDING: "{key_id} was created so recently that not all of AWS knows it yet. "
    "Keydesk will keep trying.",
    Code.REQUESTER_CHANGED: "The requester's IAM user has changed since the request, so nothing "
    "was done. Ask again if it is still needed.",
    Code.KEY_NOT_LISTED: "AWS doesn't list the key {key_id} any more.",
    Code.KEY_ENDED_BEFORE_APPLIED: "{key_id} was turned off or deleted meanwhile, so it stays off.",
    Code.KEY_INACTIVE_BEFORE_APPLIED: "{key_id} is inactive by now. `/key enable {key_id}` "
    "requests to turn it on again.",
    Code.DISABLED_AFTER_APPROVAL: "{by:user} turned {key_id} off after this was approved, so it "
    "stays off. `/key enable {key_id}` asks again.",
    Code.REMINDER_SENT: "Reminder {reminder} was sent to the approvers.",
    Code.PERMISSIONS_LOADED: _permissions_loaded,
    Code.APPROVALS_DROPPED: _approvals_dropped,
    Code.APPROVERS_CHANGED: _approvers_changed,
}

_DELIVERY: dict[Code, Text] = {}

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

_OUTSIDE: dict[Code, Text] = {
    Code.UNEXPECTED: "Something went wrong in Keydesk. Tell a Keydesk admin.",
    Code.UNAVAILABLE: "Keydesk can't do that right now. Nothing was lost. Try again in a minute.",
    Code.ACCESS_KEY_LIMIT: (
        "Your IAM user already has two access keys, the most that AWS allows. "
        "Delete one first with `/key delete &lt;access key ID&gt;`."
    ),
    Code.ACCESS_KEY_NOT_FOUND: (
        "AWS doesn't know that access key. It may already be deleted. `/key list` shows your keys."
    ),
    Code.AWS_DENIED: (
        "AWS doesn't let Keydesk use `{permission}` ({aws_code}). Nothing was changed. "
        "Tell a Keydesk admin."
    ),
    Code.AWS_FORBIDDEN: (
        "Keydesk isn't allowed to manage this IAM user: a policy explicitly denies `{permission}` "
        "({aws_code}). Users tagged `keydesk=never` and Keydesk's own user are protected. "
        "If that is wrong, tell a Keydesk admin."
    ),
    Code.AWS_REFUSED: (
        "AWS refused `{action}` ({aws_code}). Nothing was changed. Try again in a minute. "
        "If that doesn't help, tell a Keydesk admin."
    ),
    Code.AWS_THROTTLED: (
        "AWS is receiving too many requests right now. Nothing was changed. Try again in a minute."
    ),
    Code.AWS_UNAVAILABLE: "AWS isn't responding. Nothing was lost. Try again in a minute.",
    Code.CONFLICT: "Someone else made a change at the same moment. Nothing was changed. Try again.",
    Code.GROUP_NEEDS_PAID_PLAN: (
        "Keydesk can't read the user group {group}, because user groups need a paid Slack plan. "
        "Nothing was changed. A Keydesk admin must list users (U…) instead of groups."
    ),
    Code.GROUP_NOT_FOUND: (
        "Keydesk can't find the user group {group}, or it is disabled. Nothing was changed. "
        "A Keydesk admin must correct the group, or enable it again in Slack."
    ),
    Code.GROUP_RATE_LIMITED: (
        "Slack limits how often Keydesk may read the user group {group}. Nothing was changed. "
        "Try again in a minute."
    ),
    Code.GROUP_SCOPE_MISSING: (
        "Keydesk can't read the user group {group}, because its Slack app lacks the scope "
        "`usergroups:read`. Nothing was changed. A Keydesk admin must add the scope and install "
        "the app again, or list users (U…) instead of groups."
    ),
    Code.GROUP_UNREADABLE: (
        "Keydesk can't read the user group {group} (Slack says {error}). Nothing was changed. "
        "Try again in a minute."
    ),
    Code.IAM_USER_NOT_FOUND: (
        "You don't have an IAM user yet. Ask an AWS admin to create one, then try again."
    ),
    Code.LOCKED: (
        "You already have another action in progress. Nothing was changed. Try again in a minute."
    ),
    Code.OUTCOME_UNKNOWN: "{call} got no answer. It may or may not have run.",
    Code.SLACK_REFUSED: "Slack refused the message ({error}).",
    Code.SLACK_UNAVAILABLE: "Slack didn't respond, so nothing was changed. Try again in a minute.",
    Code.STORED_FORMAT_TOO_NEW: (
        "A newer version of Keydesk saved `{key}` (format {format}), so this version can't read it. "
        "Nothing was changed. Tell a Keydesk admin."
    ),
    Code.STORED_VALUE_UNREADABLE: (
        "Keydesk can't read `{key}` in its database. Nothing was changed. Tell a Keydesk admin."
    ),
    Code.STORE_UNAVAILABLE: (
        "Keydesk can't reach its database. Nothing was lost. Try again in a minute."
    ),
    Code.TOO_MANY_CONCURRENT: (
        "You already have several actions in progress. Try again when they finish."
    ),
    Code.UNKNOWN_BUTTON: (
        "Keydesk doesn't know this button. It may belong to another version. `/key help` shows "
        "the commands."
    ),
    Code.UNKNOWN_FORM: "Keydesk doesn't know this form. `/key help` shows the commands.",
    Code.WORKERS_BUSY: "Keydesk is very busy, so nothing was changed. Try again in a minute.",
}

TEXTS: dict[Code, Text] = {
    **_COMMANDS,
    **_POLICY,
    **_REQUESTS,
    **DELIVERY,
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
    return fill(found, facts)
