"""Claim a request that waits for approvals, and remind the approvers of it."""

from __future__ import annotations

from datetime import datetime

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.identity import Member
from bot.domain.rate_limits import LimitedAction
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import decide_request
from bot.operations.services import KEYDESK, Services, retry_on_conflict


def toggle_review(services: Services, member: Member, request_id: str) -> KeyRequest:
    """Claim a request for REVIEW_DURATION, or end the member's own claim.

    The button is **I'm on it**.

    A claim gives no right: every approver may still decide, or claim it. Raises as
    `decide_request.approve`.
    """
    decide_request.check_may_decide(services, member, request_id)

    def attempt() -> KeyRequest:
        request, now = services.get_request(request_id), services.clock.now()
        until = request.review_ends_at
        if until is not None and now < until and request.reviewer == member.id:
            return services.commit_transition(request, _end_review(request, member.id, now))
        claimed = request.transition(
            Event.START_REVIEW, member.id, now, reviewer=member.id, review_started_at=now
        )
        return services.commit_transition(request, claimed)

    return retry_on_conflict(attempt, lambda: decide_request.contended(services, request_id))


def nudge(services: Services, member: Member, request_id: str) -> KeyRequest:
    """Remind the approvers for the requester, at most once an hour (**Nudge**).

    Raises NotAllowed, WrongState or RateLimited.
    """
    now = services.clock.now()
    policy.check_requester(member, services.store.request(request_id))
    services.expire_if_overdue(request_id)

    def check(request: KeyRequest) -> None:
        policy.check_requester(member, request)
        if request.status is Status.PENDING:
            policy.check_may_nudge(request, now)

    return services.transition(
        request_id,
        Event.NUDGE,
        member.id,
        check=check,
        nudged_at=now,
        usage=services.usage(LimitedAction.NUDGE, member.id, now),
    )


def is_due(request: KeyRequest, now: datetime) -> bool:
    """Return True if a reminder or a claim's end is due before the deadline."""
    times = [request.review_ends_at, *(at for _, at in request.due_reminders)]
    return (request.deadline is None or now < request.deadline) and any(
        at is not None and at <= now for at in times
    )


def run(services: Services, request: KeyRequest) -> None:
    """Record the reminder that is due, before it is sent, or end the claim.

    Of several reminders, only the newest is sent. Raises Conflict.
    """
    now = services.clock.now()
    reminders = [name for name, at in request.due_reminders if at <= now]
    until = request.review_ends_at
    if reminders:
        services.commit_transition(
            request,
            request.transition(
                Event.REMIND, KEYDESK, now, reminders=(*request.reminders, reminders[-1])
            ),
            detail=Detail(Code.REMINDER_SENT, {"reminder": reminders[-1]}),
        )
    elif until and until <= now:
        services.commit_transition(request, _end_review(request, KEYDESK, now))


def _end_review(request: KeyRequest, by: str, now: datetime) -> KeyRequest:
    return request.transition(Event.END_REVIEW, by, now, reviewer="", review_started_at=None)
