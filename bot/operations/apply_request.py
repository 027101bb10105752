"""Apply an approved change of a key: turn it on again, or give it more time."""

from __future__ import annotations

from dataclasses import replace

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.errors import ChangePending, IdentityChanged, NotAllowed, NotYourKey, Refused
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey, DesiredState, ManagedKey, ObservedState
from bot.domain.outside_errors import AccessKeyNotFound, IamDenied, IamThrottled
from bot.domain.rate_limits import LimitedAction
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import disable_key, finish_rotation, identify, reconcile
from bot.operations.services import KEYDESK, Services, retry_on_conflict


def enable_without_approval(
    services: Services, member: Member, user: IamUser, key: AccessKey, reason: str
) -> None:
    """Turn the member's own key on without approval, where the rules allow that.

    Raises NotAllowed, RateLimited or ChangePending.
    """

    def attempt() -> ManagedKey:
        record = services.store.key(key.id)
        policy.check_may_enable(key, record)
        now = services.clock.now()
        if policy.needs_approval("enable", record, services.settings.approval_free, now):
            raise NotAllowed(Code.ENABLE_NEEDS_APPROVAL, key_id=key.id)
        base = record or disable_key.adopted_key(user.account, key, member.id)
        desired = base.set_desired(
            DesiredState.ACTIVE, member.id, now, check_at=services.retry_at(), notices=()
        )
        desired, confirmed = _confirm_unclaimed(services, desired)
        services.commit(
            Change(record, desired),
            *confirmed,
            entry=services.key_entry(desired, record, "enable", member.id, reason=reason),
            usage=services.usage(LimitedAction.REQUEST, member.id, now),
        )
        return desired

    desired = retry_on_conflict(attempt, lambda: disable_key.concurrent_change(key.id))
    reconcile.apply_or_raise(services, desired)


def apply(services: Services, request: KeyRequest) -> KeyRequest:
    """Apply an approved request that ends without a secret. Idempotent.

    The requester is looked up again, as at a reveal. Nothing is done for one who has left or has
    another IAM user by now. The scheduler tries again after an error.

    Returns:
        The request, `confirmed`, or `expired` with a detail where it is not possible any more.

    Raises:
        Conflict, IamRefused, Unavailable, OutcomeUnknown, ChangePending: It is not applied yet.
    """
    if request.apply_started:
        return _enable(services, request)
    now = services.clock.now()
    try:
        record, desired = _desired_key(services, request)
        desired, confirmed = _confirm_unclaimed(services, desired)
    except (IamDenied, IamThrottled):
        raise  # that may pass, and says nothing about the key
    except IdentityChanged as refusal:
        detail = Detail(Code.REQUESTER_CHANGED, refusal.detail().facts)
        return _close_not_possible(services, request, detail)
    except Refused as refusal:
        return _close_not_possible(services, request, refusal.detail())
    if request.verb == "extend":
        done = request.transition(Event.APPLY, KEYDESK, now, deadline=None, detail=None)
        return services.commit_transition(request, done, Change(record, desired), *confirmed)
    started = request.transition(Event.START_APPLY, KEYDESK, now, deadline=services.retry_at())
    return _enable(
        services, services.commit_transition(request, started, Change(record, desired), *confirmed)
    )


def _desired_key(services: Services, request: KeyRequest) -> tuple[ManagedKey | None, ManagedKey]:
    """Return the target's record as it is and as the request wants it. Raises Refused."""
    requester = services.directory.member(request.requester, fresh=True)
    policy.check_member(requester, services.team_id)
    service_user = request.iam_user if request.is_service_user else ""
    user = identify.identify(services, requester, service_user)
    policy.check_same_identity(user, request)
    keys = services.issuer.keys(user.name)
    key = next((key for key in keys if key.id == request.target), None)
    if key is None:
        raise NotYourKey(Code.KEY_NOT_LISTED, key_id=request.target)
    record = services.store.key(key.id)
    return record, _changed_key(services, request, user, key, record)


