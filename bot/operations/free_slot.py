"""Making room: with both of IAM's slots taken, how does the key that the person let go die at the reveal click?"""

from __future__ import annotations

import contextlib

from bot.domain.errors import (
    Conflict,
    DeliveryFailed,
    IamRefused,
    OutcomeUnknown,
    Refused,
    Unavailable,
)
from bot.domain.identity import IamUser
from bot.domain.keys import DesiredState, InactiveReason, ObservedState
from bot.domain.ports import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event
from bot.operations import disable_key, reconcile
from bot.operations.services import KEYDESK, Services


def check_unchanged(services: Services, request: KeyRequest) -> None:
    """The key that is to die at this click must be as the dialog showed it, else that is drawn anew. Raises Refused."""
    if not request.delete_first or _is_being_deleted(services, request.delete_first):
        return
    keys = services.issuer.keys(request.iam_user)
    now, then = (
        next((key for key in keys if key.id == request.delete_first), None),
        request.key(request.delete_first),
    )
    if now is None or now == then:
        return  # gone already, or as it was
    if now.last_used is None and not (then and then.last_used is None):
        # No change to be shown: drawn so, it would be refused as changed once more when AWS knows the key again.
        raise Refused(
            f"AWS does not say at the moment when {now.id}, which is deleted when you reveal the new key, "
            "was last used: it might have been used since you were asked. I have done nothing: click *Reveal "
            "my key* again in a minute."
        )
    with contextlib.suppress(Conflict):  # another click was faster: nothing is done either way
        services.commit_transition(
            request, request.transition(Event.REFRESH, KEYDESK, services.clock.now(), keys=keys)
        )
    raise Refused(
        f"{now.id}, which is deleted when you reveal the new key, has changed since you were asked: it is "
        f"{now.status.lower()}. I have done nothing. If it may go all the "
        "same, click *Reveal my key* again."
    )


def _is_being_deleted(services: Services, key_id: str) -> bool:
    record = services.store.key(key_id)
    return record is not None and record.desired is DesiredState.DELETED


def free(services: Services, issuing: KeyRequest) -> None:
    """Deletes the key that the person let go; its end was stored with the lease. Raises DeliveryFailed."""
    if not issuing.delete_first:
        return
    try:
        record = services.store.key(issuing.delete_first)
        certain = (
            record is None
            or record.observed is ObservedState.DELETED
            or reconcile.apply(services, record)
        )
    except (IamRefused, Unavailable, OutcomeUnknown) as problem:
        raise DeliveryFailed(
            f"{issuing.delete_first} could not be deleted yet ({problem.sentence.rstrip('.')}), so no new "
            "key was made. I keep at it: click *Reveal my key* again in a minute."
        ) from problem
    if not certain:
        raise DeliveryFailed(
            f"{issuing.delete_first} is not gone for certain yet, so no new key was made. Click *Reveal "
            "my key* again in a few minutes."
        )


def deletion_changes(services: Services, request: KeyRequest, user: IamUser) -> list[Change]:
    """The end of the key that makes room, stored before it is carried out."""
    if not request.delete_first or _is_being_deleted(services, request.delete_first):
        return []
    key = request.key(request.delete_first)
    record = services.store.key(request.delete_first)
    if key is None:
        return []
    base = record or disable_key.adopted_key(user.account, key, request.requester)
    gone = base.set_desired(
        DesiredState.DELETED,
        request.requester,
        services.clock.now(),
        check_at=services.retry_at(),
        inactive_reason=InactiveReason.ROTATED,
    )
    return [Change(record, gone), *disable_key.closing_changes(services, gone, request.requester)]
