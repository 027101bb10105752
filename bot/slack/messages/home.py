"""Render the Home tab: keys, open requests and, for approvers, pending requests.

Pure functions. A Home tab has at most 100 blocks ("App Home", Slack documentation). It says what
it leaves out.
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
    button,
    context,
    escape,
    operator_section,
    section,
    table,
)
from bot.slack.messages.key_status import MAX_NAME, key_buttons, last_used_text
from bot.slack.messages.request_card import decision_buttons
from bot.slack.messages.request_status import cancel_button, reason_block, request_line, review_text
from bot.slack.messages.text import age_text

MAX_WAITING, MAX_OPEN = 20, 5
"""Maximum of waiting requests (four blocks each) and of the user's open requests."""

COLUMNS = ("Access key ID", "State", "Age", "Last used", "Expires")
Cell = str | datetime | tuple[str | datetime, ...]


@dataclass(frozen=True)
class Home:
    """What the Home tab is rendered from.

    `problem` says why the keys could not be read, "" where they could. `waiting` are the requests
    that wait longest, and `waiting_in_all` counts all of them, both for approvers only. `unsure`
    says that Slack does not list the approvers.
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
    """Return the Home tab as views.publish takes it."""
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
                "Keydesk can't read the approvers from Slack, so waiting requests aren't shown. "
                "A Keydesk admin can find the cause in its log."
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
        return [section("You don't have any access keys yet.")]
    rows = [COLUMNS, *(_row(home, key) for key in home.keys)]
    return [table(rows), *(_key_actions(home, key) for key in home.keys)]


def _row(home: Home, key: AccessKey) -> tuple[Cell, ...]:
    record = home.records.get(key.id)
    inactive = record.inactive_reason if record and not key.active else ""
    state = key.status.lower() + (f" ({inactive})" if inactive else "")
    return key.id, state, age_text(key, home.now), _last_used(key), _expires(key, record)


def _last_used(key: AccessKey) -> Cell:
    if key.last_used is None:
        return "unknown"
    if key.last_used.at is None:
        return "never"
    service, region = key.last_used.service[:MAX_NAME], key.last_used.region[:MAX_NAME]
    return (key.last_used.at, f" ({service}, {region})") if service else key.last_used.at


def _expires(key: AccessKey, record: ManagedKey | None) -> Cell:
    """Return when an active key expires, or when an inactive one will be deleted."""
    if key.active:
        return (record and record.expires_at) or "never"
    deleted = record and record.delete_at
    return ("will be deleted ", deleted) if deleted else "–"


def _key_actions(home: Home, key: AccessKey) -> ActionsBlock:
    buttons = key_buttons(key, home.records.get(key.id))
    return actions(*(_with_key_suffix(one, key) for one in buttons))


def _with_key_suffix(one: ButtonElement, key: AccessKey) -> ButtonElement:
    """Return a button that names its key by the last four characters.

    The buttons stand below the table of keys.
    """
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
        cancel = cancel_button(request) if may_cancel else None
        blocks.append(section(request_line(request), cancel))
    if len(open_) > MAX_OPEN:
        more = f"And {len(open_) - MAX_OPEN} older ones: `/key requests` shows them."
        blocks.append(context(more))
    return blocks


def _waiting(home: Home) -> list[Block | dict[str, Any]]:
    blocks: list[Block | dict[str, Any]] = [
        DividerBlock(),
        HeaderBlock(text="Waiting for approval"),
    ]
    if not home.waiting:
        return [*blocks, section("No requests.")]
    shown = home.waiting[:MAX_WAITING]
    for request in shown:
        blocks += _waiting_request(request)
    left = home.waiting_in_all - len(shown)
    if left > 0:
        blocks.append(context(f"And {left} more, which are newer: see the approval channel."))
    return blocks


def _waiting_request(request: KeyRequest) -> list[Block | dict[str, Any]]:
    # The request's line names a service user itself.
    user = "" if request.is_service_user else f" · `{escape(request.iam_user)}`"
    lines = [f"`{key.id}` {key.status.lower()}, {last_used_text(key)}" for key in request.keys]
    keys = "; ".join(lines) or "no keys yet"
    details = f"{keys}{permissions.short_warning(request)} {review_text(request)}"
    return [
        section(f"<@{request.requester}> · {request_line(request)}{user}"),
        reason_block(request),
        context(details.rstrip()),
        decision_buttons(request),
    ]
