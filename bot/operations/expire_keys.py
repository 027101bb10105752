"""What becomes of a key in time: reminders and its end, the grace of the key it replaces, deletion.

A key that was changed or deleted in AWS meanwhile is noticed and recorded first, not tripped over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bot.domain import policy
from bot.domain.errors import (
    Conflict,
    IamRefused,
    IamUnavailable,
    KeyIsLeaked,
    NotYourKey,
    Unavailable,
    WrongState,
)
from bot.domain.identity import Member
from bot.domain.keys import (
    DELETION_NOTICE,
    DELETION_NOTICE_BEFORE,
    AccessKey,
    DesiredState,
    InactiveReason,
    ManagedKey,
    ObservedState,
)
from bot.domain.ports import Change
from bot.domain.requests import KeyRequest
from bot.operations import disable_key, identify, key_owner, reconcile
from bot.operations.services import KEYDESK, MAX_CONFLICTS, Services

DAY = timedelta(days=1)

UNUSED_FOR = timedelta(days=2)
"""How long an old key that was found in use must have been quiet at least: a daily job may run a little later."""


def run(services: Services, key: ManagedKey) -> None:
    """Does what is due for a key besides looking at it. Raises what IAM raises.

    While a look after a change of ours is still due, IAM may show what was before it: nobody has changed the key then.
    """
    now = services.clock.now()
    shown = reconcile.observe(services, key)
    nearing = tuple(name for name, at in key.expiry_notices() if at <= now)
    turned_off = shown is ObservedState.INACTIVE and key.desired is DesiredState.ACTIVE
    turned_on = shown is ObservedState.ACTIVE and key.desired is DesiredState.INACTIVE
    if (turned_off or turned_on) and (key.observed is ObservedState.UNKNOWN or key.must_stay_off):
        reconcile.apply(services, key)  # what is wanted was not done yet, or its end is a promise
    elif shown is ObservedState.DELETED or (key.check_at is None and (turned_off or turned_on)):
        record_console_change(services, key, shown)
    elif key.desired is DesiredState.INACTIVE and key.delete_at:
        _delete_or_announce(services, key)
    elif key.expires_at and key.expires_at <= now:
        _expire(services, key)
    elif nearing:
        _remind(services, key, nearing)
    elif key.grace_ends_at and key.grace_ends_at <= now:
        _end_grace_period(services, key)


def start_grace_period(services: Services, key: ManagedKey, request: KeyRequest) -> dict[str, Any]:
    """The facts with which the receipt of a rotation's new key begins the old one's grace; {} where it replaces none.

    They go into whatever change the receipt makes to the key, so that this is one step of its record.
    """
    if not key.replaces:
        return {}
    now = services.clock.now()
    try:
        snapshot, snapshot_at = _snapshot(key, services.issuer.keys(key.iam_user)), now
    except (IamRefused, Unavailable):
        snapshot, snapshot_at = (), None  # *Check again* asks anew
    return {
        "delivered_at": request.delivered_at or now,
        "grace_ends_at": now + services.settings.rotation_grace,
        "snapshot": snapshot,
        "snapshot_at": snapshot_at,
    }


def check_last_use(services: Services, member: Member, key_id: str) -> ManagedKey:
    """**Check again**: reads when old and new key were last used. Raises as `_rotating`."""
    for _ in range(MAX_CONFLICTS):
        key = _rotating_key(services, member, key_id)
        noted = key.updated(
            snapshot=_snapshot(key, services.issuer.keys(key.iam_user)),
            snapshot_at=services.clock.now(),
        )
        if _commit(services, key, noted, "check", member.id):
            return noted
    raise disable_key.concurrent_change(key_id)


def not_yet(services: Services, member: Member, key_id: str) -> ManagedKey:
    """**Not yet**: the old key's grace begins anew. Raises as `_rotating`."""
    for _ in range(MAX_CONFLICTS):
        key = _rotating_key(services, member, key_id)
        noted = key.updated(grace_ends_at=services.clock.now() + services.settings.rotation_grace)
        if _commit(services, key, noted, "not_yet", member.id):
            return noted
    raise disable_key.concurrent_change(key_id)


def disable_old(services: Services, member: Member, key_id: str) -> ManagedKey:
    """**Disable the old key** that `key_id` replaces. Raises as `_rotating`, WrongState or ChangePending."""
    for _ in range(MAX_CONFLICTS):
        key = _rotating_key(services, member, key_id)
        keys = {one.id: one for one in services.issuer.keys(key.iam_user)}
        ended = _finish_rotation(services, key, keys.get(key.replaces), member.id)
        if ended is None:
            _commit(
                services, key, key.updated(replaces="", grace_ends_at=None), "noticed", member.id
            )
            raise WrongState(key.desired, f"{key.replaces} is gone from AWS, or inactive, already.")
        if _commit_finished(services, key, ended, member.id):
            reconcile.apply_or_raise(services, ended.off)
            return key
    raise disable_key.concurrent_change(key_id)


