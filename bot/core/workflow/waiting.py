"""Waiting for approvers: who is looking at a request, its reminders, and its requester's nudge."""

from __future__ import annotations

from datetime import datetime

from bot.core import policy
from bot.core.counting import Deed
from bot.core.errors import Conflict, WrongState
from bot.core.moves import Action, Status
from bot.core.people import Member
from bot.core.request import KeyRequest
from bot.core.workflow import decide
from bot.core.workflow.desk import CONFLICT_TRIES, KEYDESK, Desk


def on_it(desk: Desk, member: Member, request_id: str) -> KeyRequest:
    """**I'm on it**: others see for 15 minutes that this approver looks at it. Clicked again, it is taken back.

    It hands nobody a right: every approver may still decide, or take the looking over. Raises as `decide.approve`.
    """
    decide.may_decide(desk, member, request_id)
    for _ in range(CONFLICT_TRIES):
        request, now = desk.found(request_id), desk.clock.now()
        until = request.looked_at_until
        mine = until is not None and now < until and request.looker == member.id
        moved = (
            request.move(Action.OFF_IT, member.id, now, looker="", looking_since=None)
            if mine
            else request.move(Action.ON_IT, member.id, now, looker=member.id, looking_since=now)
        )
        try:
            return desk.write(request, moved)
        except Conflict:
            continue
    request = desk.found(request_id)
    raise WrongState(
        request.status,
        "Several people act on this request at this moment, so I have done nothing. Look "
        "at the card, then try again.",
        request.moved_by,
        request.moved_at,
    )


def nudge(desk: Desk, member: Member, request_id: str) -> KeyRequest:
    """**Nudge**: the person who asked has the approvers asked again, once an hour.

    Raises NotAllowed, WrongState or OverLimit.
    """
    now = desk.clock.now()
    policy.is_requester(member, desk.store.request(request_id))
    desk.lapse_if_overdue(request_id)

    def may(request: KeyRequest) -> None:
        policy.is_requester(member, request)
        if request.status is Status.PENDING:
            policy.may_nudge(request, now)

    return desk.move(
        request_id,
        Action.NUDGE,
        member.id,
        check=may,
        nudged_at=now,
        count=desk.one(Deed.NUDGE, member.id, now),
    )


def is_due(request: KeyRequest, now: datetime) -> bool:
    """Is a reminder due, or the end of somebody's looking? Not any more once the request's own time is over."""
    times = [request.looked_at_until, *(at for _, at in request.reminders_due)]
    return (request.deadline is None or now < request.deadline) and any(
        at is not None and at <= now for at in times
    )


def pass_time(desk: Desk, request: KeyRequest) -> None:
    """What is due while a request waits: a reminder, recorded before it is sent, or the end of somebody's looking.

    Where several reminders are due by now, the newest alone is sent. Raises Conflict.
    """
    now = desk.clock.now()
    over = [name for name, at in request.reminders_due if at <= now]
    until = request.looked_at_until
    if over:
        desk.write(
            request,
            request.move(Action.REMIND, KEYDESK, now, reminders=(*request.reminders, over[-1])),
            why=f"reminder {over[-1]}",
        )
    elif until and until <= now:
        desk.write(
            request, request.move(Action.OFF_IT, KEYDESK, now, looker="", looking_since=None)
        )
