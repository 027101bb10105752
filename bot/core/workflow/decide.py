"""Deciding a request: as many approvers as it needs say yes, or one says no; and a yes is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.core import policy
from bot.core.command import check_reason
from bot.core.errors import (
    Conflict,
    IamRefused,
    NotAllowed,
    OutcomeUnknown,
    Refused,
    SlackUnavailable,
    StillTrying,
    Unavailable,
    WrongState,
)
from bot.core.moves import Action, Status
from bot.core.people import Member
from bot.core.request import Approval, KeyRequest, mentions
from bot.core.workflow import authority, change, learn
from bot.core.workflow.desk import CONFLICT_TRIES, Desk

REVEALED = {Status.ISSUING, Status.DELIVERED, Status.UNCLAIMED, Status.CONFIRMED}
SLACK_IS_SILENT = "Slack did not answer a question I had to ask."
"""Its own sentence says that nothing was done, and the approval is."""
VOTE_TRIES = 25
"""Rounds of one click's compare-and-set: an approval is lost to no other, however many click in the same instant."""


def approve(desk: Desk, member: Member, request_id: str) -> KeyRequest:
    """Approves a request: it stays `pending` until enough approvers have, all of them checked again at that click.

    Then its requester may reveal the key for `claim_ttl` from now; one without a secret is applied. Raises
    NoSuchRequest, NotAllowed (also for a second approval of one IAM user's), WrongState (it was decided, or
    expired: by whom and when), Unavailable, or StillTrying where it is approved and not done yet.
    """
    approvers = may_decide(desk, member, request_id)
    voted = _vote(desk, member, request_id, approvers)
    if voted.status is Status.PENDING or voted.has_secret:
        return voted
    try:
        return _applied(desk, voted)
    except (IamRefused, Unavailable, OutcomeUnknown) as problem:
        why = SLACK_IS_SILENT if isinstance(problem, SlackUnavailable) else problem.sentence
        raise StillTrying(
            f"You approved it, and that stands; it is not done yet: {why} I keep at it."
        ) from problem


def _applied(desk: Desk, request: KeyRequest) -> KeyRequest:
    """The approved request, carried out: anew where its key has changed meanwhile, or as the sweeper has done it."""
    for _ in range(CONFLICT_TRIES):
        if request.status is not Status.APPROVED:
            return request
        try:
            return change.apply(desk, request)
        except Conflict:
            request = desk.found(request.id)
    raise StillTrying(
        "You approved it, and that stands; it is not done yet, since others change the key at this "
        "moment. I keep at it."
    )


def deny(desk: Desk, member: Member, request_id: str, why: str) -> KeyRequest:
    """Denies a request: one is enough, however many have approved; its requester and the record get the reason.

    The reason is normalised as others are. Raises as `approve`, BadCommand, LooksLikeSecret.
    """
    why = check_reason(why, "deny")
    may_decide(desk, member, request_id)
    return desk.move(
        request_id,
        Action.DENY,
        member.id,
        why=why,
        denied_why=why,
        decided_by=member.id,
        decided_at=desk.clock.now(),
        deadline=None,
    )


def may_deny(desk: Desk, member: Member, request_id: str) -> KeyRequest:
    """The request, where this person could deny it now: found out before they are asked why. Raises as `deny`."""
    may_decide(desk, member, request_id)
    request = desk.found(request_id)
    request.move(Action.DENY, member.id, desk.clock.now())
    return request


def take_back(desk: Desk, member: Member, request_id: str) -> KeyRequest:
    """Takes a person's own approval back while more are needed. Raises NoSuchRequest, NotAllowed or WrongState."""
    request = desk.store.request(request_id)
    if (
        request is None or member.id not in request.approvers
    ):  # who has no part in it learns nothing of it
        policy.may_decide(member, desk.iam_names(member), desk.directory.approvers(), request)
    desk.lapse_if_overdue(request_id)
    for _ in range(VOTE_TRIES):
        request = desk.found(request_id)
        left = tuple(approval for approval in request.approvals if approval.by != member.id)
        try:
            taken = request.move(Action.TAKE_BACK, member.id, desk.clock.now(), approvals=left)
        except WrongState as late:
            revokable = request.status is Status.APPROVED
            raise _with(
                late, "*Revoke* on its card takes the approval back." if revokable else ""
            ) from late
        if left == request.approvals:
            raise NotAllowed(
                "You have not approved this, so there is nothing of yours to take back. *Deny* ends it."
            )
        try:
            return desk.write(request, learn.without_one_more(taken))
        except Conflict:
            continue
    raise _busy(desk, request_id)


