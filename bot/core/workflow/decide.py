"""Deciding a request: an approver says yes or no."""

from __future__ import annotations

from bot.core import policy
from bot.core.command import check_reason
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


def deny(desk: Desk, member: Member, request_id: str, why: str) -> KeyRequest:
    """Denies a request; its requester and the record get the reason. Raises as `approve`, BadCommand, LooksLikeSecret.

    The reason is normalised as others are.
    """
    why = check_reason(why, "deny")
    _may_decide(desk, member, request_id)
    return desk.move(request_id, Action.DENY, member.id, why=why, denied_why=why, decided_by=member.id,
                     decided_at=desk.clock.now(), deadline=None)


def may_deny(desk: Desk, member: Member, request_id: str) -> KeyRequest:
    """The request, where this person could deny it now: found out before they are asked why. Raises as `deny`."""
    _may_decide(desk, member, request_id)
    request = desk.found(request_id)
    request.move(Action.DENY, member.id, desk.clock.now())
    return request


def _may_decide(desk: Desk, member: Member, request_id: str) -> None:
    """Authority is asked for anew at each decision: from configuration, never from what a message says."""
    request = desk.found(request_id)
    policy.may_decide(member, desk.iam_names(member), desk.directory.approvers(), request)
    desk.lapse_if_overdue(request_id)
