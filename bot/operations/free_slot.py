"""Free one of IAM's two slots before a rotation creates its new key.

The requester chose the key to delete when they asked for the rotation. It is deleted at the reveal
click and not before, so that a request that ends earlier deletes nothing.
"""

from __future__ import annotations

import contextlib

from bot.domain.codes import Code
from bot.domain.errors import DeliveryFailed, Refused
from bot.domain.identity import IamUser
from bot.domain.keys import DesiredState, InactiveReason, ObservedState
from bot.domain.outside_errors import Conflict, IamRefused, OutcomeUnknown, Unavailable
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event
from bot.operations import disable_key, reconcile
from bot.operations.services import KEYDESK, Services


def check_unchanged(services: Services, request: KeyRequest) -> None:
    """Check that the key to delete is as the confirmation dialog showed it.

    Where it changed, the request is refreshed, so that the next dialog shows the key as it is now.

    Raises:
        Refused: The key has changed, or AWS cannot say when it was last used. Nothing was deleted.
        IamRefused, Unavailable: IAM did not list the keys.
    """
    if not request.delete_first or _is_being_deleted(services, request.delete_first):
        return
    keys = services.issuer.keys(request.iam_user)
    key = next((key for key in keys if key.id == request.delete_first), None)
    shown = request.key(request.delete_first)
    if key is None or key == shown:
        return  # gone already, or unchanged
    if key.last_used is None and not (shown and shown.last_used is None):
        # Do not refresh the request. The next dialog would show an unknown last use, and the click
        # would be refused once more as soon as AWS knows the last use again.
        raise Refused(Code.LAST_USE_UNKNOWN, key_id=key.id)
    with contextlib.suppress(Conflict):  # Another click was faster. Both are refused.
        services.commit_transition(
            request, request.transition(Event.REFRESH, KEYDESK, services.clock.now(), keys=keys)
        )
    raise Refused(Code.KEY_TO_DELETE_CHANGED, key_id=key.id, key=key)


def _is_being_deleted(services: Services, key_id: str) -> bool:
    """Return True if it is on record that the key must be deleted."""
    record = services.store.key(key_id)
    return record is not None and record.desired is DesiredState.DELETED


def free(services: Services, issuing: KeyRequest) -> None:
    """Delete the key that the requester chose. Its deletion was stored with the lease.

    Raises DeliveryFailed where the deletion is not certain: no new key may be created then.
    """
    if not issuing.delete_first:
        return
    key_id = issuing.delete_first
    try:
        record = services.store.key(key_id)
        certain = (
            record is None
            or record.observed is ObservedState.DELETED
            or reconcile.apply(services, record)
        )
    except OutcomeUnknown as lost:
        raise DeliveryFailed(Code.OLD_KEY_DELETION_UNCONFIRMED, key_id=key_id) from lost
    except (IamRefused, Unavailable) as error:
        aws_code = getattr(error, "aws_code", "")
        raise DeliveryFailed(
            Code.OLD_KEY_NOT_DELETED, key_id=key_id, cause=error.code, aws_code=aws_code
        ) from error
    if not certain:
        raise DeliveryFailed(Code.OLD_KEY_DELETION_UNCONFIRMED, key_id=key_id)


def deletion_changes(services: Services, request: KeyRequest, user: IamUser) -> list[Change]:
    """Return the changes that store the deletion of the chosen key.

    They are committed before IAM is asked to delete it.

    The list is empty where no key has to go, or where its deletion is stored already. A request
    that waits for a receipt of that key is closed.
    """
    if not request.delete_first or _is_being_deleted(services, request.delete_first):
        return []
    key = request.key(request.delete_first)
    if key is None:
        return []
    record = services.store.key(request.delete_first)
    base = record or disable_key.adopted_key(user.account, key, request.requester)
    deleted = base.set_desired(
        DesiredState.DELETED,
        request.requester,
        services.clock.now(),
        check_at=services.retry_at(),
        inactive_reason=InactiveReason.ROTATED,
    )
    closing = disable_key.closing_changes(services, deleted, request.requester)
    return [Change(record, deleted), *closing]