def revoke(desk: Desk, member: Member, request_id: str) -> KeyRequest:
    """Takes back what the quorum has approved, by any approver, as long as no key is being made, shown or turned on.

    Raises as `deny` does; once it is too late WrongState says what to do about the key.
    """
    may_decide(desk, member, request_id)
    try:
        return desk.move(request_id, Action.REVOKE, member.id, deadline=None)
    except WrongState as late:
        request = desk.found(request_id)
        if request.status is Status.WITHDRAWING:
            raise _with(
                late, "Click *Revoke* again after that." if request.reveals_left else ""
            ) from late
        if request.has_begun:
            raise _with(
                late,
                f"It is too late to revoke the approval: `/key list` with the name of "
                f"<@{request.requester}> lets you turn the key off.",
            ) from late
        if not request.has_secret or request.status not in REVEALED:
            raise
        for_good = (
            f", and `/key leaked {request.access_key_id}` for good" if request.access_key_id else ""
        )
        raise _with(
            late,
            "It is too late to revoke the approval: `/key list` with the name of "
            f"<@{request.requester}> lets you turn the key off{for_good}.",
        ) from late


def may_decide(desk: Desk, member: Member, request_id: str) -> frozenset[str]:
    """Authority is asked for anew at each decision: from configuration, never from what a message says.

    Returns all who may approve at this moment.
    """
    request = desk.store.request(request_id)
    approvers = authority.approvers(desk)
    policy.may_decide(member, desk.iam_names(member), approvers, request)
    desk.lapse_if_overdue(request_id)
    return approvers


def _vote(desk: Desk, member: Member, request_id: str, approvers: frozenset[str]) -> KeyRequest:
    """Adds the approval to those that stand at that moment; whoever loses the race reads anew and adds theirs."""
    for _ in range(VOTE_TRIES):
        request = desk.found(request_id)
        now = desk.clock.now()
        if request.status is Status.PENDING:
            policy.has_not_approved(member, request)
        voted = _with_approval(desk, member, request, approvers, now)
        lost = [one for one in voted.dropped if one not in request.dropped]
        try:
            return desk.write(
                request, voted, why=f"{mentions(lost)} may not approve any more" if lost else ""
            )
        except Conflict:
            continue
    raise _busy(desk, request_id)


def _with_approval(
    desk: Desk, member: Member, request: KeyRequest, approvers: frozenset[str], now: datetime
) -> KeyRequest:
    """The request with one approval more. The click that would complete the quorum has the others checked again."""
    approvals = (*request.approvals, Approval(member.id, now))
    lost: Sequence[str] = ()
    if request.status is Status.PENDING and request.approvals:
        last = len(approvals) >= request.needed
        standing = _standing(desk, request, approvers, fresh=last)
        policy.has_a_voice_of_their_own(_iam_names(desk, member), standing)
        lost = [one for one in request.approvers if last and one not in standing]
        approvals = tuple(approval for approval in approvals if approval.by not in lost)
    dropped = tuple(
        one
        for one in (*request.dropped, *lost)
        if one not in {approval.by for approval in approvals}
    )
    if len(approvals) < request.needed:
        done = request.looker == member.id  # who has approved looks at it no more
        return request.move(
            Action.ENDORSE,
            member.id,
            now,
            approvals=approvals,
            dropped=dropped,
            looker="" if done else request.looker,
            looking_since=None if done else request.looking_since,
        )
    deadline = now + desk.rules.claim_ttl if request.has_secret else desk.soon()
    target = desk.store.key(request.target) if request.verb == "enable" else None
    return request.move(
        Action.APPROVE,
        member.id,
        now,
        approvals=approvals,
        dropped=dropped,
        decided_by=member.id,
        decided_at=now,
        deadline=deadline,
        target_changed_at=target.changed_at if target else None,
    )


def _standing(
    desk: Desk, request: KeyRequest, approvers: frozenset[str], *, fresh: bool
) -> dict[str, frozenset[str]]:
    """Those who have approved and still may, with their IAM user names; who shares one with an earlier one may not.

    Asked of Slack, anew where `fresh`; raises Unavailable where it does not answer.
    """
    standing: dict[str, frozenset[str]] = {}
    for one in request.approvers:
        try:
            member = desk.directory.member(one, fresh=fresh)
            policy.may_use_desk(member, desk.rules.team_id)
            policy.may_decide(member, desk.iam_names(member), approvers, request)
            policy.has_a_voice_of_their_own(_iam_names(desk, member), standing)
        except Refused:
            continue
        standing[one] = _iam_names(desk, member)
    return standing


def _iam_names(desk: Desk, member: Member) -> frozenset[str]:
    return frozenset(name.lower() for name in desk.iam_names(member))


def _with(late: WrongState, words: str) -> WrongState:
    """The refusal, and what would make it work."""
    return WrongState(late.status, f"{late.sentence} {words}".rstrip(), late.by, late.at)


def _busy(desk: Desk, request_id: str) -> WrongState:
    request = desk.found(request_id)
    return WrongState(
        request.status,
        f"{request.story()} Others changed it at the same time, so I have done nothing: "
        "click again.",
        request.moved_by,
        request.moved_at,
    )
