"""Time passes: what becomes of a request or key whose moment has come. The sweeper calls `tick`; anyone may, twice."""

from __future__ import annotations

from bot.domain import policy
from bot.domain.errors import AccessKeyNotFound, IamDenied
from bot.domain.keys import (
    DesiredState,
    InactiveReason,
    ManagedKey,
    ObservedState,
)
from bot.domain.ports import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import (
    apply_request,
    expire_keys,
    finish_rotation,
    load_permissions,
    reconcile,
    recover_delivery,
    remind_approvers,
    reveal_key,
)
from bot.operations.services import KEYDESK, Services


def run(services: Services, name: str) -> None:
    """Does what is due for `name` (`request:…` or `key:…`), if anything is.

    Raises Conflict when somebody was faster, else what IAM or the store raise; the sweeper tries again later.
    """
    kind, _, id_ = name.partition(":")
    now = services.clock.now()
    if kind == "key":
        key = services.store.key(id_)
        if key and key.next_run:
            _run_key(services, key)
        return
    request = services.store.request(id_)
    if request is None or request.next_run is None:
        return
    if request.next_run > now:
        services.store.reschedule(name, request.next_run)  # it was put off, and has moved since
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
            reveal_key.finish_deletion(services, request)
        case Status.DELIVERED:
            _ask_for_receipt(services, request)
        case Status.UNCLAIMED:
            _expire_unclaimed(services, request)


def _run_key(services: Services, key: ManagedKey) -> None:
    now = services.clock.now()
    if key.check_at and key.check_at <= now:
        reconcile.reconcile(services, key)
        recover_delivery.delete_if_gone(services, key.id)
        expire_keys.record_if_deleted(services, key.id)
    elif key.next_run and key.next_run <= now:
        expire_keys.run(services, key)
    elif key.next_run:
        services.store.reschedule(key.name, key.next_run)  # it was put off, and has changed since


def _ask_for_receipt(services: Services, request: KeyRequest) -> None:
    """At half time a reminder, recorded before it is sent; at the end the key's own use decides."""
    now = services.clock.now()
    ends = (request.delivered_at or now) + services.settings.receipt_ttl
    if _used(services, request):
        key = services.store.key(request.access_key_id)
        grace = finish_rotation.start_grace_period(services, key, request) if key else {}
        services.commit_transition(
            request,
            request.transition(Event.CONFIRM, KEYDESK, now, deadline=None),
            *([Change(key, key.updated(**grace))] if key and grace else []),
            reason="the key has been used",
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
            InactiveReason.UNCLAIMED,
            unclaimed_at=now,
            deadline=now + services.settings.delete_after,
        )


def _expire_unclaimed(services: Services, request: KeyRequest) -> None:
    """An unclaimed key is deleted once `delete_after` is over; one that somebody turned on in AWS and uses is not."""
    key = services.store.key(request.access_key_id)
    if (
        key
        and not key.must_stay_off
        and _used(services, request)
        and reconcile.observe(services, key) is ObservedState.ACTIVE
    ):
        now = services.clock.now()
        wants = key.set_desired(
            DesiredState.ACTIVE,
            KEYDESK,
            now,
            check_at=services.retry_at(),
            **finish_rotation.start_grace_period(services, key, request),
        )
        services.commit_transition(
            request,
            request.transition(Event.CONFIRM, KEYDESK, now, deadline=None),
            Change(key, wants),
        )
        reconcile.apply(services, wants)
    else:
        _end_with_key(
            services,
            request,
            Event.EXPIRE,
            DesiredState.DELETED,
            InactiveReason.UNCLAIMED,
            deadline=None,
        )


def _end_with_key(
    services: Services,
    request: KeyRequest,
    action: Event,
    desired: DesiredState,
    why: InactiveReason,
    **changes: object,
) -> None:
    """Moves the request and what is wanted of its key in one step, then carries it out.

    A key that is off because an approver, its end or a report has it so is left as it is, with the reason.
    """
    now = services.clock.now()
    key = services.store.key(request.access_key_id)
    over = (
        key is None
        or key.desired is DesiredState.DELETED
        or (
            desired is DesiredState.INACTIVE
            and key.desired is desired
            and policy.needs_approver_to_enable(key, now)
        )
    )
    ended = (
        None
        if key is None or over
        else key.set_desired(
            desired, KEYDESK, now, check_at=services.retry_at(), inactive_reason=why
        )
    )
    services.commit_transition(
        request,
        request.transition(action, KEYDESK, now, **changes),
        *([Change(key, ended)] if ended else []),
    )
    if ended:
        reconcile.apply(services, ended)


def _used(services: Services, request: KeyRequest) -> bool:
    """Has the key been used? One that IAM no longer shows has not been, as far as anybody can tell.

    IAM answers the question about a deleted key with AccessDenied, too; only what else IAM shows tells the two apart.
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
