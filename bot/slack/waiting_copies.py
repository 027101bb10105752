"""What do people see while a request waits: who looks at it, reminders, nudges; and after it, why it was denied?

Reminders and nudges are lines in the card's thread. Each is live until a newer one comes or the waiting is over;
it then says so, once and for all, and is drawn no more.
"""

from __future__ import annotations

from datetime import datetime

from slack_sdk.models.blocks import ActionsBlock, ButtonElement

from bot.core.moves import Status
from bot.core.policy import span_words
from bot.core.request import KeyRequest
from bot.slack import ids
from bot.slack.blocks import (
    Drawn,
    button,
    cancel_button,
    context,
    draw,
    moment,
    quote,
    reason,
    section,
)

WAITING, NUDGE = "waiting", "nudge"
IN_CARDS_THREAD = {WAITING, NUDGE}


def wanted(request: KeyRequest) -> tuple[str, ...]:
    """The lines that are live now: the last reminder and the last nudge, while the request waits."""
    if request.status is not Status.PENDING:
        return ()
    reminder = (f"{WAITING}:{request.reminders[-1]}",) if request.reminders else ()
    nudge = (f"{NUDGE}:{int(request.nudged_at.timestamp())}",) if request.nudged_at else ()
    return reminder + nudge


def is_over(request: KeyRequest, kind: str) -> bool:
    """Has this copy said its last word? Then it need not be drawn again, whatever becomes of the request."""
    return kind.partition(":")[0] in IN_CARDS_THREAD and kind not in wanted(request)


def drawn(request: KeyRequest, kind: str, mentions: str) -> Drawn:
    """A reminder or nudge as the state wants it now. `mentions` are the approvers, in mrkdwn."""
    if is_over(request, kind):
        text = (
            "Asked again below."
            if request.status is Status.PENDING
            else (
                "Decided; the card says how."
                if request.decided_at
                else "Not waiting any more; the card says why."
            )
        )
        return draw(text, [context(text)])
    since = f"It has been waiting since {moment(request.asked_at)}{_lapses(request)}."
    if kind.startswith(WAITING):
        return draw(
            "A request still waits for an approver",
            [section(f":bell: Still waiting. {since} {mentions}")],
        )
    whom = f"<@{request.looker}>" if request.looked_at_until else mentions
    return draw(
        "A requester asks again",
        [section(f":wave: *<@{request.requester}> asks again.* {since} {whom}")],
    )


def _lapses(request: KeyRequest) -> str:
    return f" and lapses {moment(request.deadline)}" if request.deadline else ""


def looking(request: KeyRequest) -> str:
    """Who looks at a request since when, "" where nobody does."""
    if request.looked_at_until is None or request.looking_since is None:
        return ""
    return f":eyes: <@{request.looker}> is looking at this since {_clock(request.looking_since)}."


def _clock(at: datetime) -> str:
    """The time of a moment not long ago, in each reader's own time."""
    return f"<!date^{int(at.timestamp())}^{{time}}|{at:%H:%M} UTC>"


def deciding(request: KeyRequest) -> tuple[ButtonElement, ...]:
    """What approvers may click while a request waits."""
    return (
        button("Approve", ids.APPROVE, request.id, style="primary"),
        button("Deny", ids.DENY, request.id, style="danger"),
        button("I'm on it", ids.ON_IT, request.id),
    )


def urgency(request: KeyRequest) -> str:
    """That glass was broken, and what that means; "" for every other request."""
    if not request.urgent:
        return ""
    enough = " One approval is enough." if request.status is Status.PENDING else ""
    life = f" The key lives {span_words(request.lifetime)} at most." if request.lifetime else ""
    return f":rotating_light: *Urgent.*{enough}{life}"


def since(request: KeyRequest) -> str:
    """For its requester: since when it waits, whether somebody looks at it, and when they may nudge again."""
    nudged = f" You nudged the approvers {moment(request.nudged_at)}." if request.nudged_at else ""
    return (
        f"It has been waiting since {moment(request.asked_at)}.{nudged} {looking(request)}".rstrip()
    )


def asking(request: KeyRequest) -> ActionsBlock:
    """What its requester may click while a request waits."""
    return ActionsBlock(elements=[button("Nudge", ids.NUDGE, request.id), cancel_button(request)])


def denied(request: KeyRequest, again: str) -> Drawn:
    """For its requester: who denied it, why, and what comes next."""
    text = f"Your request was denied by <@{request.decided_by}>"
    if not request.denied_why:
        return draw(
            f"{text}.",
            [section(f":no_entry: *{text}.*"), reason(request), context(f"Ask them why; {again}")],
        )
    return draw(
        f"{text}.",
        [
            section(f":no_entry: *{text}:*"),
            quote(request.denied_why),
            context(f"Where that is settled, {again} You can also ask them."),
        ],
    )
