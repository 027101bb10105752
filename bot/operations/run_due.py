"""Run what is due for a request or a key.

The scheduler calls it. It is safe to run twice.
"""

from __future__ import annotations

from datetime import datetime

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.keys import DesiredState, InactiveReason, ManagedKey, ObservedState
from bot.domain.outside_errors import AccessKeyNotFound, IamDenied
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import (
    apply_request,
    delete_undelivered,
    expire_keys,
    finish_rotation,
    load_permissions,
    reconcile,
    recover_delivery,
    remind_approvers,
)
from bot.operations.services import KEYDESK, Services


def run(services: Services, name: str) -> None:
    """Run what is due for `name` (`request:…` or `key:…`), if anything is.

    Raises Conflict where another process was faster, and what IAM and the store raise. The
    scheduler tries again later.
    """
    kind, _, id_ = name.partition(":")
    now = services.clock.now()
    if kind == "key":
        key = services.store.key(id_)
        if key and key.next_run:
            _run_key(services, key, key.next_run)
        return
    request = services.store.request(id_)
    if request is None or request.next_run is None:
        return
    if request.next_run > now:
        services.store.reschedule(name, request.next_run)  # It changed after it was rescheduled.
        return
    match request.status:
        case Status.APPROVED if not request.delivers_secret:
            apply_request.apply(services, request)
        case Status.PENDING if remind_approvers.is_due(request, now):
            remind_approvers.run(services, request)
        case Status.PENDING if load_permissions.is_due(request, now):
            load_permissions.run_overdue(services, request)
        case Status.PENDING | Status.APPROVED:
            services.commit_transition(
                request, request.transition(Event.EXPIRE, KEYDESK, now, deadline=None)
            )
        case Status.ISSUING:
            recover_delivery.recover(services, request)
        case Status.DELETING:
            delete_undelivered.finish_deletion(services, request)
        case Status.DELIVERED:
            _ask_for_receipt(services, request)
        case Status.UNCLAIMED:
            _expire_unclaimed(services, request)


def _run_key(services: Services, key: ManagedKey, next_run: datetime) -> None:
    """Run what is due for a key whose next run is at `next_run` (UTC)."""
    now = services.clock.now()
    if key.check_at and key.check_at <= now:
        reconcile.reconcile(services, key)
        recover_delivery.delete_if_gone(services, key.id)
        expire_keys.record_if_deleted(services, key.id)
    elif next_run <= now:
        expire_keys.run(services, key)
    else:
        services.store.reschedule(key.name, next_run)  # It changed after it was rescheduled.


def _ask_for_receipt(services: Services, request: KeyRequest) -> None:
    """Remind the requester at half time, and disable the key at the end.

    The time is that for a receipt.
    A key that has been used has arrived. The reminder is recorded before it is sent.
    """
    now = services.clock.now()
    ends = (request.delivered_at or now) + services.settings.receipt_ttl
    if _is_used(services, request):
        key = services.store.key(request.access_key_id)
        grace = finish_rotation.start_grace_period(services, key, request) if key else {}
        services.commit_transition(
            request,
            request.transition(Event.CONFIRM, KEYDESK, now, deadline=None),
            *([Change(key, key.updated(**grace))] if key and grace else []),
            detail=Detail(Code.KEY_USED),
        )
    elif now < ends:
        services.commit_transition(
            request, request.transition(Event.REMIND, KEYDESK, now, reminded_at=now, deadline=ends)
        )
    else:
        _end_with_key(
            services,
            request,
            Event.UNCLAIM,
            DesiredState.INACTIVE,
            unclaimed_at=now,
            deadline=now + services.settings.delete_after,
        )


def _expire_unclaimed(services: Services, request: KeyRequest) -> None:
    """Delete an unclaimed key after `delete_after`.

    A key that is active in AWS and in use is kept instead: it was enabled in the console.
    """
    key = services.store.key(request.access_key_id)
    if (
        key
        and not key.must_stay_off
        and _is_used(services, request)
        and reconcile.observe(services, key) is ObservedState.ACTIVE
    ):
        now = services.clock.now()
        active = key.set_desired(
            DesiredState.ACTIVE,
            KEYDESK,
            now,
            check_at=services.retry_at(),
            **finish_rotation.start_grace_period(services, key, request),
        )
        services.commit_transition(
            request,
            request.transition(Event.CONFIRM, KEYDESK, now, deadline=None),
            Change(key, active),
        )
        reconcile.apply(services, active)
    else:
        _end_with_key(services, request, Event.EXPIRE, DesiredState.DELETED, deadline=None)


def _end_with_key(
    services: Services,
    request: KeyRequest,
    event: Event,
    desired: DesiredState,
    **changes: object,
) -> None:
    """Move the request and its unclaimed key in one step, then apply that in IAM.

    A key that is off for an approver's, an expiry's or a report's sake stays off for that reason.
    """
    now = services.clock.now()
    key = services.store.key(request.access_key_id)
    ended = None
    if key and not _stays_as_it_is(key, desired, now):
        ended = key.set_desired(
            desired,
            KEYDESK,
            now,
            check_at=services.retry_at(),
            inactive_reason=InactiveReason.UNCLAIMED,
        )
    services.commit_transition(
        request,
        request.transition(event, KEYDESK, now, **changes),
        *([Change(key, ended)] if ended else []),
    )
    if ended:
        reconcile.apply(services, ended)


def _stays_as_it_is(key: ManagedKey, desired: DesiredState, now: datetime) -> bool:
    """Return True if the key is being deleted, or is off for a stronger reason."""
    if key.desired is DesiredState.DELETED:
        return True
    return (
        desired is DesiredState.INACTIVE
        and key.desired is desired
        and policy.needs_approver_to_enable(key, now)
    )


def _is_used(services: Services, request: KeyRequest) -> bool:
    """Return True if the request's key has been used.

    A key that IAM does not show has not.

    AWS answers GetAccessKeyLastUsed with AccessDenied for a deleted key too. Only what else IAM
    shows tells a deleted key from a missing permission. Raises IamDenied for the latter.
    """
    try:
        return services.issuer.last_used(request.access_key_id).at is not None
    except AccessKeyNotFound:
        return False
    except IamDenied:
        key = services.store.key(request.access_key_id)
        if key and reconcile.observe(services, key) is not ObservedState.DELETED:
            raise
        return False
