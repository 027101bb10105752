"""Deciding a request: as many approvers as it needs say yes, or one says no; and a yes is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain import policy
from bot.domain.commands import check_reason
from bot.domain.errors import (
    ChangePending,
    Conflict,
    IamRefused,
    NotAllowed,
    OutcomeUnknown,
    Refused,
    SlackUnavailable,
    Unavailable,
    WrongState,
)
from bot.domain.identity import Member
from bot.domain.requests import Approval, KeyRequest, mentions
from bot.domain.states import Event, Status
from bot.operations import apply_request, approvers, identify, load_permissions
from bot.operations.services import MAX_CONFLICTS, Services

TOO_LATE_TO_REVOKE = {Status.ISSUING, Status.DELIVERED, Status.UNCLAIMED, Status.CONFIRMED}
SLACK_IS_SILENT = "Slack did not answer a question I had to ask."
"""Its own sentence says that nothing was done, and the approval is."""
MAX_APPROVAL_CONFLICTS = 25
"""Rounds of one click's compare-and-set: an approval is lost to no other, however many click in the same instant."""


def approve(services: Services, member: Member, request_id: str) -> KeyRequest:
    """Approves a request: it stays `pending` until enough approvers have, all of them checked again at that click.

    Then its requester may reveal the key for `claim_ttl` from now; one without a secret is applied. Raises
    RequestNotFound, NotAllowed (also for a second approval of one IAM user's), WrongState (it was decided, or
    expired: by whom and when), Unavailable, or ChangePending where it is approved and not done yet.
    """
    approvers = check_may_decide(services, member, request_id)
    voted = _add_approval(services, member, request_id, approvers)
    if voted.status is Status.PENDING or voted.delivers_secret:
        return voted
    try:
        return _apply(services, voted)
    except (IamRefused, Unavailable, OutcomeUnknown) as problem:
        why = SLACK_IS_SILENT if isinstance(problem, SlackUnavailable) else problem.sentence
        raise ChangePending(
            f"You approved it, and that stands; it is not done yet: {why} I keep at it."
        ) from problem


def _apply(services: Services, request: KeyRequest) -> KeyRequest:
    """The approved request, carried out: anew where its key has changed meanwhile, or as the sweeper has done it."""
    for _ in range(MAX_CONFLICTS):
        if request.status is not Status.APPROVED:
            return request
        try:
            return apply_request.apply(services, request)
        except Conflict:
            request = services.get_request(request.id)
    raise ChangePending(
        "You approved it, and that stands; it is not done yet, since others change the key at this "
        "moment. I keep at it."
    )


def deny(services: Services, member: Member, request_id: str, why: str) -> KeyRequest:
    """Denies a request: one is enough, however many have approved; its requester and the record get the reason.

    The reason is normalised as others are. Raises as `approve`, BadCommand, LooksLikeSecret.
    """
    why = check_reason(why, "deny")
    check_may_decide(services, member, request_id)
    return services.transition(
        request_id,
        Event.DENY,
        member.id,
        reason=why,
        denial_reason=why,
        decided_by=member.id,
        decided_at=services.clock.now(),
        deadline=None,
    )


def check_may_deny(services: Services, member: Member, request_id: str) -> KeyRequest:
    """The request, where this person could deny it now: found out before they are asked why. Raises as `deny`."""
    check_may_decide(services, member, request_id)
    request = services.get_request(request_id)
    request.transition(Event.DENY, member.id, services.clock.now())
    return request


def withdraw_approval(services: Services, member: Member, request_id: str) -> KeyRequest:
    """Takes a person's own approval back while more are needed. Raises RequestNotFound, NotAllowed or WrongState."""
    request = services.store.request(request_id)
    if (
        request is None or member.id not in request.approvers
    ):  # who has no part in it learns nothing of it
        policy.check_may_decide(
            member,
            identify.iam_user_names(services, member),
            services.directory.approvers(),
            request,
        )
    services.expire_if_overdue(request_id)
    for _ in range(MAX_APPROVAL_CONFLICTS):
        request = services.get_request(request_id)
        left = tuple(approval for approval in request.approvals if approval.by != member.id)
        try:
            taken = request.transition(
                Event.WITHDRAW_APPROVAL, member.id, services.clock.now(), approvals=left
            )
        except WrongState as late:
            revokable = request.status is Status.APPROVED
            raise _with_hint(
                late, "*Revoke* on its card takes the approval back." if revokable else ""
            ) from late
        if left == request.approvals:
            raise NotAllowed(
                "You have not approved this, so there is nothing of yours to take back. *Deny* ends it."
            )
        try:
            return services.commit_transition(
                request, load_permissions.without_extra_approval(taken)
            )
        except Conflict:
            continue
    raise _busy(services, request_id)


