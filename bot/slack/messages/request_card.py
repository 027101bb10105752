"""Render what approvers see of a request: the card, reminders and nudges.

Reminders and nudges are messages in the card's thread. Each one is current until a newer one comes
or the request is decided. It then says so once, and is not rendered again.
"""

from __future__ import annotations

from slack_sdk.models.blocks import ActionsBlock, ButtonElement

from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages import permissions
from bot.slack.messages.blocks import (
    Message,
    actions,
    button,
    confirm,
    context,
    date_token,
    escape,
    message,
    quote,
    section,
)
from bot.slack.messages.key_status import key_line, last_used_text
from bot.slack.messages.request_status import (
    reason_block,
    review_text,
    status_text,
    urgent_text,
    wish_text,
)
from bot.slack.messages.text import duration_text

REMINDER, NUDGE = "waiting", "nudge"
IN_CARDS_THREAD = {REMINDER, NUDGE}


def card(request: KeyRequest, approvers: str) -> Message:
    """Return the approval card.

    `approvers` are mentions in mrkdwn, shown while the request waits.
    """
    urgent, review = urgent_text(request), review_text(request)
    title = f"<@{request.requester}> wants {wish_text(request) or 'an access key'}"
    user = "Service user" if request.is_service_user else "IAM user"
    pending = request.status is Status.PENDING
    state = status_text(request) + (f" · {approvers}" if pending and approvers else "")
    lead = "Urgent: " if urgent else ""
    return message(
        f"{lead}{title} ({escape(request.iam_user)}). Status: {request.status}.",
        [
            section(urgent) if urgent else None,
            section(f":key: *{title}*"),
            section(f"*{user}*  `{escape(request.iam_user)}` in account {escape(request.account)}"),
            reason_block(request),
            section(_keys_text(request)),
            section(plan_text(request)) if request.delivers_secret else None,
            *permissions.card_blocks(request),
            context(state),
            quote(request.denial_reason) if request.denial_reason else None,
            context(review) if review else None,
            card_buttons(request),
        ],
    )


def _keys_text(request: KeyRequest) -> str:
    rows = "".join(f"\n{key_line(key, request.requested_at)}" for key in request.keys)
    return f"*Existing keys*{rows or '  none'}"


def plan_text(request: KeyRequest) -> str:
    """Return what approval will lead to.

    It names the new key's lifetime, and which keys will be deleted.
    """
    life = request.lifetime
    lines = [f"*New key*  {f'expires after {duration_text(life)}' if life else 'never expires'}"]
    if request.verb == "rotate":
        lines.append(f"*Replaces*  {_replaced_text(request)}")
        lines += [
            f"*Stays*  `{key.id}`{_last_use_text(request, key.id)}"
            for key in request.keys
            if key.id not in (request.target, request.delete_first)
        ]
    if request.key(request.delete_first) and request.delete_first != request.target:
        first = request.delete_first
        use = _last_use_text(request, first)
        lines.append(f"*Deletes*  `{first}`{use} · {_deletion_text(request)}")
    return "\n".join(lines)


def _replaced_text(request: KeyRequest) -> str:
    stays = request.target != request.delete_first
    fate = "stays on until the new key is in use" if stays else _deletion_text(request)
    return f"`{request.target}`{_last_use_text(request, request.target)} · {fate}"


def _last_use_text(request: KeyRequest, key_id: str) -> str:
    known = request.key(key_id)
    return f" · {last_used_text(known)}" if known else ""


def _deletion_text(request: KeyRequest) -> str:
    if request.delete_first_at:
        return f"its deletion began with the first reveal, {date_token(request.delete_first_at)}"
    return "will be deleted when the new key is revealed"


def card_buttons(request: KeyRequest) -> ActionsBlock | None:
    """Return an approver's buttons: decide, or revoke what has no effect yet."""
    if request.status is Status.PENDING:
        return decision_buttons(request)
    if request.status is Status.APPROVED and not request.apply_started:
        return actions(_revoke_button(request))
    return None


def decision_buttons(request: KeyRequest) -> ActionsBlock:
    """Return what approvers may click while a request waits, also on the Home tab."""
    withdraw = [_withdraw_button(request)] if request.approvals else []
    return actions(
        button("Approve", action_ids.APPROVE, request.id, style="primary"),
        button("Deny", action_ids.DENY, request.id, style="danger"),
        button("I'm on it", action_ids.ON_IT, request.id),
        *withdraw,
    )


def _withdraw_button(request: KeyRequest) -> ButtonElement:
    return button(
        "Withdraw my approval",
        action_ids.TAKE_BACK,
        request.id,
        confirm=confirm(
            "Withdraw your approval?",
            "It will no longer count. You can approve again while the request waits.",
            "Withdraw",
        ),
    )


def _revoke_button(request: KeyRequest) -> ButtonElement:
    effect = "No key can be revealed" if request.delivers_secret else "Nothing will be changed"
    told = f"<@{request.requester}> will be told that you revoked it, and can ask again."
    return button(
        "Revoke",
        action_ids.REVOKE,
        request.id,
        style="danger",
        confirm=confirm("Revoke the approval?", f"{effect}. {told}", "Revoke", danger=True),
    )


def thread_kinds(request: KeyRequest) -> tuple[str, ...]:
    """Return the current thread messages: the last reminder and the last nudge."""
    if request.status is not Status.PENDING:
        return ()
    reminder = (f"{REMINDER}:{request.reminders[-1]}",) if request.reminders else ()
    nudge = (f"{NUDGE}:{int(request.nudged_at.timestamp())}",) if request.nudged_at else ()
    return reminder + nudge


def is_final(request: KeyRequest, kind: str) -> bool:
    """Return True if a thread message is not current, so that it never changes."""
    return kind.partition(":")[0] in IN_CARDS_THREAD and kind not in thread_kinds(request)


def thread_message(request: KeyRequest, kind: str, approvers: str) -> Message:
    """Return a reminder or nudge. `approvers` are those it mentions, in mrkdwn."""
    if is_final(request, kind):
        text = _final_text(request)
        return message(text, [context(text)])
    since = f"Waiting since {date_token(request.requested_at)}"
    expires = f" · expires {date_token(request.deadline)}" if request.deadline else ""
    if kind.startswith(REMINDER):
        text = f":bell: *Still waiting for approval.* {since}{expires} {approvers}"
        return message("A request is still waiting for approval.", [section(text.rstrip())])
    whom = f"<@{request.reviewer}>" if request.review_ends_at else approvers
    who = f"<@{request.requester}> asks you to look at this request"
    text = f":wave: *{who}.* {since}{expires} {whom}"
    return message(f"{who}.", [section(text.rstrip())])


def _final_text(request: KeyRequest) -> str:
    if request.status is Status.PENDING:
        return "There is a newer reminder below."
    if request.decided_at:
        return "Decided: see the card."
    return "No longer waiting: see the card."
