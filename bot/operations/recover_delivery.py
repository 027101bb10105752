"""Recover a delivery whose process died, or whose answer from AWS was lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.keys import (
    CONSISTENCY_DELAY,
    AccessKey,
    DesiredState,
    ManagedKey,
    ObservedState,
    Origin,
)
from bot.domain.outside_errors import AccessKeyNotFound, IamDenied, IamUserNotFound
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import reconcile
from bot.operations.delete_undelivered import delete_key
from bot.operations.key_record import managed_key
from bot.operations.services import KEYDESK, Services

CLOCK_TOLERANCE = timedelta(minutes=5)
"""How far IAM's times may lie before the times of Keydesk."""


def recover(services: Services, request: KeyRequest) -> None:
    """Recover an `issuing` request whose lease has ended. Safe to run twice.

    With a key on record, the requester is asked whether the key arrived. IAM's answer does not
    count yet: a process without a database may have deleted a key that it could not show.

    Without a key on record, nothing happens until `look_after` later. No call and no paused process
    is assumed to last longer than that. Then the orphan check looks for a key in IAM.

    Raises Conflict where another process was faster, and what IAM and the store raise.
    """
    now = services.clock.now()
    if request.lease is None or now < request.lease.ends:
        return
    if request.access_key_id:
        delivered = request.transition(
            Event.RECOVER,
            KEYDESK,
            now,
            delivered_at=now,
            reminded_at=None,
            deadline=now + services.settings.receipt_ttl / 2,
        )
        services.commit_transition(
            request,
            delivered,
            *_schedule_check(services, request),
            detail=Detail(Code.LEASE_EXPIRED_WITH_KEY),
        )
    elif now < request.lease.ends + services.settings.look_after:
        services.store.reschedule(request.name, request.lease.ends + services.settings.look_after)
    else:
        _check_for_orphans(services, request)


def _schedule_check(services: Services, request: KeyRequest) -> list[Change]:
    """Return the change that schedules a check of the key in IAM.

    It runs once the key's absence proves that it is gone.
    """
    key = services.store.key(request.access_key_id)
    if key is None or key.check_at is not None:
        return []
    check_at = max(services.clock.now(), key.created_at + CONSISTENCY_DELAY)
    return [Change(key, key.updated(check_at=check_at))]


def delete_if_gone(services: Services, key_id: str) -> None:
    """Allow another reveal where a key is gone from IAM before its receipt.

    Raises Conflict.
    """
    key = services.store.key(key_id)
    request = services.store.request(key.request_id) if key and key.request_id else None
    if (
        key is None
        or request is None
        or (key.observed, key.desired) != (ObservedState.DELETED, DesiredState.ACTIVE)
    ):
        return
    if request.status is Status.DELIVERED and request.access_key_id == key_id:
        detail = Detail(Code.KEY_GONE_FROM_IAM, {"key_id": key_id})
        delete_key(services, request, Event.KEY_GONE, KEYDESK, detail)


def _check_for_orphans(services: Services, request: KeyRequest) -> None:
    """Check whether IAM created a key for a lease that ended without a key ID.

    Orphaned keys are disabled, and never deleted automatically: an AWS admin may have created one
    in the console at the same time.
    """
    now = services.clock.now()
    keys = list_keys(services, request)
    since = request.lease.iam_started_at - CLOCK_TOLERANCE if request.lease else now
    changes = [
        orphan_change(services, request, key)
        for key in orphan_candidates(services, request, keys or (), since)
    ]
    orphans = [change.after for change in changes if isinstance(change.after, ManagedKey)]
    if keys is None:
        detail = _impossible(services, request)
    elif orphans:
        detail = orphan_detail(Code.ORPHAN_FOUND, orphans, keys)
    else:
        detail = Detail(Code.NO_ORPHAN_FOUND)
    approved = request.transition(
        Event.ORPHAN_CHECK,
        KEYDESK,
        now,
        lease=None,
        detail=detail,
        reveal_round=request.reveal_round + 1,
        deadline=now + services.settings.claim_ttl,
    )
    services.commit_transition(request, approved, *changes, detail=detail)
    for key in orphans:
        reconcile.apply(services, key)


def _impossible(services: Services, request: KeyRequest) -> Detail:
    """Return the detail for an IAM user that AWS does not show.

    A user's keys must be deleted before the user. A renamed or moved user keeps them. GetUser takes
    only a name ("GetUser", IAM API Reference), and Keydesk may not list all users. So an AWS admin
    must look for the key, if there is one.
    """
    facts = {"iam_user": request.iam_user, "iam_path": services.settings.iam_path}
    if request.lease:
        facts["started_at"] = request.lease.iam_started_at.isoformat()
    return Detail(Code.ORPHAN_CHECK_IMPOSSIBLE, facts)


def orphan_change(services: Services, request: KeyRequest, key: AccessKey) -> Change:
    """Return the change that records an orphaned key, to be disabled.

    The key may have a record already, where it was reported as leaked.
    """
    record, now = services.store.key(key.id), services.clock.now()
    orphan = managed_key(
        request, key, Origin.ORPHANED, DesiredState.INACTIVE, ObservedState.UNKNOWN
    )
    if record is not None:
        orphan = replace(
            record,
            origin=Origin.ORPHANED,
            request_id=request.id,
            owner=request.requester,
            dm=request.dm,
            is_service_user=request.is_service_user,
            urgent=request.urgent,
            expires_at=orphan.expires_at,
        )
    disabled = orphan.set_desired(DesiredState.INACTIVE, KEYDESK, now, check_at=services.retry_at())
    return Change(record, disabled)


def orphan_detail(code: Code, orphans: Sequence[ManagedKey], listed: Sequence[AccessKey]) -> Detail:
    """Return the detail about orphaned keys: their IDs, and the slots left in IAM.

    `listed` are all keys of the IAM user.
    """
    free_slots = max(0, policy.KEYS_PER_USER - len(listed))
    return Detail(
        code,
        {"key_ids": ", ".join(key.id for key in orphans), "free_slots": str(free_slots)},
    )


def list_keys(services: Services, request: KeyRequest) -> Sequence[AccessKey] | None:
    """Return the keys that IAM lists for the request's user.

    Returns None where AWS shows no such user.

    Raises what IAM raises. IamDenied is raised too where only a permission may be missing.
    """
    try:
        return services.issuer.listed(request.iam_user)
    except IamUserNotFound:
        return None
    except IamDenied as denied:
        if not reconcile.is_user_hidden(services, denied, request.iam_user):
            raise
        return None


def orphan_candidates(
    services: Services, request: KeyRequest, keys: Sequence[AccessKey], since: datetime
) -> list[AccessKey]:
    """Return the keys that a lost call may have created.

    They were created at `since` (UTC) or later, Keydesk did not deliver them, and nothing has used
    them.
    """
    return [
        key
        for key in keys
        if key.id not in request.known_key_ids
        and key.created_at >= since
        and _is_undecided(services.store.key(key.id))
        and not _is_used(services, key)
    ]


def _is_undecided(record: ManagedKey | None) -> bool:
    """Return True if a key has no record, or only one that a leak report made."""
    return record is None or (
        record.origin is Origin.ADOPTED and record.desired is DesiredState.ACTIVE
    )


def _is_used(services: Services, key: AccessKey) -> bool:
    """Return True if a listed key has been used.

    A key that IAM lists, but does not know otherwise, is too new to have been used.
    """
    try:
        return services.issuer.last_used(key.id).at is not None
    except AccessKeyNotFound:
        return False
