"""Deciding a request: an approver says yes or no."""

from __future__ import annotations

from bot.core import policy
from bot.core.errors import Conflict, IamRefused, StillTrying, Unavailable
from bot.core.people import Member
from bot.core.request import Action, Approval, KeyRequest
from bot.core.workflow import change
from bot.core.workflow.desk import Desk


def approve(desk: Desk, member: Member, request_id: str) -> KeyRequest:
    """Approves a request; its requester may reveal the key for `claim_ttl` from now. One without a secret is applied.

    Raises NoSuchRequest, NotAllowed, WrongState (it was decided, or expired: by whom and when), Unavailable, or
    StillTrying where it is approved and not done yet.
    """
    _may_decide(desk, member, request_id)
    now = desk.clock.now()
    has_secret = desk.found(request_id).has_secret
    approved = desk.move(request_id, Action.APPROVE, member.id, approvals=(Approval(member.id, now),),
                         decided_by=member.id, decided_at=now,
                         deadline=now + desk.rules.claim_ttl if has_secret else desk.soon())
    if has_secret:
        return approved
    try:
        return change.apply(desk, approved)
    except Conflict:
        return desk.found(request_id)  # the sweeper was faster, or the key has changed and the sweeper applies it anew
    except (IamRefused, Unavailable) as problem:
        raise StillTrying(f"You approved it, and that stands; it is not done yet: {problem.sentence} I keep at it."
                          ) from problem


def deny(desk: Desk, member: Member, request_id: str) -> KeyRequest:
    """Denies a request. Raises as `approve` does."""
    _may_decide(desk, member, request_id)
    return desk.move(request_id, Action.DENY, member.id, decided_by=member.id, decided_at=desk.clock.now(),
                     deadline=None)


def _may_decide(desk: Desk, member: Member, request_id: str) -> None:
    """Authority is asked for anew at each decision: from configuration, never from what a message says."""
    request = desk.found(request_id)
    policy.may_decide(member, desk.iam_names(member), desk.directory.approvers(), request)
    desk.lapse_if_overdue(request_id)
