"""Finish a rotation: the old key's grace period, and the owner's choices in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.errors import KeyIsLeaked, NotYourKey, WrongState
from bot.domain.identity import Member
from bot.domain.keys import AccessKey, DesiredState, InactiveReason, ManagedKey
from bot.domain.outside_errors import IamRefused, IamUnavailable, Unavailable
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.operations import disable_key, identify, key_owner, reconcile
from bot.operations.services import KEYDESK, Services, retry_on_conflict

DAY = timedelta(days=1)

UNUSED_FOR = timedelta(days=2)
"""How long an old key that was used in its grace period must be unused.

A daily job may run late.
"""


def start_grace_period(services: Services, key: ManagedKey, request: KeyRequest) -> dict[str, Any]:
    """Return the fields that start the old key's grace period, or {} without one.

    The caller puts them into the change that the receipt makes to the new key, so that both are one
    step.
    """
    if not key.replaces:
        return {}
    now = services.clock.now()
    try:
        taken, taken_at = snapshot(key, services.issuer.keys(key.iam_user)), now
    except (IamRefused, Unavailable):
        taken, taken_at = (), None  # "Check again" reads it later
    return {
        "delivered_at": request.delivered_at or now,
        "grace_ends_at": now + services.settings.rotation_grace,
        "snapshot": taken,
        "snapshot_at": taken_at,
    }


def snapshot(key: ManagedKey, keys: Sequence[AccessKey]) -> tuple[AccessKey, ...]:
    """Return this key and the one that it replaces, out of what IAM shows."""
    return tuple(one for one in keys if one.id in (key.id, key.replaces))


def check_last_use(services: Services, member: Member, key_id: str) -> ManagedKey:
    """Read again when the old and the new key were last used.

    Raises as `_rotating_key`.
    """

    def attempt() -> ManagedKey:
        key = _rotating_key(services, member, key_id)
        taken = snapshot(key, services.issuer.keys(key.iam_user))
        after = key.updated(snapshot=taken, snapshot_at=services.clock.now())
        return _commit(services, key, after, "check", member.id)

    return retry_on_conflict(attempt, lambda: disable_key.concurrent_change(key_id))


def not_yet(services: Services, member: Member, key_id: str) -> ManagedKey:
    """Restart the grace period of the old key. Raises as `_rotating_key`."""

    def attempt() -> ManagedKey:
        key = _rotating_key(services, member, key_id)
        after = key.updated(grace_ends_at=services.clock.now() + services.settings.rotation_grace)
        return _commit(services, key, after, "not_yet", member.id)

    return retry_on_conflict(attempt, lambda: disable_key.concurrent_change(key_id))


def disable_old(services: Services, member: Member, key_id: str) -> ManagedKey:
    """Disable the old key that `key_id` replaces.

    Return the new key's record before it.

    Raises:
        WrongState: The old key is inactive or gone already.
        ChangePending: AWS did not confirm the change.
        KeydeskError: As `_rotating_key`.
    """

    def attempt() -> tuple[ManagedKey, _FinishedRotation | None]:
        key = _rotating_key(services, member, key_id)
        keys = {one.id: one for one in services.issuer.keys(key.iam_user)}
        finished = _finish(services, key, keys.get(key.replaces), member.id)
        if finished:
            _commit_finished(services, key, finished, member.id)
        else:
            _commit(services, key, _without_old_key(key), "noticed", member.id)
        return key, finished

    key, finished = retry_on_conflict(attempt, lambda: disable_key.concurrent_change(key_id))
    if finished is None:
        raise WrongState(Code.OLD_KEY_INACTIVE, status=key.desired, key_id=key.replaces)
    reconcile.apply_or_raise(services, finished.old_key)
    return key


def undo(services: Services, member: Member, key_id: str) -> None:
    """Enable the old key of a finished rotation again, until it is deleted.

    Raises:
        NotYourKey: The member has no such key on record.
        KeyIsLeaked: The key was reported as leaked and disabled for good.
        WrongState: The key was not disabled by a rotation, has expired, or its leak report is
            undecided.
        NotAllowed: The key's IAM user is not the member's any more. The same for NoIamUser.
        ChangePending: AWS did not confirm the change.
    """

    def attempt() -> ManagedKey:
        key = services.store.key(key_id)
        if key is None or key.owner != member.id:
            raise NotYourKey
        _check_may_undo(services, key)
        user = identify.identify(services, member, key.iam_user if key.is_service_user else "")
        policy.check_still_owner(user, key)
        after = key.set_desired(
            DesiredState.ACTIVE,
            member.id,
            services.clock.now(),
            check_at=services.retry_at(),
            notices=(),
        )
        return _commit(services, key, after, "undo", member.id)

    enabled = retry_on_conflict(attempt, lambda: disable_key.concurrent_change(key_id))
    reconcile.apply_or_raise(services, enabled)


def _check_may_undo(services: Services, key: ManagedKey) -> None:
    """Raise KeyIsLeaked or WrongState unless the rotation of the key can be undone."""
    if key.leaked:
        raise KeyIsLeaked(key.id)
    problem = None
    if (
        key.desired is not DesiredState.INACTIVE
        or key.inactive_reason is not InactiveReason.ROTATED
    ):
        problem = Code.NOTHING_TO_UNDO
    elif key.is_over(services.clock.now()):
        problem = Code.UNDO_EXPIRED
    elif key.reported_at:
        problem = Code.UNDO_REPORTED
    if problem:
        raise WrongState(problem, status=key.desired, key_id=key.id)


def end_grace_period(services: Services, key: ManagedKey) -> None:
    """Disable the old key if it was unused in its grace period.

    Otherwise extend the period and tell the owner.

    Raises Conflict, and what IAM raises.
    """
    now = services.clock.now()
    keys = services.issuer.keys(key.iam_user)
    old = next((one for one in keys if one.id == key.replaces), None)
    finished = _finish(services, key, old, KEYDESK)
    if finished is None or old is None:
        detail = Detail(Code.OLD_KEY_INACTIVE, {"key_id": key.replaces})
        _commit(services, key, _without_old_key(key), "noticed", KEYDESK, detail)
        return
    if old.last_used is None:
        raise IamUnavailable("GetAccessKeyLastUsed")  # it may be in use, so it is read again later
    if _is_in_use(services, key, old):
        after = key.updated(
            days_still_used=key.days_still_used + 1,
            grace_ends_at=now + DAY,
            snapshot=snapshot(key, keys),
            snapshot_at=now,
        )
        detail = Detail(Code.OLD_KEY_STILL_USED, {"key_id": old.id})
        _commit(services, key, after, "remind", KEYDESK, detail)
        return
    _commit_finished(services, key, finished, KEYDESK)
    reconcile.apply(services, finished.old_key)


def _is_in_use(services: Services, key: ManagedKey, old: AccessKey) -> bool:
    """Return True if the old key was used since the new one was delivered.

    Once that happened, only the last days count, so that the last use of a migration does not keep
    the key for ever.
    """
    unused_since = key.delivered_at
    if key.days_still_used:
        unused_since = services.clock.now() - max(services.settings.rotation_grace, UNUSED_FOR)
    used_at = old.last_used.at if old.last_used else None
    return bool(used_at and unused_since and used_at > unused_since)


def _rotating_key(services: Services, member: Member, key_id: str) -> ManagedKey:
    """Return the new key of a rotation that is not finished.

    Raises:
        NotYourKey: The member has no such key on record.
        WrongState: The rotation is finished, or the new key is inactive.
        NotAllowed: The key's IAM user is not the member's any more. The same for NoIamUser.
        IamRefused: AWS refused the call.
        Unavailable: AWS or Slack did not respond.
    """
    key = services.store.key(key_id)
    if key is None or key.owner != member.id:
        raise NotYourKey
    if not key.replaces or key.grace_ends_at is None:
        raise WrongState(Code.ROTATION_FINISHED, status=key.desired, key_id=key_id)
    if key.desired is not DesiredState.ACTIVE:
        raise WrongState(
            Code.NEW_KEY_INACTIVE, status=key.desired, key_id=key_id, old_key=key.replaces
        )
    key_owner.check_own_key(services, member, key)
    return key


def _commit(
    services: Services,
    before: ManagedKey,
    after: ManagedKey,
    action: str,
    by: str,
    detail: Detail | None = None,
) -> ManagedKey:
    entry = services.key_entry(after, before, action, by, detail=detail)
    services.commit(Change(before, after), entry=entry)
    return after


@dataclass(frozen=True)
class _FinishedRotation:
    """The end of a rotation: both keys, and the old one's record before it, if any."""

    new_key: ManagedKey
    old_record: ManagedKey | None
    old_key: ManagedKey


