"""Remind of expiry, expire and delete keys, record changes made in the console."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

from bot.domain.codes import Code, Detail
from bot.domain.keys import (
    DELETION_NOTICE,
    DELETION_NOTICE_BEFORE,
    DesiredState,
    InactiveReason,
    ManagedKey,
    ObservedState,
)
from bot.domain.outside_errors import Conflict
from bot.domain.records import Change
from bot.operations import finish_rotation, reconcile
from bot.operations.services import KEYDESK, Services


def run(services: Services, key: ManagedKey) -> None:
    """Do what is due for a key. Raises what IAM raises.

    A change by someone else at the same time wins. The next run then sees it.
    """
    with suppress(Conflict):
        _run_first_due(services, key)


def _run_first_due(services: Services, key: ManagedKey) -> None:
    """Do the first thing that is due.

    What IAM shows comes first, then deletion, expiry and notices.
    """
    now = services.clock.now()
    observed = reconcile.observe(services, key)
    reminders = tuple(name for name, at in key.expiry_notices() if at <= now)
    turned_off = observed is ObservedState.INACTIVE and key.desired is DesiredState.ACTIVE
    turned_on = observed is ObservedState.ACTIVE and key.desired is DesiredState.INACTIVE
    differs = turned_off or turned_on
    if differs and (key.observed is ObservedState.UNKNOWN or key.must_stay_off):
        reconcile.apply(services, key)  # the change is not done yet, or the key must stay inactive
    elif observed is ObservedState.DELETED or (key.check_at is None and differs):
        # With a check still due, IAM may show the state before Keydesk's own change.
        record_console_change(services, key, observed)
    elif key.desired is DesiredState.INACTIVE and key.delete_at:
        _delete_or_announce(services, key)
    elif key.expires_at and key.expires_at <= now:
        _expire(services, key)
    elif reminders:
        _remind(services, key, reminders)
    elif key.grace_ends_at and key.grace_ends_at <= now:
        finish_rotation.end_grace_period(services, key)


def record_if_deleted(services: Services, key_id: str) -> None:
    """Record that an active key is gone from IAM, so that its owner is told."""
    key = services.store.key(key_id)
    if key and (key.observed, key.desired) == (ObservedState.DELETED, DesiredState.ACTIVE):
        record_console_change(services, key, ObservedState.DELETED)


def record_console_change(services: Services, key: ManagedKey, observed: ObservedState) -> None:
    """Record that a key was changed in AWS, outside Keydesk.

    Its state there is the desired one now.

    Does nothing if the key is changed here at the same time.
    """
    now = services.clock.now()
    changed = key.set_desired(
        DesiredState(observed.value),
        KEYDESK,
        now,
        check_at=now,
        inactive_reason=InactiveReason.CONSOLE,
        replaces="",
        grace_ends_at=None,
    )
    after = replace(changed, observed=observed, check_at=None)
    with suppress(Conflict):
        _commit(services, key, after, "noticed", Detail(Code.IAM_SHOWS, {"state": observed}))


def _delete_or_announce(services: Services, key: ManagedKey) -> None:
    """Delete a key whose deletion was announced.

    Otherwise announce it, and reschedule it if it is late.

    No key is deleted without a notice, even after Keydesk was down for a while.
    """
    now = services.clock.now()
    if DELETION_NOTICE not in key.notices:
        earliest = now + min(DELETION_NOTICE_BEFORE, services.settings.delete_after)
        after = key.updated(
            notices=(*key.notices, DELETION_NOTICE),
            delete_at=max(key.delete_at or now, earliest),
        )
        _commit(services, key, after, "remind")
    elif key.delete_at and key.delete_at <= now:
        deleted = key.set_desired(
            DesiredState.DELETED,
            KEYDESK,
            now,
            check_at=services.retry_at(),
            inactive_reason=key.inactive_reason,
        )
        detail = Detail(Code.DELETION_DUE, {"inactive_reason": key.inactive_reason})
        _commit(services, key, deleted, "delete", detail)
        reconcile.apply(services, deleted)


def expired_key(services: Services, key: ManagedKey, **changes: Any) -> ManagedKey:
    """Return the expired key, not stored yet: inactive, with its deletion scheduled."""
    now = services.clock.now()
    return key.set_desired(
        DesiredState.INACTIVE,
        KEYDESK,
        now,
        check_at=services.retry_at(),
        inactive_reason=InactiveReason.EXPIRED,
        notices=("expired",),
        delete_at=now + services.settings.delete_after,
        **changes,
    )


def _expire(services: Services, key: ManagedKey) -> None:
    """Disable an expired key, even if it is still in use. It is deleted later."""
    expired = expired_key(
        services,
        key,
        snapshot=finish_rotation.snapshot(key, services.issuer.keys(key.iam_user)),
        snapshot_at=services.clock.now(),
    )
    _commit(services, key, expired, "expire")
    reconcile.apply(services, expired)


def _remind(services: Services, key: ManagedKey, reminders: tuple[str, ...]) -> None:
    """Record the newest reminder, which is then rendered.

    Older ones that are due too are skipped.
    """
    after = key.updated(notices=(*key.notices, *reminders))
    _commit(services, key, after, "remind", Detail(Code.EXPIRY_REMINDER, {"notice": reminders[-1]}))


def _commit(
    services: Services,
    before: ManagedKey,
    after: ManagedKey,
    action: str,
    detail: Detail | None = None,
) -> None:
    entry = services.key_entry(after, before, action, KEYDESK, detail=detail)
    services.commit(Change(before, after), entry=entry)
