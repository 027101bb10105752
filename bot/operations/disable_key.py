"""Retiring a key: seeing one's keys, turning one off, deleting one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.domain import policy
from bot.domain.errors import (
    ChangePending,
    Conflict,
    IamUserNotFound,
    KeyIsActive,
    NoIamUser,
    NotAllowed,
    NotYourKey,
    WrongState,
    utc_text,
)
from bot.domain.identity import IamUser, Member
from bot.domain.keys import (
    AccessKey,
    DesiredState,
    InactiveReason,
    KeyStatus,
    ManagedKey,
    Origin,
)
from bot.domain.ports import Change
from bot.domain.rate_limits import Usage
from bot.domain.states import Event, Status
from bot.operations import identify, key_owner, reconcile
from bot.operations.services import KEYDESK, MAX_CONFLICTS, Services


@dataclass(frozen=True)
class DisableResult:
    """What became of a key that is retired. `already` is True where it was so before.

    `noted` says that an approver's reason is on record now. `told` is the Slack user ID of its owner, where somebody
    else did it and they can be told, else "".
    """

    key: AccessKey
    already: bool
    told: str = ""
    updated: bool = False


def last_use(services: Services, member: Member, key_id: str, service_user: str = "") -> AccessKey:
    """One of a person's own keys, or, for an approver, any key of the account, with its last use.

    Raises NotYourKey, or KeyNotInAccount for an approver.
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
    """Turns off a person's own key. Doing it twice is well.

    Raises NotYourKey, IamRefused, Unavailable, or ChangePending where AWS did not confirm it.
    """
    user, key = key_owner.owned_user_and_key(services, member, key_id, service_user)
    record = services.store.key(key_id)
    if not key.active and not (record and record.desired is DesiredState.ACTIVE):
        return DisableResult(key, already=True)
    if (
        record
        and record.desired is DesiredState.INACTIVE
        and policy.needs_approver_to_enable(record, services.clock.now())
    ):
        reconcile.apply_or_raise(
            services, record
        )  # who turned it off, and why, stays: who may turn it on depends on that
        return DisableResult(replace(key, status=KeyStatus.INACTIVE), already=False)
    set_desired_state(
        services,
        member,
        user,
        key,
        DesiredState.INACTIVE,
        "disable",
        inactive_reason=InactiveReason.DISABLED,
    )
    return DisableResult(replace(key, status=KeyStatus.INACTIVE), already=not key.active)


def disable_for(services: Services, member: Member, key_id: str, reason: str) -> DisableResult:
    """An approver turns off anybody's key and says why, or, of one that is off already, why it must stay so.

    That is on record, so that its owner does not turn it on alone. Raises NotAllowed, KeyNotInAccount or ChangePending.
    """
    policy.check_approver(member, services.directory.approvers())
    identify.check_not_own_key(services, key_id)
    user, key = key_owner.any_user_and_key(services, key_id)
    record = services.store.key(key_id)
    if not key.active and record and _must_stay_off(record):
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
        whose=owner,
        disable_note=reason,
        owner=owner,
        dm=dm,
        **_keep_scheduled_deletion(record),
    )
    return DisableResult(
        replace(key, status=KeyStatus.INACTIVE),
        already=not key.active,
        updated=True,
        told=owner if dm else "",
    )


def _must_stay_off(record: ManagedKey) -> bool:
    """Is a key that is off on record as not its owner's to turn on, by an approver, its end, a leak or as found?

    A found key waits for what the approvers decide of it.
    """
    return record.desired is DesiredState.DELETED or (
        record.desired is DesiredState.INACTIVE
        and (record.must_stay_off or record.awaits_decision or policy.disabled_by_approver(record))
    )


def _keep_scheduled_deletion(record: ManagedKey | None) -> dict[str, Any]:
    """A key that is off and put down for deletion stays so, whoever says why it must be off."""
    return (
        {"delete_at": record.delete_at}
        if record and record.desired is DesiredState.INACTIVE
        else {}
    )


def delete(
    services: Services, member: Member, key_id: str, service_user: str = ""
) -> DisableResult:
    """Deletes a person's own inactive key. A request that waits for this key's receipt is closed in the same step.

    Raises NotYourKey, KeyIsActive, IamRefused, Unavailable or ChangePending.
    """
    user, key = key_owner.owned_user_and_key(services, member, key_id, service_user)
    check_may_delete(key)
    set_desired_state(services, member, user, key, DesiredState.DELETED, "delete")
    return DisableResult(key, already=False)


def check_may_delete(key: AccessKey) -> None:
    """Only an inactive key may be deleted: what still uses it is seen first. Raises KeyIsActive."""
    if key.active:
        raise KeyIsActive(key.id)