def _enable(services: Services, request: KeyRequest) -> KeyRequest:
    """Turn the key on in IAM and confirm the request, unless the key has ended."""
    key = services.store.key(request.target)
    if key and key.desired is DesiredState.ACTIVE and not _is_still_active(services, key):
        try:
            if not reconcile.apply(services, key):
                raise ChangePending(Code.ENABLE_PENDING, key_id=key.id)
        except AccessKeyNotFound:
            return _close_not_possible(
                services, request, _target_detail(Code.KEY_NOT_LISTED, request)
            )
        key = services.store.key(request.target)  # it may have been ended meanwhile
    if key is None or key.desired is not DesiredState.ACTIVE:
        ended = _target_detail(Code.KEY_ENDED_BEFORE_APPLIED, request)
        return _close_not_possible(services, request, ended)
    now = services.clock.now()
    done = request.transition(Event.APPLY, KEYDESK, now, deadline=None, detail=None)
    return services.commit_transition(request, done)


def _target_detail(code: Code, request: KeyRequest) -> Detail:
    return Detail(code, {"key_id": request.target})


def _is_still_active(services: Services, key: ManagedKey) -> bool:
    """Return True if IAM turned the key on in an earlier try, and it is still on."""
    return (
        key.observed is ObservedState.ACTIVE
        and reconcile.observe(services, key) is ObservedState.ACTIVE
    )


def _close_not_possible(services: Services, request: KeyRequest, detail: Detail) -> KeyRequest:
    now = services.clock.now()
    closed = request.transition(Event.EXPIRE, KEYDESK, now, deadline=None, detail=detail)
    return services.commit_transition(request, closed, detail=detail)


def _changed_key(
    services: Services,
    request: KeyRequest,
    user: IamUser,
    key: AccessKey,
    record: ManagedKey | None,
) -> ManagedKey:
    """Return the target's new record. Raises NotAllowed or KeyIsLeaked."""
    base = record or disable_key.adopted_key(user.account, key, request.requester)
    # another owner of a service user's key keeps it, and is notified where they are now
    if base.owner in ("", request.requester):
        base = replace(
            base, owner=request.requester, dm=request.dm, is_service_user=request.is_service_user
        )
    if request.verb == "extend":
        ends = policy.extended_expiry(base, services.settings.key_ttl_max)
        if not key.active or base.desired is not DesiredState.ACTIVE:
            raise NotAllowed(Code.KEY_INACTIVE_BEFORE_APPLIED, key_id=key.id)
        return base.updated(expires_at=ends, notices=())
    policy.check_may_enable(key, record)
    if (
        record
        and policy.disabled_by_approver(record)
        and record.changed_at != request.target_changed_at
    ):
        # Compared for equality: the two times may be of clocks that differ.
        raise NotAllowed(Code.DISABLED_AFTER_APPROVAL, key_id=key.id, by=record.changed_by)
    return base.set_desired(
        DesiredState.ACTIVE,
        request.decided_by,
        services.clock.now(),
        check_at=services.retry_at(),
        notices=(),
        expires_at=disable_key.expiry_after_enable(services, base),
    )


def _confirm_unclaimed(
    services: Services, key: ManagedKey
) -> tuple[ManagedKey, tuple[Change, ...]]:
    """Return the key, and the changes that confirm the receipt of an unclaimed one.

    A requester who wants an unclaimed key turned on has its secret. Without that receipt the key
    would be deleted. The same goes for a key that an approver turned off before its receipt.
    """
    issued_by = services.store.request(key.request_id) if key.request_id else None
    if (
        key.desired is not DesiredState.ACTIVE
        or issued_by is None
        or issued_by.access_key_id != key.id
        or not (
            issued_by.status is Status.UNCLAIMED
            or (issued_by.status is Status.DELIVERED and issued_by.stopped_by)
        )
    ):
        return key, ()
    confirmed = issued_by.transition(
        Event.CONFIRM, KEYDESK, services.clock.now(), deadline=None, detail=None
    )
    return replace(key, **finish_rotation.start_grace_period(services, key, issued_by)), (
        Change(issued_by, confirmed),
    )
