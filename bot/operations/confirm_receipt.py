"""The receipt: the person says that the key has arrived, that it has not, or that they want another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain import policy
from bot.domain.errors import (
    Conflict,
    DeliveryFailed,
    IamRefused,
    NotYourKey,
    OutcomeUnknown,
    StaleKey,
    StoreUnavailable,
    Unavailable,
)
from bot.domain.identity import Member
from bot.domain.keys import (
    DesiredState,
    InactiveReason,
    ManagedKey,
    ObservedState,
)
from bot.domain.ports import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import expire_keys, finish_rotation, identify, reconcile, reveal_key
from bot.operations.services import MAX_CONFLICTS, Services


def confirm(services: Services, member: Member, key_id: str) -> KeyRequest:
    """**I have it**, **I saved it**: the receipt. An unclaimed key is made active again. Twice is well.

    One that an approver turned off, or that is reported, stays off: the receipt is noted, and is no way around them.

    Raises NotYourKey, StaleKey, WrongState, IamRefused or Unavailable, KeyIsLeaked, DeliveryFailed where the key to
    be enabled is gone, NotAllowed or NoIamUser where its IAM user is not theirs any more, or ChangePending where AWS did
    not confirm that it is active.
    """
    for _ in range(MAX_CONFLICTS):
        key, request = _key_and_request(services, member, key_id)
        if request.status is Status.CONFIRMED:
            return request
        now = services.clock.now()
        confirmed = request.transition(Event.CONFIRM, member.id, now, deadline=None, note="")
        over = (
            key.is_over(now) and key.inactive_reason is InactiveReason.UNCLAIMED
        )  # its end is a promise: the receipt does not move it
        enabling = (
            request.status is Status.UNCLAIMED
            and key.inactive_reason is not InactiveReason.EXPIRED
            and not over
            and not _must_stay_off(key)
        )
        if enabling and key.desired is DesiredState.DELETED:
            raise DeliveryFailed(f"{key_id} is being deleted. *Replace it* gives you another.")
        if enabling and reconcile.observe(services, key) is ObservedState.DELETED:
            raise DeliveryFailed(f"{key_id} is gone from AWS. *Replace it* gives you another.")
        if enabling:
            policy.check_still_owner(
                identify.identify(services, member, key.iam_user if key.is_service_user else ""),
                key,
            )
        grace = finish_rotation.start_grace_period(services, key, request)
        wants = (
            key.set_desired(
                DesiredState.ACTIVE, member.id, now, check_at=services.retry_at(), **grace
            )
            if enabling
            else (
                expire_keys.expired_key(services, key, **grace)
                if over
                else _with_receipt(key, grace)
            )
        )
        try:
            services.commit_transition(
                request, confirmed, *([Change(key, wants)] if wants is not key else [])
            )
        except Conflict:
            continue
        if enabling:
            reconcile.apply_or_raise(services, wants)
        return confirmed
    raise _busy(key_id)


def _must_stay_off(key: ManagedKey) -> bool:
    """Is it not its person's alone to turn this key on? One that leaked is refused, in words of its own."""
    theirs = policy.disabled_by_approver(key) or key.reported_at is not None
    return theirs and key.desired is DesiredState.INACTIVE and not key.leaked


def _with_receipt(key: ManagedKey, grace: Mapping[str, Any]) -> ManagedKey:
    """The key with its receipt, on or off as it is; it is not unclaimed any more, so its own end counts again."""
    noted = (
        {**grace, "inactive_reason": InactiveReason.NONE}
        if key.inactive_reason is InactiveReason.UNCLAIMED
        else grace
    )
    return key.updated(**noted) if noted else key


def did_not_get(services: Services, member: Member, key_id: str) -> KeyRequest:
    """**I did not get it**: withdraws the key and brings **Reveal my key** back under the same approval.

    Where an approver has turned that key off, the request closes instead.

    Raises NotYourKey, StaleKey, WrongState, or DeliveryFailed where the withdrawal is not certain yet.
    """
    return _return_key(services, member, key_id, Event.DID_NOT_GET)


def replace_key(services: Services, member: Member, key_id: str) -> KeyRequest:
    """**Replace it**: withdraws an unclaimed key, and goes on and raises as `did_not_get`."""
    return _return_key(services, member, key_id, Event.REPLACE)


def _return_key(services: Services, member: Member, key_id: str, action: Event) -> KeyRequest:
    for _ in range(MAX_CONFLICTS):
        _, request = _key_and_request(services, member, key_id)
        try:
            return reveal_key.delete_key(services, request, action, member.id)
        except Conflict:
            continue
        except StoreUnavailable as problem:
            raise DeliveryFailed(
                "The desk's memory did not answer, so I cannot say whether that is noted. Look at "
                f"your newest message here in a minute: if it still asks about {key_id}, click again."
            ) from problem
        except (IamRefused, Unavailable, OutcomeUnknown) as problem:
            raise DeliveryFailed(
                f"{key_id} is being withdrawn: {problem.sentence} I keep trying, and tell you here "
                "what comes next when it is gone."
            ) from problem
    raise _busy(key_id)


def _key_and_request(
    services: Services, member: Member, key_id: str
) -> tuple[ManagedKey, KeyRequest]:
    """The key of a receipt button and its request. A button of an older reveal moves nothing."""
    key = services.store.key(key_id)
    request = services.store.request(key.request_id) if key and key.request_id else None
    if key is None or request is None or request.requester != member.id:
        raise NotYourKey
    if request.access_key_id != key_id:
        raise StaleKey(key_id)
    return key, request


def _busy(key_id: str) -> DeliveryFailed:
    return DeliveryFailed(
        f"{key_id} is being changed at this moment. Look at your newest message here and try again."
    )
