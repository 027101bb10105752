"""What does the Home tab show: a person's keys, their open requests and, for approvers, what waits for them?

Pure; at most 100 blocks ("App Home", Slack documentation), and it says what it leaves out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from slack_sdk.models.blocks import ActionsBlock, Block, ButtonElement, DividerBlock, HeaderBlock

from bot.domain.keys import AccessKey, ManagedKey
from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages import permissions
from bot.slack.messages.blocks import (
    actions,
    age_text,
    button,
    cancel_button,
    context,
    escape,
    key_buttons,
    last_used_text,
    operator_section,
    reason,
    section,
)
from bot.slack.messages.request_card import waiting_buttons
from bot.slack.messages.request_text import request_line
from bot.slack.messages.waiting import review_text

MAX_WAITING, MAX_OPEN = 20, 5
"""Waiting requests that are shown, four blocks each, and open ones of one's own, with room for the rest."""


@dataclass(frozen=True)
class Home:
    """What the Home tab is drawn of. `problem` says why the keys could not be read, "" where they could.

    `waiting` and `waiting_in_all` are for approvers: the longest waiting first, and how many there are;
    `unsure` says that Slack does not tell who they are.
    """

    keys: Sequence[AccessKey]
    records: Mapping[str, ManagedKey]
    requests: Sequence[KeyRequest]
    now: datetime
    approver: bool = False
    waiting: Sequence[KeyRequest] = ()
    waiting_in_all: int = 0
    problem: str = ""
    instead: str = ""
    unsure: bool = False


def view(home: Home) -> dict[str, Any]:
    """The Home tab as views.publish takes it."""
    blocks: list[Block | dict[str, Any]] = [HeaderBlock(text="Your access keys")]
    if home.instead:
        blocks.append(operator_section(home.instead))
    blocks += _keys(home)
    blocks.append(actions(button("Request a key", action_ids.ASK, "new", style="primary")))
    blocks += _requests(home)
    if home.approver:
        blocks += _waiting(home)
    if home.unsure:
        blocks.append(
            context(
                "Slack does not tell me who may approve here, so what waits for approvers is not shown. "
                "Whoever runs Keydesk finds the reason in its log."
            )
        )
    return {
        "type": "home",
        "blocks": [one if isinstance(one, dict) else one.to_dict() for one in blocks],
    }


def _keys(home: Home) -> list[Block | dict[str, Any]]:
    if home.problem:
        return [section(f":warning: {home.problem}")]
    if not home.keys:
        return [section("You have none.")]
    rows = [[_cell(name) for name in ("Access key ID", "State", "Age", "Last used", "Ends")]]
    rows += [[_cell(text) for text in _row(home, key)] for key in home.keys]
    table = {"type": "table", "rows": rows, "column_settings": [{"is_wrapped": True}] * 5}
    return [table, *(_key_actions(home, key) for key in home.keys)]


def _row(home: Home, key: AccessKey) -> tuple[str, str, str, str, str]:
    record = home.records.get(key.id)
    state = key.status.lower() + (
        f" ({record.inactive_reason})"
        if record and record.inactive_reason and not key.active
        else ""
    )
    used = key.last_used
    when = (
        "unknown"
        if used is None
        else "never"
        if used.at is None
        else (f"{used.at:%d %b %Y %H:%M} UTC, {used.service} in {used.region}")
    )
    return key.id, state, age_text(key, home.now), when, _expires_text(key, record)


def _expires_text(key: AccessKey, record: ManagedKey | None) -> str:
    """When an active key ends, and when an inactive one is deleted."""
    at = record and (record.expires_at if key.active else record.delete_at)
    if at:
        return f"{'' if key.active else 'deleted '}{at:%d %b %Y %H:%M} UTC"
    return "not by itself" if key.active else "is off"


def _cell(text: str) -> dict[str, str]:
    return {"type": "raw_text", "text": text}


def _key_actions(home: Home, key: AccessKey) -> ActionsBlock:
    return actions(
        *(_with_key_suffix(one, key) for one in key_buttons(key, home.records.get(key.id)))
    )


def _with_key_suffix(one: ButtonElement, key: AccessKey) -> ButtonElement:
    """Below the table a button must say which key it is about: its last four characters."""
    return ButtonElement(
        text=f"{one.text.text if one.text else ''} …{key.id[-4:]}",
        action_id=one.action_id,
        value=one.value,
        style=one.style,
        confirm=one.confirm,
    )


def _requests(home: Home) -> list[Block | dict[str, Any]]:
    open_ = [request for request in home.requests if not request.status.final]
    if not open_:
        return []
    blocks: list[Block | dict[str, Any]] = [DividerBlock(), HeaderBlock(text="Your open requests")]
    for request in open_[:MAX_OPEN]:
        may_cancel = request.status in (Status.PENDING, Status.APPROVED)
        blocks.append(
            section(request_line(request), cancel_button(request) if may_cancel else None)
        )
    if len(open_) > MAX_OPEN:
        blocks.append(
            context(f"And {len(open_) - MAX_OPEN} older ones; `/key requests` shows them.")
        )
    return blocks


def _waiting(home: Home) -> list[Block | dict[str, Any]]:
    blocks: list[Block | dict[str, Any]] = [
        DividerBlock(),
        HeaderBlock(text="Waiting for an approver"),
    ]
    if not home.waiting:
        return [*blocks, section("Nothing waits.")]
    shown = home.waiting[:MAX_WAITING]
    for request in shown:
        keys = (
            "; ".join(
                f"`{key.id}` {key.status.lower()}, {last_used_text(key)}" for key in request.keys
            )
            or "no keys yet"
        )
        user = (
            "" if request.is_service_user else f" · `{escape(request.iam_user)}`"
        )  # the line says a service user itself
        blocks += [
            section(f"<@{request.requester}> · {request_line(request)}{user}"),
            reason(request),
            context(f"{keys}{permissions.short_warning(request)} {review_text(request)}".rstrip()),
            waiting_buttons(request),
        ]
    left = home.waiting_in_all - len(shown)
    if left > 0:
        blocks.append(context(f"And {left} more, the oldest first; see the approval channel."))
    return blocks