def decide_orphan(
    services: Services, member: Member, key_id: str, desired: DesiredState
) -> ManagedKey:
    """An approver says what is to become of a key that was found after a lost answer: active, or deleted.

    One that is ours lives as long as was asked for, as if it had been handed over. Raises NotAllowed (also where it
    would live too long), NotYourKey (no such found key), WrongState (decided already) or ChangePending.
    """
    record, approvers = services.store.key(key_id), services.directory.approvers()
    if record is None or record.origin is not Origin.ORPHANED:
        policy.check_may_decide_at_all(member, approvers)
        raise NotYourKey
    policy.check_may_decide(
        member,
        identify.iam_user_names(services, member),
        approvers,
        services.get_request(record.request_id),
    )
    action = "enable" if desired is DesiredState.ACTIVE else "delete"
    for _ in range(MAX_CONFLICTS):
        if record.desired is not DesiredState.INACTIVE:
            raise WrongState(
                record.desired, _orphan_story(record), record.changed_by, record.changed_at
            )
        ends = (
            expiry_after_enable(services, record)
            if desired is DesiredState.ACTIVE
            else record.expires_at
        )
        wants = record.set_desired(
            desired, member.id, services.clock.now(), check_at=services.retry_at(), expires_at=ends
        )
        try:
            services.commit(
                Change(record, wants), entry=services.key_entry(wants, record, action, member.id)
            )
        except Conflict:
            record = services.store.key(key_id) or record
            continue
        reconcile.apply_or_raise(services, wants)
        return wants
    raise concurrent_change(key_id)


def expiry_after_enable(services: Services, key: ManagedKey) -> datetime | None:
    """When a key ends that is turned on now, by the desk's rules. Raises NotAllowed."""
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
    inactive_reason: InactiveReason = InactiveReason.NONE,
    reason: str = "",
    whose: str | None = None,
    count: Usage | None = None,
    **changes: Any,
) -> None:
    """Writes what is wanted of a key (and closes the request it ends), then carries it out. Raises ChangePending.

    A key made elsewhere gets a record with `whose` Slack user ID ("": nobody known), else the member's.
    """
    for _ in range(MAX_CONFLICTS):
        now = services.clock.now()
        record = services.store.key(key.id)
        if (
            record
            and record.desired is DesiredState.DELETED
            and desired is not DesiredState.DELETED
        ):
            raise ChangePending(
                f"{key.id} is being deleted already. I keep at it until AWS has done that."
            )
        base = record or adopted_key(user.account, key, member.id if whose is None else whose)
        wants = base.set_desired(
            desired,
            member.id,
            now,
            check_at=services.retry_at(),
            inactive_reason=inactive_reason,
            **changes,
        )
        try:
            services.commit(
                Change(record, wants),
                *closing_changes(services, wants, member.id),
                entry=services.key_entry(wants, record, action, member.id, reason=reason),
                count=count,
            )
        except Conflict:
            continue
        reconcile.apply_or_raise(services, wants)
        return
    raise concurrent_change(key.id)


def adopted_key(account: str, key: AccessKey, owner: str) -> ManagedKey:
    """A record, not stored yet, of a key that was made elsewhere."""
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
    """What becomes of the request that waits for a receipt of `key`: it ends where its owner deletes the key.

    Where an approver turns it off the receipt is still to come, but this approval brings no other key.
    """
    request = services.store.request(key.request_id) if key.request_id else None
    if (
        request is None
        or request.access_key_id != key.id
        or request.status not in (Status.DELIVERED, Status.UNCLAIMED)
    ):
        return ()
    if key.desired is DesiredState.DELETED:
        return (
            Change(
                request,
                request.transition(Event.OWNER_DELETED, by, services.clock.now(), deadline=None),
            ),
        )
    if policy.disabled_by_approver(key) and not request.stopped_by:
        return (
            Change(
                request, request.transition(Event.STOP, by, services.clock.now(), stopped_by=by)
            ),
        )
    return ()


def _orphan_story(key: ManagedKey) -> str:
    became = "deleted" if key.desired is DesiredState.DELETED else "enabled"
    who = "" if key.changed_by == KEYDESK else f" by <@{key.changed_by}>"
    when = f" on {utc_text(key.changed_at)}" if key.changed_at else ""
    return f"{key.id} was already {became}{who}{when}."


def concurrent_change(key_id: str) -> ChangePending:
    """What to tell where others change the same key all the time."""
    return ChangePending(
        f"{key_id} is being changed by somebody else at this moment. `/key list` shows how it stands."
    )