def _finish(
    services: Services, key: ManagedKey, old: AccessKey | None, by: str
) -> _FinishedRotation | None:
    """Return the end of a rotation, or None if the old key is inactive or gone."""
    record = services.store.key(key.replaces)
    if old is None or not old.active or (record and record.desired is DesiredState.DELETED):
        return None
    base = record or disable_key.adopted_key(key.account, old, key.owner)
    now = services.clock.now()
    # If an approver or the expiry disabled it before, who did that, and why, stays on record.
    keep = base.desired is DesiredState.INACTIVE and policy.needs_approver_to_enable(base, now)
    reason = base.inactive_reason if keep else InactiveReason.ROTATED
    disabled = base.set_desired(
        DesiredState.INACTIVE,
        base.changed_by if keep else by,
        now,
        check_at=services.retry_at(),
        inactive_reason=InactiveReason.LEAKED if base.leaked else reason,
        disable_note=base.disable_note if keep else "",
        owner=key.owner,
        dm=key.dm,
        is_service_user=key.is_service_user,
        account=base.account or key.account,
        snapshot=(old,),
        snapshot_at=now,
        delete_at=now + services.settings.delete_after,
        notices=(),
    )
    return _FinishedRotation(_without_old_key(key), record, disabled)


def _without_old_key(key: ManagedKey) -> ManagedKey:
    return key.updated(replaces="", grace_ends_at=None)


def _commit_finished(
    services: Services, key: ManagedKey, finished: _FinishedRotation, by: str
) -> None:
    detail = Detail(Code.REPLACED_BY, {"key_id": key.id})
    services.commit(
        Change(key, finished.new_key),
        Change(finished.old_record, finished.old_key),
        entry=services.key_entry(
            finished.old_key, finished.old_record, "disable", by, detail=detail
        ),
    )
