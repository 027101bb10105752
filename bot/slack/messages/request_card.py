"""How do messages speak of approvals: who has given one, how many are missing, and how one is taken back? Pure."""

from __future__ import annotations

from slack_sdk.models.blocks import ActionsBlock

from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages.blocks import (
    Message,
    actions,
    button,
    confirm,
    context,
    message,
    reason,
    section,
)
from bot.slack.messages.receipt import cancelled_text
from bot.slack.messages.request_text import tally
from bot.slack.messages.waiting import decision_buttons


def approvals_text(request: KeyRequest) -> str:
    """Who has approved a pending request and how many are missing, as a sentence; "" where one is enough."""
    so_far = tally(request)
    return f"{so_far[0].upper()}{so_far[1:]}." if so_far else ""


def waits_for_text(request: KeyRequest) -> str:
    """Whom a new request waits for; whether it needs the one more that a risky one does, nobody knows yet."""
    least = request.approvals_needed - request.extra_approval
    who = f"{least} approvers" if least > 1 else "an approver"
    return (
        f"{who} (and for one more if it is an administrator's key)"
        if request.extra_approval
        else who
    )


def waiting_buttons(request: KeyRequest) -> ActionsBlock:
    """What approvers can do with a request that waits for them: decide, or take their own approval back."""
    take_back = (
        [
            button(
                "Take back my approval",
                action_ids.TAKE_BACK,
                request.id,
                confirm=confirm(
                    "Take back your approval?",
                    "It does not count any more then. You can approve again while the request waits.",
                    "Take it back",
                ),
            )
        ]
        if request.approvals
        else []
    )
    return actions(*decision_buttons(request), *take_back)


def card_buttons(request: KeyRequest) -> ActionsBlock | None:
    """What approvers can do with a request in its state; what is approved can be revoked until it is shown or done."""
    if request.status is Status.PENDING:
        return waiting_buttons(request)
    if request.status is Status.APPROVED and not request.apply_started:
        then = "No key can be revealed then" if request.delivers_secret else "Nothing is done then"
        return actions(
            button(
                "Revoke",
                action_ids.REVOKE,
                request.id,
                style="danger",
                confirm=confirm(
                    "Revoke the approval?",
                    f"{then}, and <@{request.requester}> is told that it was you. They can ask again.",
                    "Revoke",
                    danger=True,
                ),
            )
        )
    return None


def revoked(request: KeyRequest, again: str) -> Message:
    """The requester is told in a message of its own: the one with **Reveal my key** changes, which notifies nobody.

    `again` says how to ask again.
    """
    text = f"The approval of your request was revoked by <@{request.last_event_by}>."
    return message(
        text,
        [
            section(f":no_entry: *{text}* {cancelled_text(request)}"),
            reason(request),
            context(f"Ask them why; {again}"),
        ],
    )
