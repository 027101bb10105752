"""Decide about an orphaned key.

It was found in IAM after the answer of CreateAccessKey was lost.
"""

from __future__ import annotations

from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.errors import NotYourKey, WrongState
from bot.domain.identity import Member
from bot.domain.keys import DesiredState, ManagedKey, Origin
from bot.domain.records import Change
from bot.operations import identify, reconcile
from bot.operations.disable_key import concurrent_change, expiry_after_enable
from bot.operations.services import Services, retry_on_conflict


def decide(services: Services, member: Member, key_id: str, desired: DesiredState) -> ManagedKey:
    """Enable or delete an orphaned key, for an approver, and return its record.

    An enabled key lives as long as was asked for, as if it had been delivered.

    Raises:
        NotAllowed: The member may not decide about it, or the key would live too long.
        NotYourKey: There is no orphaned key with this ID. Only approvers are told.
        WrongState: It is decided already.
        ChangePending: AWS did not confirm the change.
    """
    record, approvers = services.store.key(key_id), services.directory.approvers()
    if record is None or record.origin is not Origin.ORPHANED:
        policy.check_approver(member, approvers)
        raise NotYourKey
    policy.check_may_decide(
        member,
        identify.iam_user_names(services, member),
        approvers,
        services.get_request(record.request_id),
    )
    action = "enable" if desired is DesiredState.ACTIVE else "delete"

    def attempt() -> ManagedKey:
        before = services.store.key(key_id) or record
        after = _decided(services, before, member, desired)
        entry = services.key_entry(after, before, action, member.id)
        services.commit(Change(before, after), entry=entry)
        return after

    decided = retry_on_conflict(attempt, lambda: concurrent_change(key_id))
    reconcile.apply_or_raise(services, decided)
    return decided


def _decided(
    services: Services, key: ManagedKey, member: Member, desired: DesiredState
) -> ManagedKey:
    if key.desired is not DesiredState.INACTIVE:
        raise WrongState(
            Code.ORPHAN_DECIDED,
            status=key.desired,
            by=key.changed_by,
            at=key.changed_at,
            key_id=key.id,
        )
    expires_at = key.expires_at
    if desired is DesiredState.ACTIVE:
        expires_at = expiry_after_enable(services, key)
    return key.set_desired(
        desired,
        member.id,
        services.clock.now(),
        check_at=services.retry_at(),
        expires_at=expires_at,
    )
