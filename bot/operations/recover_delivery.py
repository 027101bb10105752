"""Recovery: what becomes of a hand-over whose process died or whose answer from AWS was lost?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain import policy
from bot.domain.errors import (
    AccessKeyNotFound,
    IamDenied,
    IamUserNotFound,
    utc_text,
)
from bot.domain.keys import (
    CONSISTENCY_DELAY,
    AccessKey,
    DesiredState,
    ManagedKey,
    ObservedState,
    Origin,
)
from bot.domain.ports import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import reconcile
from bot.operations.reveal_key import delete_key, managed_key
from bot.operations.services import KEYDESK, Services

CLOCK_TOLERANCE = timedelta(minutes=5)
"""By so much IAM's dates may lie before ours."""


def recover(services: Services, request: KeyRequest) -> None:
    """The lease of an `issuing` request is over: by anyone, any number of times.

    With a key ID on record the person is asked, and IAM is not, before its word counts: a process that could not
    reach the store may have deleted the key that it could not show. Without one, nothing moves until `look_after`
    later: no call and no paused process is assumed to outlive that. Raises Conflict when somebody was faster.
    """
    now = services.clock.now()
    if request.lease is None or now < request.lease.ends:
        return
    if request.access_key_id:
        services.commit_transition(
            request,
            request.transition(
                Event.RECOVER,
                KEYDESK,
                now,
                delivered_at=now,
                reminded_at=None,
                deadline=now + services.settings.receipt_ttl / 2,
            ),
            *_schedule_check(services, request),
            reason="the lease ran out with a key on record",
        )
    elif now < request.lease.ends + services.settings.look_after:
        services.store.reschedule(request.name, request.lease.ends + services.settings.look_after)
    else:
        _check_for_orphans(services, request)


def _schedule_check(services: Services, request: KeyRequest) -> list[Change]:
    """The key on record is put down to be read in IAM once it is old enough for its absence to prove something."""
    key = services.store.key(request.access_key_id)
    if key is None or key.check_at is not None:
        return []
    return [
        Change(
            key, key.updated(check_at=max(services.clock.now(), key.created_at + CONSISTENCY_DELAY))
        )
    ]


def delete_if_gone(services: Services, key_id: str) -> None:
    """A key that is gone from IAM before anybody said that they have it: another may be revealed. Raises Conflict."""
    key = services.store.key(key_id)
    request = services.store.request(key.request_id) if key and key.request_id else None
    if (
        key is None
        or request is None
        or (key.observed, key.desired) != (ObservedState.DELETED, DesiredState.ACTIVE)
    ):
        return
    if request.status is Status.DELIVERED and request.access_key_id == key_id:
        delete_key(services, request, Event.KEY_GONE, KEYDESK, "IAM does not know the key any more")


def _check_for_orphans(services: Services, request: KeyRequest) -> None:
    """A lease ended long ago without a key ID: did IAM make a key all the same? Found ones are made inactive.

    They are never deleted by themselves: somebody may have made one in the console that minute.
    """
    now = services.clock.now()
    keys = list_keys(services, request)
    began = request.lease.iam_started_at - CLOCK_TOLERANCE if request.lease else now
    changes = [
        orphan_change(services, request, key)
        for key in orphan_candidates(services, request, keys or (), began)
    ]
    found = [change.after for change in changes if isinstance(change.after, ManagedKey)]
    names = ", ".join(key.id for key in found)
    if keys is None:
        note, why = (
            _user_gone_text(services, request),
            f"not looked: AWS shows no IAM user {request.iam_user} any more",
        )
    elif found:
        note = (
            f"The last try ended without an answer from AWS. I found {names}, which was shown to nobody here, and "
            f"am making it inactive; the approvers decide what becomes of it. {reveal_hint(keys)}"
        )
        why = f"found {names}"
    else:
        note = "The last try ended without an answer from AWS, and no key was made. You can reveal one now."
        why = "found nothing"
    moved = request.transition(
        Event.ORPHAN_CHECK,
        KEYDESK,
        now,
        lease=None,
        note=note,
        reveal_round=request.reveal_round + 1,
        deadline=now + services.settings.claim_ttl,
    )
    services.commit_transition(request, moved, *changes, reason=why)
    for key in found:
        reconcile.apply(services, key)


def _user_gone_text(services: Services, request: KeyRequest) -> str:
    """Where the user is not seen: whoever deletes one deletes its keys first, whoever renames or moves one does not.

    IAM is asked for users by name alone ("GetUser", IAM API reference), and the desk may not list all of them: the key,
    if there is one, is for people to find.
    """
    began = f", about {utc_text(request.lease.iam_started_at)}" if request.lease else ""
    under = (
        "" if services.settings.iam_path == "/" else f" under the path {services.settings.iam_path}"
    )
    return (
        f"The last try{began}, ended without an answer from AWS, and AWS shows the desk no IAM user "
        f"{request.iam_user}{under} any more, so nobody could look. If it was renamed"
        f"{' or moved' if under else ''}, it may have an active key whose secret nobody has: ask whoever looks "
        "after AWS to look for one made at that time, and to delete it."
    )


def orphan_change(services: Services, request: KeyRequest, key: AccessKey) -> Change:
    """The record of a found key, which is wanted inactive. Somebody may have reported the key meanwhile."""
    record, now = services.store.key(key.id), services.clock.now()
    found = managed_key(request, key, Origin.ORPHANED, DesiredState.INACTIVE, ObservedState.UNKNOWN)
    if record is not None:
        found = replace(
            record,
            origin=Origin.ORPHANED,
            request_id=request.id,
            owner=request.requester,
            dm=request.dm,
            is_service_user=request.is_service_user,
            urgent=request.urgent,
            expires_at=found.expires_at,
        )
    return Change(
        record, found.set_desired(DesiredState.INACTIVE, KEYDESK, now, check_at=services.retry_at())
    )


def reveal_hint(keys: Sequence[AccessKey]) -> str:
    """What the person can do about a found key: one that takes the last slot at AWS must go first."""
    if len(keys) < policy.KEYS_PER_USER:
        return "You can reveal a new key."
    return "It takes the last of your two slots at AWS: reveal a new key once they have deleted it."


def list_keys(services: Services, request: KeyRequest) -> Sequence[AccessKey] | None:
    """The keys that IAM lists for a request's user; None where AWS shows the desk no such user, so nobody could look.

    Raises what IAM raises, IamDenied also where it may only be a permission that is missing.
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
    """Keys that a call which nobody remembers may have made: new `since` then, issued by nobody here, never used."""
    return [
        key
        for key in keys
        if key.id not in request.known_key_ids
        and key.created_at >= since
        and _is_unclaimed_record(services.store.key(key.id))
        and not _used(services, key)
    ]


def _is_unclaimed_record(record: ManagedKey | None) -> bool:
    """Is a key on no record, or only on one by which it was reported? Nobody has decided about such a key."""
    return record is None or (
        record.origin is Origin.ADOPTED and record.desired is DesiredState.ACTIVE
    )


def _used(services: Services, key: AccessKey) -> bool:
    """Has a listed key been used? One that IAM lists and does not know yet is too new to have been."""
    try:
        return services.issuer.last_used(key.id).at is not None
    except AccessKeyNotFound:
        return False
