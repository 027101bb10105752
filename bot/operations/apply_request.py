"""Changing a key that exists, with approval: turning it on again, and giving it more time."""

from __future__ import annotations

from dataclasses import replace

from bot.domain import policy
from bot.domain.errors import (
    AccessKeyNotFound,
    ChangePending,
    Conflict,
    IamDenied,
    IamThrottled,
    IdentityChanged,
    NotAllowed,
    NotYourKey,
    Refused,
)
from bot.domain.identity import IamUser, Member
from bot.domain.keys import (
    AccessKey,
    DesiredState,
    ManagedKey,
    ObservedState,
)
from bot.domain.ports import Change
from bot.domain.rate_limits import LimitedAction
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import disable_key, finish_rotation, identify, reconcile
from bot.operations.services import KEYDESK, MAX_CONFLICTS, Services


def enable_without_approval(
    services: Services, member: Member, user: IamUser, key: AccessKey, reason: str
) -> None:
    """Turns a person's own key on without approval, where the rules allow that. Raises RateLimited, ChangePending."""
    for _ in range(MAX_CONFLICTS):
        record = services.store.key(key.id)
        policy.check_may_enable(key, record)
        if policy.needs_approval(
            "enable", record, services.settings.approval_free, services.clock.now()
        ):
            raise NotAllowed(
                f"{key.id} was ended, or reported, at that very moment, so I have done nothing. "
                f"`/key enable {key.id} <reason>` asks the approvers for it."
            )
        base = record or disable_key.adopted_key(user.account, key, member.id)
        wants = base.set_desired(
            DesiredState.ACTIVE,
            member.id,
            services.clock.now(),
            check_at=services.retry_at(),
            notices=(),
        )
        wants, claimed = _confirm_unclaimed(services, wants)
        try:
            services.commit(
                Change(record, wants),
                *claimed,
                entry=services.key_entry(wants, record, "enable", member.id, reason=reason),
                count=services.usage(LimitedAction.REQUEST, member.id, services.clock.now()),
            )
        except Conflict:
            continue
        reconcile.apply_or_raise(services, wants)
        return
    raise disable_key.concurrent_change(key.id)


def apply(services: Services, request: KeyRequest) -> KeyRequest:
    """Carries out an approved request that ends without a secret; by anyone, any number of times.

    Who asked is asked anew, as at a reveal: somebody who has left, or has another IAM user by now, gets nothing done.
    Returns it `confirmed`, or `expired` with the reason in its note where it cannot be done any more. Raises Conflict
    when somebody was faster, IamRefused, Unavailable, OutcomeUnknown or ChangePending: it is tried again.
    """
    if request.apply_started:
        return _enable(services, request)
    now = services.clock.now()
    try:
        asker = services.directory.member(request.requester, fresh=True)
        policy.check_member(asker, services.settings.team_id)
        user = identify.identify(
            services, asker, request.iam_user if request.is_service_user else ""
        )
        policy.check_same_identity(user, request)
        key = next(
            (key for key in services.issuer.keys(user.name) if key.id == request.target), None
        )
        if key is None:
            raise NotYourKey
        record = services.store.key(key.id)
        wants = _changed_key(services, request, user, key, record)
        wants, claimed = _confirm_unclaimed(services, wants)
    except (IamDenied, IamThrottled):
        raise  # that may pass, and says nothing about the key
    except Refused as refusal:
        why = refusal.sentence or refusal.code.value
        if isinstance(refusal, IdentityChanged):
            why = f"{refusal.what} since this was asked for, so nothing was done. Ask again if it is still needed."
        return _close_not_possible(services, request, why)
    if request.verb == "extend":
        done = request.transition(Event.APPLY, KEYDESK, now, deadline=None, note="")
        return services.commit_transition(request, done, Change(record, wants), *claimed)
    begun = request.transition(Event.START_APPLY, KEYDESK, now, deadline=services.retry_at())
    return _enable(
        services, services.commit_transition(request, begun, Change(record, wants), *claimed)
    )


def _enable(services: Services, request: KeyRequest) -> KeyRequest:
    """Has IAM do what is stored, then says that it is done; not where somebody ended the key meanwhile."""
    key = services.store.key(request.target)
    if key and key.desired is DesiredState.ACTIVE and not _is_still_active(services, key):
        try:
            if not reconcile.apply(services, key):
                raise ChangePending(f"{key.id} is so new that AWS does not know it everywhere yet.")
        except AccessKeyNotFound:
            return _close_not_possible(
                services, request, f"AWS does not know {request.target} any more."
            )
        key = services.store.key(request.target)  # it may have been ended while IAM was asked
    if key is None or key.desired is not DesiredState.ACTIVE:
        return _close_not_possible(
            services,
            request,
            f"{request.target} was turned off or deleted meanwhile, so it stays so.",
        )
    done = request.transition(Event.APPLY, KEYDESK, services.clock.now(), deadline=None, note="")
    return services.commit_transition(request, done)


def _is_still_active(services: Services, key: ManagedKey) -> bool:
    """Has IAM turned the key on before, though nobody could be told, and is it on still?"""
    return (
        key.observed is ObservedState.ACTIVE
        and reconcile.observe(services, key) is ObservedState.ACTIVE
    )


def _close_not_possible(services: Services, request: KeyRequest, why: str) -> KeyRequest:
    ended = request.transition(Event.EXPIRE, KEYDESK, services.clock.now(), deadline=None, note=why)
    return services.commit_transition(request, ended, reason=why)


def _changed_key(
    services: Services,
    request: KeyRequest,
    user: IamUser,
    key: AccessKey,
    record: ManagedKey | None,
) -> ManagedKey:
    base = record or disable_key.adopted_key(user.account, key, request.requester)
    if base.owner in (
        "",
        request.requester,
    ):  # a service user's other owner is told where they are told already
        base = replace(
            base, owner=request.requester, dm=request.dm, is_service_user=request.is_service_user
        )
    if request.verb == "extend":
        ends = policy.extended_expiry(base, services.settings.key_ttl_max)
        if not key.active or base.desired is not DesiredState.ACTIVE:
            raise NotAllowed(
                f"{key.id} is inactive by now. `/key enable {key.id} <reason>` asks for it back."
            )
        return base.updated(expires_at=ends, notices=())
    policy.check_may_enable(key, record)
    if (
        record
        and policy.disabled_by_approver(record)
        and record.changed_at != request.target_changed_at
    ):
        # Not by which is later: the two may be the times of clocks that differ.
        raise NotAllowed(
            f"<@{record.changed_by}> turned {key.id} off after this was approved, so it stays off. "
            f"`/key enable {key.id} <reason>` asks again."
        )
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
    """Whoever asks for an unclaimed key back has it: that is its receipt, else it would be deleted all the same.

    So does whoever asks for one back that an approver turned off before its receipt.
    """
    made_by = services.store.request(key.request_id) if key.request_id else None
    if (
        key.desired is not DesiredState.ACTIVE
        or made_by is None
        or made_by.access_key_id != key.id
        or not (
            made_by.status is Status.UNCLAIMED
            or (made_by.status is Status.DELIVERED and made_by.stopped_by)
        )
    ):
        return key, ()
    confirmed = made_by.transition(
        Event.CONFIRM, KEYDESK, services.clock.now(), deadline=None, note=""
    )
    return replace(key, **finish_rotation.start_grace_period(services, key, made_by)), (
        Change(made_by, confirmed),
    )
