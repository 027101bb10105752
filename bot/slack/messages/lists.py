"""Render the private answers that list keys, last use, requests and help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain.commands import VERBS
from bot.domain.keys import AccessKey, ManagedKey
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages.blocks import (
    Message,
    actions,
    button,
    context,
    escape,
    message,
    operator_section,
    section,
    sentence,
)
from bot.slack.messages.key_status import key_buttons, last_used_text, list_line
from bot.slack.messages.request_status import cancel_button, request_line
from bot.slack.messages.text import ago_text, example, plural

MAX_REQUESTS = 10
"""Requests shown in each part of `/key requests`."""


def key_list(
    keys: Sequence[AccessKey],
    records: Mapping[str, ManagedKey],
    now: datetime,
    service_user: str = "",
) -> Message:
    """Return `/key list`, each key with its buttons.

    The keys are the user's own, or those of a service user.
    """
    who = f"`{escape(service_user)}` has" if service_user else "You have"
    if not keys:
        option = f"--user {escape(service_user)} " if service_user else ""
        none = "no access keys" if service_user else "no access keys yet"
        return sentence(f"{who} {none}. To request one, type `/key create {option}&lt;reason&gt;`.")
    count = plural(len(keys), "access key")
    rows = [
        part
        for key in keys
        for part in (
            section(list_line(key, records.get(key.id), now)),
            actions(*key_buttons(key, records.get(key.id))),
        )
    ]
    return message(f"{who} {count}.", [section(f"{who} *{count}*."), *rows])


def keys_for_approver(
    user_id: str, keys: Sequence[AccessKey], records: Mapping[str, ManagedKey], now: datetime
) -> Message:
    """Return another user's keys for an approver: **Disable** asks for the reason."""
    count = plural(len(keys), "access key") if keys else "no access keys"
    rows = []
    for key in keys:
        disable = button("Disable", action_ids.DISABLE_FOR, key.id, style="danger")
        line = list_line(key, records.get(key.id), now)
        rows.append(section(line, disable if key.active else None))
    title = f"<@{user_id}> has {count}."
    return message(title, [section(f"*{title}*"), *rows])


def last_use_message(key: AccessKey, now: datetime) -> Message:
    """Return `/key used`: when, in which service and region, or never."""
    at = key.last_used.at if key.last_used else None
    if key.last_used is None:
        text = f"AWS didn't report when `{key.id}` was last used."
    elif at is None:
        text = f"`{key.id}` has never been used."
    else:
        text = f"`{key.id}` was {last_used_text(key)}, {ago_text(now - at)}."
    return message(text, [section(text), context("AWS reports use with a delay of a few minutes.")])


def request_list(
    own: Sequence[KeyRequest], waiting: Sequence[KeyRequest], *, approver: bool
) -> Message:
    """Return `/key requests`: the user's open and last requests.

    Args:
        own: the user's requests, newest first.
        waiting: for approvers, the requests that wait for approval, oldest first.
        approver: whether the user is an approver.
    """
    open_ = [request for request in own if not request.status.final][:MAX_REQUESTS]
    past = [request_line(request) for request in own if request.status.final][:MAX_REQUESTS]
    parts = [section("*Your open requests*" if open_ else "You have no open requests.")]
    for request in open_:
        may_cancel = request.status in (Status.PENDING, Status.APPROVED)
        parts.append(section(request_line(request), cancel_button(request) if may_cancel else None))
    if past:
        parts.append(section("*Your last requests*\n" + "\n".join(past)))
    if approver:
        parts.append(section(_waiting_text(waiting)))
    open_text = plural(len(open_), "open request") if open_ else "no open requests"
    return message(f"You have {open_text}.", parts)


def _waiting_text(waiting: Sequence[KeyRequest]) -> str:
    lines = [f"<@{one.requester}> · {request_line(one)}" for one in waiting[:MAX_REQUESTS]]
    rest = len(waiting) - MAX_REQUESTS
    more = [f"and {rest} more"] if rest > 0 else []
    return "\n".join(["*Waiting for approval*", *(lines or ["No requests."]), *more])


def help_text(instead: str = "") -> Message:
    """Return `/key help`: the commands, each with an example.

    Args:
        instead: what the operator recommends instead of keys, in mrkdwn, "" for nothing.
    """
    rows = "\n".join(
        f"• *{name}*: {verb.summary}. `{escape(example(name))}`" for name, verb in VERBS.items()
    )
    lead = "Keydesk gives you AWS access keys, here in Slack."
    return message(
        lead,
        [
            section(f"*{lead}*"),
            operator_section(instead) if instead else None,
            section(rows),
            context("After approval, a key is shown once, and only to you."),
        ],
    )
