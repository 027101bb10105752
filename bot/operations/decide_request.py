"""Approve a request, deny it, withdraw an approval, or revoke it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.commands import check_reason
from bot.domain.errors import ChangePending, KeydeskError, NotAllowed, Refused, WrongState
from bot.domain.identity import Member
from bot.domain.outside_errors import (
    IamRefused,
    OutcomeUnknown,
    SlackUnavailable,
    StoreUnavailable,
    Unavailable,
)
from bot.domain.requests import Approval, KeyRequest
from bot.domain.states import Event, Status
from bot.operations import apply_request, approvers, identify, load_permissions
from bot.operations.services import Services, retry_on_conflict

TOO_LATE_TO_REVOKE = {Status.ISSUING, Status.DELIVERED, Status.UNCLAIMED, Status.CONFIRMED}
MAX_APPROVAL_CONFLICTS = 25
"""Tries of one click, so that many approvers can click at once. Then the click is refused."""


def approve(services: Services, member: Member, request_id: str) -> KeyRequest:
    """Add an approval. The request stays `pending` until it has enough of them.

    The approval that completes them has the others checked again. Then the requester may reveal the
    key for `claim_ttl`, or the change is applied at once.

    Raises:
        RequestNotFound: There is no such request.
        NotAllowed: The member may not decide it, or their IAM user has approved it already.
        WrongState: It was decided, or has expired.
        ChangePending: It is approved, and the change is not applied yet.
        Unavailable: Something outside did not respond.
    """
    approvers = check_may_decide(services, member, request_id)
    approved = _add_approval(services, member, request_id, approvers)
    if approved.status is Status.PENDING or approved.delivers_secret:
        return approved
    try:
        return _apply(services, approved)
    except (IamRefused, Unavailable, OutcomeUnknown) as problem:
        raise ChangePending(
            Code.APPROVED_NOT_APPLIED, cause=problem.code, service=_service(problem)
        ) from problem


def _apply(services: Services, approved: KeyRequest) -> KeyRequest:
    """Apply the approved request, unless another process has done so meanwhile."""

    def attempt() -> KeyRequest:
        request = services.get_request(approved.id)
        if request.status is not Status.APPROVED:
            return request
        return apply_request.apply(services, request)

    return retry_on_conflict(attempt, lambda: ChangePending(Code.APPROVED_KEY_BUSY))


def _service(problem: KeydeskError) -> str:
    """Return what a change waits for: "slack", "store" or "aws"."""
    if isinstance(problem, SlackUnavailable):
        return "slack"
    return "store" if isinstance(problem, StoreUnavailable) else "aws"


def deny(services: Services, member: Member, request_id: str, reason: str) -> KeyRequest:
    """Deny a request. One approver is enough, however many have approved.

    The requester and the audit trail get the reason. Raises as `approve`, BadCommand or
    LooksLikeSecret.
    """
    reason = check_reason(reason, "deny")
    check_may_decide(services, member, request_id)
    return services.transition(
        request_id,
        Event.DENY,
        member.id,
        reason=reason,
        denial_reason=reason,
        decided_by=member.id,
        decided_at=services.clock.now(),
        deadline=None,
    )


def check_may_deny(services: Services, member: Member, request_id: str) -> KeyRequest:
    """Return the request if the member could deny it now, before they type a reason.

    Raises as `deny`.
    """
    check_may_decide(services, member, request_id)
    request = services.get_request(request_id)
    request.transition(Event.DENY, member.id, services.clock.now())
    return request


def withdraw_approval(services: Services, member: Member, request_id: str) -> KeyRequest:
    """Withdraw the member's own approval while more are needed.

    Raises RequestNotFound, NotAllowed or WrongState.
    """
    request = services.store.request(request_id)
    # a member without an approval learns of the request only what an approver may
    if request is None or member.id not in request.approvers:
        names = identify.iam_user_names(services, member)
        policy.check_may_decide(member, names, services.directory.approvers(), request)
    services.expire_if_overdue(request_id)

    def attempt() -> KeyRequest:
        request = services.get_request(request_id)
        others = tuple(approval for approval in request.approvals if approval.by != member.id)
        try:
            withdrawn = request.transition(
                Event.WITHDRAW_APPROVAL, member.id, services.clock.now(), approvals=others
            )
        except WrongState as late:
            if request.status is Status.APPROVED:
                raise request.wrong_state(Code.WITHDRAW_TOO_LATE) from late
            raise
        if others == request.approvals:
            raise NotAllowed(Code.NOT_APPROVED_BY_YOU)
        return services.commit_transition(
            request, load_permissions.without_extra_approval(withdrawn)
        )

    return retry_on_conflict(
        attempt, lambda: contended(services, request_id), tries=MAX_APPROVAL_CONFLICTS
    )


def revoke(services: Services, member: Member, request_id: str) -> KeyRequest:
    """Undo the approval before a key is created or turned on. Any approver may.

    Raises as `deny`. Once it is too late, WrongState says what to do about the key.
    """
    check_may_decide(services, member, request_id)
    try:
        return services.transition(request_id, Event.REVOKE, member.id, deadline=None)
    except WrongState as late:
        request = services.get_request(request_id)
        if request.status is Status.DELETING and request.reveals_left:
            raise request.wrong_state(Code.REVOKE_AFTER_DELETION) from late
        issued = request.delivers_secret and request.status in TOO_LATE_TO_REVOKE
        if request.apply_started or issued:
            raise request.wrong_state(Code.REVOKE_TOO_LATE) from late
        raise


def check_may_decide(services: Services, member: Member, request_id: str) -> frozenset[str]:
    """Check that the member may decide, by the configuration of this moment.

    Return all who may approve now. Raises NotAllowed, RequestNotFound or Unavailable.
    """
    request = services.store.request(request_id)
    allowed = approvers.read_approvers(services)
    policy.check_may_decide(member, identify.iam_user_names(services, member), allowed, request)
    services.expire_if_overdue(request_id)
    return allowed


def _add_approval(
    services: Services, member: Member, request_id: str, approvers: frozenset[str]
) -> KeyRequest:
    """Add the approval to those that count, and again if another commit came first."""

    def attempt() -> KeyRequest:
        request = services.get_request(request_id)
        now = services.clock.now()
        if request.status is Status.PENDING:
            policy.check_not_approved_yet(member, request)
        approved = _with_approval(services, member, request, approvers, now)
        before = request.dropped_approvers
        dropped = [one for one in approved.dropped_approvers if one not in before]
        return services.commit_transition(
            request,
            approved,
            detail=Detail(Code.APPROVALS_DROPPED, {"users": " ".join(dropped)})
            if dropped
            else None,
        )

    return retry_on_conflict(
        attempt, lambda: contended(services, request_id), tries=MAX_APPROVAL_CONFLICTS
    )


def _with_approval(
    services: Services,
    member: Member,
    request: KeyRequest,
    approvers: frozenset[str],
    now: datetime,
) -> KeyRequest:
    """Return the request with one more approval.

    The one that would complete them has the others checked again, and drops those that don't count.
    """
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
        done = request.reviewer == member.id  # an approval ends the approver's claim
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
    """Return whose approvals still count, with their IAM user names.

    An approver that shares an IAM user with an earlier one does not count. `fresh` reads all of
    them from Slack again. Raises Unavailable where it does not respond.
    """
    standing: dict[str, frozenset[str]] = {}
    for one in request.approvers:
        try:
            member = services.directory.member(one, fresh=fresh)
            policy.check_member(member, services.team_id)
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


def contended(services: Services, request_id: str) -> WrongState:
    """Return the error for a request that others kept changing at the same time."""
    return services.get_request(request_id).wrong_state(Code.REQUEST_CONTENDED)
