"""Disable or delete a key, and read when it was last used."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.errors import ChangePending, KeyIsActive, NoIamUser, NotAllowed, NotYourKey
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey, DesiredState, InactiveReason, KeyStatus, ManagedKey, Origin
from bot.domain.outside_errors import IamUserNotFound
from bot.domain.rate_limits import Usage
from bot.domain.records import Change
from bot.domain.states import Event, Status
from bot.operations import identify, key_owner, reconcile
from bot.operations.services import Services, retry_on_conflict


@dataclass(frozen=True)
class DisableResult:
    """The outcome of disabling or deleting a key.

    Attributes:
        key: The key as it is now.
        already: The key was inactive before.
        notified_owner: The Slack user ID of the owner if an approver acted and the owner can be
            messaged, else "".
        reason_stored: The approver's reason is on record.
    """

    key: AccessKey
    already: bool
    notified_owner: str = ""
    reason_stored: bool = False


def last_use(services: Services, member: Member, key_id: str, service_user: str = "") -> AccessKey:
    """Return one of the member's own keys with its last use.

    An approver may ask about any key.

    Raises:
        NotYourKey: The key is not the member's.
        KeyNotInAccount: The account has no such key. Only approvers are told.
    """
    try:
        return key_owner.owned_key(services, member, key_id, service_user)
    except (NotYourKey, NoIamUser, IamUserNotFound, NotAllowed):
        if member.id not in services.directory.approvers():
            raise
    return key_owner.any_user_and_key(services, key_id)[1]


def disable(
    services: Services, member: Member, key_id: str, service_user: str = ""
) -> DisableResult:
    """Disable the member's own key. Idempotent.

    Raises:
        NotYourKey: The key is not the member's.
        ChangePending: AWS did not confirm the change.
        IamRefused: AWS refused a call.
        Unavailable: AWS, Slack or the database did not respond.
    """
    user, key = key_owner.owned_user_and_key(services, member, key_id, service_user)
    record = services.store.key(key_id)
    if not key.active and not (record and record.desired is DesiredState.ACTIVE):
        return DisableResult(key, already=True)
    disabled = replace(key, status=KeyStatus.INACTIVE)
    if (
        record
        and record.desired is DesiredState.INACTIVE
        and policy.needs_approver_to_enable(record, services.clock.now())
    ):
        # The record stays as it is: who disabled the key, and why, decides who may enable it.
        reconcile.apply_or_raise(services, record)
        return DisableResult(disabled, already=False)
    set_desired_state(
        services,
        member,
        user,
        key,
        DesiredState.INACTIVE,
        "disable",
        inactive_reason=InactiveReason.DISABLED,
    )
    return DisableResult(disabled, already=not key.active)


def check_may_disable_for(services: Services, member: Member, key_id: str) -> None:
    """Check that the member could disable the key now, before they type a reason.

    Raises:
        NotAllowed: The member is no approver, or Keydesk itself uses the key.
    """
    policy.check_approver(member, services.directory.approvers())
    identify.check_not_own_key(services, key_id)


def disable_for(services: Services, member: Member, key_id: str, reason: str) -> DisableResult:
    """Disable any key, for an approver, and store why.

    Its owner then cannot enable it alone.

    For a key that is inactive already, only the reason is stored.

    Raises:
        NotAllowed: The member is no approver, or Keydesk itself uses the key.
        KeyNotInAccount: The account has no such key.
        ChangePending: AWS did not confirm the change.
    """
    check_may_disable_for(services, member, key_id)
    user, key = key_owner.any_user_and_key(services, key_id)
    record = services.store.key(key_id)
    if not key.active and record and _owner_cannot_enable(record):
        return DisableResult(key, already=True)
    owner, dm = identify.owner_and_dm(services, user, record)
    set_desired_state(
        services,
        member,
        user,
        key,
        DesiredState.INACTIVE,
        "disable",
        inactive_reason=InactiveReason.DISABLED,
        reason=reason,
        disable_note=reason,
        owner=owner,
        dm=dm,
        **_keep_scheduled_deletion(record),
    )
    return DisableResult(
        replace(key, status=KeyStatus.INACTIVE),
        already=not key.active,
        reason_stored=True,
        notified_owner=owner if dm else "",
    )


def _owner_cannot_enable(record: ManagedKey) -> bool:
    """Return True if the record already keeps the owner from enabling an inactive key.

    The reason is a deletion, the expiry, a leak, an approver, or that approvers must decide about
    an orphaned key.
    """
    return record.desired is DesiredState.DELETED or (
        record.desired is DesiredState.INACTIVE
        and (record.must_stay_off or record.awaits_decision or policy.disabled_by_approver(record))
    )


def _keep_scheduled_deletion(record: ManagedKey | None) -> dict[str, Any]:
    """Return the field that keeps an inactive key's scheduled deletion."""
    if record and record.desired is DesiredState.INACTIVE:
        return {"delete_at": record.delete_at}
    return {}