def undo(services: Services, member: Member, key_id: str) -> None:
    """**Undo**: the old key of a rotation is on again, while it lasts.

    Raises NotYourKey, WrongState, NotAllowed or NoIamUser where its IAM user is not theirs any more, or ChangePending.
    """
    for _ in range(MAX_CONFLICTS):
        key = services.store.key(key_id)
        if key is None or key.owner != member.id:
            raise NotYourKey
        if key.leaked:
            raise KeyIsLeaked(key_id)
        if (
            key.desired is not DesiredState.INACTIVE
            or key.inactive_reason is not InactiveReason.ROTATED
        ):
            back = (
                f" `/key enable {key_id} <reason>` asks for it back."
                if key.desired is DesiredState.INACTIVE
                else ""
            )
            raise WrongState(
                key.desired,
                f"{key_id} is {key.desired.value} by now; there is nothing to undo.{back}",
            )
        if key.is_over(services.clock.now()):
            raise WrongState(
                key.desired,
                f"{key_id} has reached its end meanwhile, so *Undo* does not bring it back. "
                f"`/key enable {key_id} <reason>` asks for it back.",
            )
        if key.reported_at:
            raise WrongState(
                key.desired,
                f"{key_id} was reported as leaked and the approvers have not decided yet, so "
                f"*Undo* does not bring it back. `/key enable {key_id} <reason>` asks for it.",
            )
        policy.check_still_owner(
            identify.identify(services, member, key.iam_user if key.is_service_user else ""), key
        )
        wants = key.set_desired(
            DesiredState.ACTIVE,
            member.id,
            services.clock.now(),
            check_at=services.retry_at(),
            notices=(),
        )
        if _commit(services, key, wants, "undo", member.id):
            reconcile.apply_or_raise(services, wants)
            return
    raise disable_key.concurrent_change(key_id)


def _rotating_key(services: Services, member: Member, key_id: str) -> ManagedKey:
    """The new key of a rotation that is not over. Raises NotYourKey or WrongState.

    Whose its IAM user is now is asked, as where a key is turned off: NotAllowed, NoIamUser, IamRefused or Unavailable.
    """
    key = services.store.key(key_id)
    if key is None or key.owner != member.id:
        raise NotYourKey
    if not key.replaces or key.grace_ends_at is None:
        raise WrongState(key.desired, f"The rotation to {key_id} is finished; nothing was changed.")
    if key.desired is not DesiredState.ACTIVE:
        raise WrongState(
            key.desired,
            f"{key_id} is {key.desired.value} by now, so the old key {key.replaces} stays as "
            "it is; nothing was changed.",
        )
    key_owner.check_own_key(services, member, key)
    return key


def _commit(
    services: Services, before: ManagedKey, after: ManagedKey, action: str, by: str, why: str = ""
) -> bool:
    """Commits a change to a key; False where somebody was faster."""
    try:
        services.commit(
            Change(before, after), entry=services.key_entry(after, before, action, by, reason=why)
        )
    except Conflict:
        return False
    return True


def record_if_deleted(services: Services, key_id: str) -> None:
    """A key that was to be active and is gone from IAM: that is recorded, so that its owner is told."""
    key = services.store.key(key_id)
    if key and (key.observed, key.desired) == (ObservedState.DELETED, DesiredState.ACTIVE):
        record_console_change(services, key, ObservedState.DELETED)


def record_console_change(services: Services, key: ManagedKey, observed: ObservedState) -> None:
    """Somebody changed the key in AWS: that is recorded, and the desk wants it so from now on."""
    now = services.clock.now()
    wants = key.set_desired(
        DesiredState(observed.value),
        KEYDESK,
        now,
        check_at=now,
        inactive_reason=InactiveReason.CONSOLE,
        replaces="",
        grace_ends_at=None,
    )
    _commit(
        services,
        key,
        replace(wants, observed=observed, check_at=None),
        "noticed",
        KEYDESK,
        why=f"IAM shows {observed}",
    )


def _delete_or_announce(services: Services, key: ManagedKey) -> None:
    """Nothing is deleted unannounced: where nobody was there to tell its owner in time, it is deleted later instead."""
    now = services.clock.now()
    if DELETION_NOTICE not in key.notices:
        later = max(
            key.delete_at or now, now + min(DELETION_NOTICE_BEFORE, services.settings.delete_after)
        )
        _commit(
            services,
            key,
            key.updated(notices=(*key.notices, DELETION_NOTICE), delete_at=later),
            "remind",
            KEYDESK,
        )
    elif key.delete_at and key.delete_at <= now:
        gone = key.set_desired(
            DesiredState.DELETED,
            KEYDESK,
            now,
            check_at=services.retry_at(),
            inactive_reason=key.inactive_reason,
        )
        if _commit(
            services,
            key,
            gone,
            "delete",
            KEYDESK,
            why=f"{key.inactive_reason}, and its time is over",
        ):
            reconcile.apply(services, gone)


