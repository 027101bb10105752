"""Word the refusals about members, rules and requests, by code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from bot.domain.codes import Code
from bot.domain.keys import AccessKey
from bot.domain.rate_limits import LimitedAction
from bot.domain.states import Status
from bot.slack.messages.blocks import date_token, escape
from bot.slack.messages.facts import Facts, Text, fill
from bot.slack.messages.key_status import last_used_text
from bot.slack.messages.request_text import story
from bot.slack.messages.text import duration_text, mentions


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


POLICY: dict[Code, Text] = {
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
    who = {"slack": "Slack", "store": "Keydesk's database", "aws": "AWS"}.get(
        facts["service"], "AWS"
    )
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


REQUESTS: dict[Code, Text] = {
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
