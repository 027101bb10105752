"""What do people see while a request waits: who looks at it, reminders, nudges; and after it, why it was denied?

Reminders and nudges are lines in the card's thread. Each is live until a newer one comes or the waiting is over;
it then says so, once and for all, and is drawn no more.
"""

from __future__ import annotations

from datetime import datetime

from slack_sdk.models.blocks import ActionsBlock, ButtonElement

from bot.domain.requests import KeyRequest
from bot.domain.states import Status
from bot.slack import action_ids
from bot.slack.messages.blocks import (
    Message,
    button,
    cancel_button,
    context,
    date_token,
    message,
    quote,
    reason,
    section,
)
from bot.slack.messages.text import duration_text

WAITING, NUDGE = "waiting", "nudge"
IN_CARDS_THREAD = {WAITING, NUDGE}


def expected_kinds(request: KeyRequest) -> tuple[str, ...]:
    """The lines that are live now: the last reminder and the last nudge, while the request waits."""
    if request.status is not Status.PENDING:
        return ()
    reminder = (f"{WAITING}:{request.reminders[-1]}",) if request.reminders else ()
    nudge = (f"{NUDGE}:{int(request.nudged_at.timestamp())}",) if request.nudged_at else ()
    return reminder + nudge


def is_final(request: KeyRequest, kind: str) -> bool:
    """Has this copy said its last word? Then it need not be drawn again, whatever becomes of the request."""
    return kind.partition(":")[0] in IN_CARDS_THREAD and kind not in expected_kinds(request)


def render(request: KeyRequest, kind: str, mentions: str) -> Message:
    """A reminder or nudge as the state wants it now. `mentions` are the approvers, in mrkdwn."""
    if is_final(request, kind):
        text = (
            "Asked again below."
            if request.status is Status.PENDING
            else (
                "Decided; the card says how."
                if request.decided_at
                else "Not waiting any more; the card says why."
            )
        )
        return message(text, [context(text)])
    since = f"It has been waiting since {date_token(request.requested_at)}{_expires_text(request)}."
    if kind.startswith(WAITING):
        return message(
            "A request still waits for an approver",
            [section(f":bell: Still waiting. {since} {mentions}")],
        )
    whom = f"<@{request.reviewer}>" if request.review_ends_at else mentions
    return message(
        "A requester asks again",
        [section(f":wave: *<@{request.requester}> asks again.* {since} {whom}")],
    )


def _expires_text(request: KeyRequest) -> str:
    return f" and lapses {date_token(request.deadline)}" if request.deadline else ""


def review_text(request: KeyRequest) -> str:
    """Who looks at a request since when, "" where nobody does."""
    if request.review_ends_at is None or request.review_started_at is None:
        return ""
    return f":eyes: <@{request.reviewer}> is looking at this since {_clock(request.review_started_at)}."


def _clock(at: datetime) -> str:
    """The time of a moment not long ago, in each reader's own time."""
    return f"<!date^{int(at.timestamp())}^{{time}}|{at:%H:%M} UTC>"


def decision_buttons(request: KeyRequest) -> tuple[ButtonElement, ...]:
    """What approvers may click while a request waits."""
    return (
        button("Approve", action_ids.APPROVE, request.id, style="primary"),
        button("Deny", action_ids.DENY, request.id, style="danger"),
        button("I'm on it", action_ids.ON_IT, request.id),
    )


def urgent_text(request: KeyRequest) -> str:
    """That glass was broken, and what that means; "" for every other request."""
    if not request.urgent:
        return ""
    enough = " One approval is enough." if request.status is Status.PENDING else ""
    life = f" The key lives {duration_text(request.lifetime)} at most." if request.lifetime else ""
    return f":rotating_light: *Urgent.*{enough}{life}"


def waiting_since_text(request: KeyRequest) -> str:
    """For its requester: since when it waits, whether somebody looks at it, and when they may nudge again."""
    nudged = (
        f" You nudged the approvers {date_token(request.nudged_at)}." if request.nudged_at else ""
    )
    return f"It has been waiting since {date_token(request.requested_at)}.{nudged} {review_text(request)}".rstrip()


def requester_buttons(request: KeyRequest) -> ActionsBlock:
    """What its requester may click while a request waits."""
    return ActionsBlock(
        elements=[button("Nudge", action_ids.NUDGE, request.id), cancel_button(request)]
    )


def denied(request: KeyRequest, again: str) -> Message:
    """For its requester: who denied it, why, and what comes next."""
    text = f"Your request was denied by <@{request.decided_by}>"
    if not request.denial_reason:
        return message(
            f"{text}.",
            [section(f":no_entry: *{text}.*"), reason(request), context(f"Ask them why; {again}")],
        )
    return message(
        f"{text}.",
        [
            section(f":no_entry: *{text}:*"),
            quote(request.denial_reason),
            context(f"Where that is settled, {again} You can also ask them."),
        ],
    )