def expired_key(services: Services, key: ManagedKey, **changes: Any) -> ManagedKey:
    """The key, not stored yet, with its life over: off, and deleted in a while."""
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
    """The key's life is over, in use or not: it is disabled, never deleted at once."""
    ended = expired_key(
        services,
        key,
        snapshot=_snapshot(key, services.issuer.keys(key.iam_user)),
        snapshot_at=services.clock.now(),
    )
    if _commit(services, key, ended, "expire", KEYDESK):
        reconcile.apply(services, ended)


def _remind(services: Services, key: ManagedKey, nearing: tuple[str, ...]) -> None:
    """The nearest reminder is recorded, then drawn; those it makes late are let go with it."""
    _commit(
        services,
        key,
        key.updated(notices=(*key.notices, *nearing)),
        "remind",
        KEYDESK,
        why=nearing[-1],
    )


def _end_grace_period(services: Services, key: ManagedKey) -> None:
    """The old key is disabled if it was quiet since the hand-over; one in use is not broken: its owner is told."""
    now = services.clock.now()
    keys = services.issuer.keys(key.iam_user)
    old = next((one for one in keys if one.id == key.replaces), None)
    ended = _finish_rotation(services, key, old, KEYDESK)
    if ended is None or old is None:
        _commit(
            services,
            key,
            key.updated(replaces="", grace_ends_at=None),
            "noticed",
            KEYDESK,
            why="the old key is gone, or inactive, already",
        )
        return
    if old.last_used is None:
        raise IamUnavailable("GetAccessKeyLastUsed")  # not known to be quiet: asked again later
    used_at = old.last_used.at
    # Once it was found in use, it must only have been quiet of late: a roll-out's last use must not keep it for ever.
    quiet_since = (
        now - max(services.settings.rotation_grace, UNUSED_FOR)
        if key.days_still_used
        else key.delivered_at
    )
    if used_at and quiet_since and used_at > quiet_since:
        _commit(
            services,
            key,
            key.updated(
                days_still_used=key.days_still_used + 1,
                grace_ends_at=now + DAY,
                snapshot=_snapshot(key, keys),
                snapshot_at=now,
            ),
            "remind",
            KEYDESK,
            why=f"the old key {old.id} is still in use",
        )
    elif _commit_finished(services, key, ended, KEYDESK):
        reconcile.apply(services, ended.off)


@dataclass(frozen=True)
class _FinishedRotation:
    """The end of a rotation: the new key stands alone, the old one, with its record so far, is to be off."""

    alone: ManagedKey
    record: ManagedKey | None
    off: ManagedKey


def _finish_rotation(
    services: Services, key: ManagedKey, old: AccessKey | None, by: str
) -> _FinishedRotation | None:
    """The end of a rotation: the new key stands alone, the old one is to be off. None where it is so already."""
    record = services.store.key(key.replaces)
    if old is None or not old.active or (record and record.desired is DesiredState.DELETED):
        return None
    base = record or disable_key.adopted_key(key.account, old, key.owner)
    now = services.clock.now()
    kept = base.desired is DesiredState.INACTIVE and policy.needs_approver_to_enable(
        base, now
    )  # who ended it, and why, stays
    why = (
        InactiveReason.LEAKED
        if base.leaked
        else base.inactive_reason
        if kept
        else InactiveReason.ROTATED
    )
    off = base.set_desired(
        DesiredState.INACTIVE,
        base.changed_by if kept else by,
        now,
        check_at=services.retry_at(),
        inactive_reason=why,
        disable_note=base.disable_note if kept else "",
        owner=key.owner,
        dm=key.dm,
        is_service_user=key.is_service_user,
        account=base.account or key.account,
        snapshot=(old,),
        snapshot_at=now,
        delete_at=now + services.settings.delete_after,
        notices=(),
    )
    return _FinishedRotation(key.updated(replaces="", grace_ends_at=None), record, off)


def _commit_finished(
    services: Services, key: ManagedKey, ended: _FinishedRotation, by: str
) -> bool:
    try:
        services.commit(
            Change(key, ended.alone),
            Change(ended.record, ended.off),
            entry=services.key_entry(
                ended.off, ended.record, "disable", by, reason=f"replaced by {key.id}"
            ),
        )
    except Conflict:
        return False
    return True


def _snapshot(key: ManagedKey, keys: Sequence[AccessKey]) -> tuple[AccessKey, ...]:
    """What IAM shows of this key and of the one it replaces."""
    return tuple(one for one in keys if one.id in (key.id, key.replaces))
