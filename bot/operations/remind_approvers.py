"""Waiting for approvers: who is looking at a request, its reminders, and its requester's nudge."""

from __future__ import annotations

from datetime import datetime

from bot.domain import policy
from bot.domain.errors import Conflict, WrongState
from bot.domain.identity import Member
from bot.domain.rate_limits import LimitedAction
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import decide_request
from bot.operations.services import KEYDESK, MAX_CONFLICTS, Services


def toggle_review(services: Services, member: Member, request_id: str) -> KeyRequest:
    """**I'm on it**: others see for 15 minutes that this approver looks at it. Clicked again, it is taken back.

    It hands nobody a right: every approver may still decide, or take the looking over. Raises as `decide.approve`.
    """
    decide_request.check_may_decide(services, member, request_id)
    for _ in range(MAX_CONFLICTS):
        request, now = services.get_request(request_id), services.clock.now()
        until = request.review_ends_at
        mine = until is not None and now < until and request.reviewer == member.id
        moved = (
            request.transition(
                Event.END_REVIEW, member.id, now, reviewer="", review_started_at=None
            )
            if mine
            else request.transition(
                Event.START_REVIEW, member.id, now, reviewer=member.id, review_started_at=now
            )
        )
        try:
            return services.commit_transition(request, moved)
        except Conflict:
            continue
    request = services.get_request(request_id)
    raise WrongState(
        request.status,
        "Several people act on this request at this moment, so I have done nothing. Look "
        "at the card, then try again.",
        request.last_event_by,
        request.last_event_at,
    )


def nudge(services: Services, member: Member, request_id: str) -> KeyRequest:
    """**Nudge**: the person who asked has the approvers asked again, once an hour.

    Raises NotAllowed, WrongState or RateLimited.
    """
    now = services.clock.now()
    policy.check_requester(member, services.store.request(request_id))
    services.expire_if_overdue(request_id)

    def may(request: KeyRequest) -> None:
        policy.check_requester(member, request)
        if request.status is Status.PENDING:
            policy.check_may_nudge(request, now)

    return services.transition(
        request_id,
        Event.NUDGE,
        member.id,
        check=may,
        nudged_at=now,
        usage=services.usage(LimitedAction.NUDGE, member.id, now),
    )


def is_due(request: KeyRequest, now: datetime) -> bool:
    """Is a reminder due, or the end of somebody's looking? Not any more once the request's own time is over."""
    times = [request.review_ends_at, *(at for _, at in request.due_reminders)]
    return (request.deadline is None or now < request.deadline) and any(
        at is not None and at <= now for at in times
    )


def run(services: Services, request: KeyRequest) -> None:
    """What is due while a request waits: a reminder, recorded before it is sent, or the end of somebody's looking.

    Where several reminders are due by now, the newest alone is sent. Raises Conflict.
    """
    now = services.clock.now()
    over = [name for name, at in request.due_reminders if at <= now]
    until = request.review_ends_at
    if over:
        services.commit_transition(
            request,
            request.transition(
                Event.REMIND, KEYDESK, now, reminders=(*request.reminders, over[-1])
            ),
            reason=f"reminder {over[-1]}",
        )
    elif until and until <= now:
        services.commit_transition(
            request,
            request.transition(Event.END_REVIEW, KEYDESK, now, reviewer="", review_started_at=None),
        )