def revoke(services: Services, member: Member, request_id: str) -> KeyRequest:
    """Takes back what the quorum has approved, by any approver, as long as no key is being made, shown or turned on.

    Raises as `deny` does; once it is too late WrongState says what to do about the key.
    """
    check_may_decide(services, member, request_id)
    try:
        return services.transition(request_id, Event.REVOKE, member.id, deadline=None)
    except WrongState as late:
        request = services.get_request(request_id)
        if request.status is Status.DELETING:
            raise _with_hint(
                late, "Click *Revoke* again after that." if request.reveals_left else ""
            ) from late
        if request.apply_started:
            raise _with_hint(
                late,
                f"It is too late to revoke the approval: `/key list` with the name of "
                f"<@{request.requester}> lets you turn the key off.",
            ) from late
        if not request.delivers_secret or request.status not in TOO_LATE_TO_REVOKE:
            raise
        for_good = (
            f", and `/key leaked {request.access_key_id}` for good" if request.access_key_id else ""
        )
        raise _with_hint(
            late,
            "It is too late to revoke the approval: `/key list` with the name of "
            f"<@{request.requester}> lets you turn the key off{for_good}.",
        ) from late


def check_may_decide(services: Services, member: Member, request_id: str) -> frozenset[str]:
    """Authority is asked for anew at each decision: from configuration, never from what a message says.

    Returns all who may approve at this moment.
    """
    request = services.store.request(request_id)
    allowed = approvers.read_approvers(services)
    policy.check_may_decide(member, identify.iam_user_names(services, member), allowed, request)
    services.expire_if_overdue(request_id)
    return allowed


def _add_approval(
    services: Services, member: Member, request_id: str, approvers: frozenset[str]
) -> KeyRequest:
    """Adds the approval to those that stand at that moment; whoever loses the race reads anew and adds theirs."""
    for _ in range(MAX_APPROVAL_CONFLICTS):
        request = services.get_request(request_id)
        now = services.clock.now()
        if request.status is Status.PENDING:
            policy.check_not_approved_yet(member, request)
        voted = _with_approval(services, member, request, approvers, now)
        lost = [one for one in voted.dropped_approvers if one not in request.dropped_approvers]
        try:
            return services.commit_transition(
                request, voted, reason=f"{mentions(lost)} may not approve any more" if lost else ""
            )
        except Conflict:
            continue
    raise _busy(services, request_id)


def _with_approval(
    services: Services,
    member: Member,
    request: KeyRequest,
    approvers: frozenset[str],
    now: datetime,
) -> KeyRequest:
    """The request with one approval more. The click that would complete the quorum has the others checked again."""
    approvals = (*request.approvals, Approval(member.id, now))
    lost: Sequence[str] = ()
    if request.status is Status.PENDING and request.approvals:
        last = len(approvals) >= request.approvals_needed
        standing = _valid_approvals(services, request, approvers, fresh=last)
        policy.check_distinct_iam_user(_lower_iam_user_names(services, member), standing)
        lost = [one for one in request.approvers if last and one not in standing]
        approvals = tuple(approval for approval in approvals if approval.by not in lost)
    dropped = tuple(
        one
        for one in (*request.dropped_approvers, *lost)
        if one not in {approval.by for approval in approvals}
    )
    if len(approvals) < request.approvals_needed:
        done = request.reviewer == member.id  # who has approved looks at it no more
        return request.transition(
            Event.ADD_APPROVAL,
            member.id,
            now,
            approvals=approvals,
            dropped_approvers=dropped,
            reviewer="" if done else request.reviewer,
            review_started_at=None if done else request.review_started_at,
        )
    deadline = now + services.settings.claim_ttl if request.delivers_secret else services.retry_at()
    target = services.store.key(request.target) if request.verb == "enable" else None
    return request.transition(
        Event.APPROVE,
        member.id,
        now,
        approvals=approvals,
        dropped_approvers=dropped,
        decided_by=member.id,
        decided_at=now,
        deadline=deadline,
        target_changed_at=target.changed_at if target else None,
    )


def _valid_approvals(
    services: Services, request: KeyRequest, approvers: frozenset[str], *, fresh: bool
) -> dict[str, frozenset[str]]:
    """Those who have approved and still may, with their IAM user names; who shares one with an earlier one may not.

    Asked of Slack, anew where `fresh`; raises Unavailable where it does not answer.
    """
    standing: dict[str, frozenset[str]] = {}
    for one in request.approvers:
        try:
            member = services.directory.member(one, fresh=fresh)
            policy.check_member(member, services.settings.team_id)
            policy.check_may_decide(
                member, identify.iam_user_names(services, member), approvers, request
            )
            policy.check_distinct_iam_user(_lower_iam_user_names(services, member), standing)
        except Refused:
            continue
        standing[one] = _lower_iam_user_names(services, member)
    return standing


def _lower_iam_user_names(services: Services, member: Member) -> frozenset[str]:
    return frozenset(name.lower() for name in identify.iam_user_names(services, member))


def _with_hint(late: WrongState, words: str) -> WrongState:
    """The refusal, and what would make it work."""
    return WrongState(late.status, f"{late.sentence} {words}".rstrip(), late.by, late.at)


def _busy(services: Services, request_id: str) -> WrongState:
    request = services.get_request(request_id)
    return WrongState(
        request.status,
        f"{request.story()} Others changed it at the same time, so I have done nothing: "
        "click again.",
        request.last_event_by,
        request.last_event_at,
    )