def delete(
    services: Services, member: Member, key_id: str, service_user: str = ""
) -> DisableResult:
    """Delete the member's inactive key, and close the request awaiting its receipt.

    Raises:
        NotYourKey: The key is not the member's.
        KeyIsActive: The key is not inactive.
        ChangePending: AWS did not confirm the deletion.
        IamRefused: AWS refused a call.
        Unavailable: AWS, Slack or the database did not respond.
    """
    user, key = key_owner.owned_user_and_key(services, member, key_id, service_user)
    check_may_delete(key)
    set_desired_state(services, member, user, key, DesiredState.DELETED, "delete")
    return DisableResult(key, already=False)


def check_may_delete(key: AccessKey) -> None:
    """Raise KeyIsActive unless the key is inactive.

    A key is disabled before it is deleted, so that anything that still uses it is noticed first.
    """
    if key.active:
        raise KeyIsActive(key.id)


def expiry_after_enable(services: Services, key: ManagedKey) -> datetime | None:
    """Return when a key would expire that is enabled now (UTC), or None.

    Raises NotAllowed.
    """
    return policy.expiry_after_enable(
        key, services.clock.now(), services.settings.key_ttl_max, services.settings.break_glass_ttl
    )


def set_desired_state(
    services: Services,
    member: Member,
    user: IamUser,
    key: AccessKey,
    desired: DesiredState,
    action: str,
    *,
    reason: str = "",
    detail: Detail | None = None,
    usage: Usage | None = None,
    **changes: Any,
) -> None:
    """Store a key's new desired state, and apply it in IAM.

    A request that this ends is closed in the same step, and `usage` is counted. `key` is as IAM
    shows it. The audit entry gets `action`, `reason` (what the member typed) and `detail`.
    `changes` are other fields of the record, such as `inactive_reason`. A key made elsewhere
    belongs to the member, unless `owner` is among them ("": unknown).

    Raises:
        ChangePending: AWS did not confirm the change, or the key's deletion is recorded already.
        RateLimited: `usage` is over its limit.
    """

    def attempt() -> ManagedKey:
        record = services.store.key(key.id)
        if record and record.desired is DesiredState.DELETED and desired is not record.desired:
            raise ChangePending(Code.KEY_ALREADY_DELETED, key_id=key.id)
        base = record or adopted_key(user.account, key, member.id)
        after = base.set_desired(
            desired,
            member.id,
            services.clock.now(),
            check_at=services.retry_at(),
            **changes,
        )
        entry = services.key_entry(after, record, action, member.id, reason=reason, detail=detail)
        closed = closing_changes(services, after, member.id)
        services.commit(Change(record, after), *closed, entry=entry, usage=usage)
        return after

    stored = retry_on_conflict(attempt, lambda: concurrent_change(key.id))
    reconcile.apply_or_raise(services, stored)


def adopted_key(account: str, key: AccessKey, owner: str) -> ManagedKey:
    """Return a record, not stored yet, of a key that was made elsewhere."""
    return ManagedKey(
        id=key.id,
        account=account,
        iam_user=key.iam_user,
        owner=owner,
        request_id="",
        origin=Origin.ADOPTED,
        created_at=key.created_at,
        desired=DesiredState.ACTIVE if key.active else DesiredState.INACTIVE,
        version=0,
    )


def closing_changes(services: Services, key: ManagedKey, by: str) -> tuple[Change, ...]:
    """Return the change to the request that awaits the receipt of `key`, if any.

    The request ends if the owner deletes the key. If an approver disables the key, the receipt may
    still come, but this approval brings no other key.
    """
    request = services.store.request(key.request_id) if key.request_id else None
    if (
        request is None
        or request.access_key_id != key.id
        or request.status not in (Status.DELIVERED, Status.UNCLAIMED)
    ):
        return ()
    now = services.clock.now()
    if key.desired is DesiredState.DELETED:
        return (Change(request, request.transition(Event.OWNER_DELETED, by, now, deadline=None)),)
    if policy.disabled_by_approver(key) and not request.stopped_by:
        return (Change(request, request.transition(Event.STOP, by, now, stopped_by=by)),)
    return ()


def concurrent_change(key_id: str) -> ChangePending:
    """Return the error for a key that others kept changing at the same time."""
    return ChangePending(Code.CONCURRENT_KEY_CHANGE, key_id=key_id)
