"""Take the requester's answer about a key.

It has arrived, it has not, or they want another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.errors import DeliveryFailed, NotYourKey, StaleKey
from bot.domain.identity import Member
from bot.domain.keys import DesiredState, InactiveReason, ManagedKey, ObservedState
from bot.domain.outside_errors import IamRefused, OutcomeUnknown, StoreUnavailable, Unavailable
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import delete_undelivered, expire_keys, finish_rotation, identify, reconcile
from bot.operations.services import Services, retry_on_conflict


def confirm(services: Services, member: Member, key_id: str) -> KeyRequest:
    """Record that the key has arrived. Enable an unclaimed key again. Idempotent.

    A key that an approver disabled, or that was reported, stays off: a receipt is no way around
    the approvers. A key past its expiry stays off too.

    Args:
        services: The dependencies.
        member: The member who answers.
        key_id: The key of the button.

    Returns:
        The confirmed request.

    Raises:
        NotYourKey: The member is not the requester of this key, or there is no such key.
        StaleKey: The request has another key by now.
        WrongState: The request does not wait for a receipt.
        KeyIsLeaked: The key was reported as leaked.
        NotAllowed, NoIamUser: The IAM user does not belong to the member any more.
        DeliveryFailed: The unclaimed key is deleted, or other changes of the key were faster.
        IamRefused, Unavailable: Nothing was done.
        ChangePending: The receipt is stored, but AWS has not confirmed that the key is active.
    """

    def attempt() -> KeyRequest:
        return _confirm(services, member, key_id)

    return retry_on_conflict(attempt, lambda: _busy(key_id))


def _confirm(services: Services, member: Member, key_id: str) -> KeyRequest:
    """Confirm the receipt once. Raises as `confirm`, and Conflict."""
    key, request = _key_and_request(services, member, key_id)
    if request.status is Status.CONFIRMED:
        return request
    now = services.clock.now()
    confirmed = request.transition(Event.CONFIRM, member.id, now, deadline=None, detail=None)
    enabling = _is_to_be_enabled(key, request, now)
    if enabling:
        _check_can_be_enabled(services, member, key)
    grace = finish_rotation.start_grace_period(services, key, request)
    if enabling:
        changed = key.set_desired(
            DesiredState.ACTIVE, member.id, now, check_at=services.retry_at(), **grace
        )
    elif _expired_unclaimed(key, now):
        changed = expire_keys.expired_key(services, key, **grace)
    else:
        changed = _with_receipt(key, grace)
    key_changes = [Change(key, changed)] if changed is not key else []
    services.commit_transition(request, confirmed, *key_changes)
    if enabling:
        reconcile.apply_or_raise(services, changed)
    return confirmed


def _is_to_be_enabled(key: ManagedKey, request: KeyRequest, now: datetime) -> bool:
    """Return True if the receipt enables the key.

    It is off only because it was unclaimed.
    """
    return (
        request.status is Status.UNCLAIMED
        and key.inactive_reason is not InactiveReason.EXPIRED
        and not _expired_unclaimed(key, now)
        and not _must_stay_off(key)
    )


def _expired_unclaimed(key: ManagedKey, now: datetime) -> bool:
    """Return True if an unclaimed key is past its expiry.

    A receipt does not move the expiry.
    """
    return key.is_over(now) and key.inactive_reason is InactiveReason.UNCLAIMED


def _must_stay_off(key: ManagedKey) -> bool:
    """Return True if an approver must decide about the key.

    A leaked key is not meant: `set_desired` refuses it with its own code.
    """
    for_approvers = policy.disabled_by_approver(key) or key.reported_at is not None
    return for_approvers and key.desired is DesiredState.INACTIVE and not key.leaked


def _check_can_be_enabled(services: Services, member: Member, key: ManagedKey) -> None:
    """Check that the key exists and that its IAM user belongs to the member.

    Raises DeliveryFailed, NotAllowed, NoIamUser, IamRefused or Unavailable.
    """
    if key.desired is DesiredState.DELETED:
        raise DeliveryFailed(Code.KEY_BEING_DELETED, key_id=key.id)
    if reconcile.observe(services, key) is ObservedState.DELETED:
        raise DeliveryFailed(Code.KEY_GONE, key_id=key.id)
    user = identify.identify(services, member, key.iam_user if key.is_service_user else "")
    policy.check_still_owner(user, key)


def _with_receipt(key: ManagedKey, grace: Mapping[str, Any]) -> ManagedKey:
    """Return the key, no longer unclaimed. Its own expiry counts again.

    It stays as active as it is.
    """
    changes = dict(grace)
    if key.inactive_reason is InactiveReason.UNCLAIMED:
        changes["inactive_reason"] = InactiveReason.NONE
    return key.updated(**changes) if changes else key


def did_not_get(services: Services, member: Member, key_id: str) -> KeyRequest:
    """Delete a key that its requester did not get, and allow another reveal.

    The request is closed instead where an approver disabled the key, or after the last reveal.

    Returns:
        The request, which is still `deleting` where AWS takes longer.

    Raises:
        NotYourKey, StaleKey, WrongState: Nothing was done.
        DeliveryFailed: The deletion is not certain yet.
    """
    return _return_key(services, member, key_id, Event.DID_NOT_GET)


def replace_key(services: Services, member: Member, key_id: str) -> KeyRequest:
    """Delete an unclaimed key, and allow another reveal.

    Returns and raises as `did_not_get`.
    """
    return _return_key(services, member, key_id, Event.REPLACE)


def _return_key(services: Services, member: Member, key_id: str, event: Event) -> KeyRequest:
    def attempt() -> KeyRequest:
        _, request = _key_and_request(services, member, key_id)
        try:
            return delete_undelivered.delete_key(services, request, event, member.id)
        except StoreUnavailable as error:
            raise DeliveryFailed(Code.RECEIPT_NOT_CONFIRMED, key_id=key_id) from error
        except (IamRefused, Unavailable, OutcomeUnknown) as error:
            aws_code = getattr(error, "aws_code", "")
            raise DeliveryFailed(
                Code.KEY_DELETION_PENDING, key_id=key_id, cause=error.code, aws_code=aws_code
            ) from error

    return retry_on_conflict(attempt, lambda: _busy(key_id))


def _key_and_request(
    services: Services, member: Member, key_id: str
) -> tuple[ManagedKey, KeyRequest]:
    """Return the key of a receipt button, and its request.

    Raises NotYourKey, or StaleKey for the button of an earlier reveal.
    """
    key = services.store.key(key_id)
    request = services.store.request(key.request_id) if key and key.request_id else None
    if key is None or request is None or request.requester != member.id:
        raise NotYourKey
    if request.access_key_id != key_id:
        raise StaleKey(key_id=key_id)
    return key, request


def _busy(key_id: str) -> DeliveryFailed:
    return DeliveryFailed(Code.KEY_BUSY, key_id=key_id)
