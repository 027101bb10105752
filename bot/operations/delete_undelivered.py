"""Delete a key that did not reach its requester, or that may not have.

A deletion is stored before IAM is asked for it, so that the scheduler finishes what a process could
not. Only where the database does not answer is IAM asked first.
"""

from __future__ import annotations

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.errors import DeliveryFailed, WrongState
from bot.domain.keys import AccessKey, DesiredState, ManagedKey, ObservedState, Origin
from bot.domain.outside_errors import (
    Conflict,
    IamRefused,
    OutcomeUnknown,
    StoreUnavailable,
    Unavailable,
)
from bot.domain.records import Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import reconcile
from bot.operations.key_record import managed_key
from bot.operations.services import KEYDESK, Services, retry_on_conflict


def delete_key(
    services: Services, request: KeyRequest, event: Event, by: str, detail: Detail | None = None
) -> KeyRequest:
    """Store that the key of `request` must go, then delete it.

    The request is closed where an approver disabled the key. Otherwise one click would undo what
    the approver decided.

    Only the request is due soon. If the key itself were due, the scheduler might delete it first.
    The request would then meet the key's absence, which proves nothing for minutes.

    Args:
        services: The dependencies.
        request: A request with a key on record.
        event: What leads to the deletion.
        by: The Slack user ID of the member who acts, or `KEYDESK`.
        detail: Why Keydesk deletes the key, for the audit trail.

    Returns:
        The request as `finish_deletion` leaves it.

    Raises:
        Conflict: The request or the key was changed meanwhile. Nothing was done.
        WrongState: The event does not fit the request. Nothing was done.
        IamRefused, IamUnavailable, OutcomeUnknown: The deletion is stored but not done.
    """
    now = services.clock.now()
    key = services.store.key(request.access_key_id)
    stopped_by = key.changed_by if key and policy.disabled_by_approver(key) else request.stopped_by
    deleting = request.transition(
        event, by, now, deadline=services.retry_at(), stopped_by=stopped_by
    )
    key_changes = []
    if key and key.desired is not DesiredState.DELETED:
        check_at = now + services.settings.look_after
        doomed = key.set_desired(DesiredState.DELETED, by, now, check_at=check_at)
        key_changes.append(Change(key, doomed))
    services.commit_transition(request, deleting, *key_changes, detail=detail)
    return finish_deletion(services, deleting)


def finish_deletion(services: Services, request: KeyRequest) -> KeyRequest:
    """Delete the key of a `deleting` request.

    Then allow another reveal, or close the request. The scheduler tries again where the deletion
    is not certain yet, and after an error.

    Returns:
        The request, which is still `deleting` where the deletion is not certain yet.

    Raises:
        IamRefused, IamUnavailable, OutcomeUnknown: The deletion is stored but not done.
    """
    key = services.store.key(request.access_key_id)
    if key is None or not (key.observed is ObservedState.DELETED or reconcile.apply(services, key)):
        retry_at = reconcile.next_retry(services, key) if key else services.retry_at()
        services.store.reschedule(request.name, retry_at)
        return request
    now = services.clock.now()
    may_reveal = request.reveals_left > 0
    moved = request.transition(
        Event.KEY_DELETED if may_reveal else Event.CLOSE,
        KEYDESK,
        now,
        lease=None,
        access_key_id="",
        deleted_keys=(*request.deleted_keys, key.id),
        reveal_round=request.reveal_round + int(may_reveal),
        detail=_deleted_detail(request, key.id, may_reveal=may_reveal),
        deadline=now + services.settings.claim_ttl if may_reveal else None,
    )
    return services.commit_transition(request, moved)


def _deleted_detail(request: KeyRequest, key_id: str, *, may_reveal: bool) -> Detail:
    """Return what the requester is told after the key was deleted."""
    if may_reveal:
        return Detail(Code.KEY_DELETED_REVEAL_AGAIN, {"key_id": key_id})
    facts = {"key_id": key_id, **request.again_facts}
    if request.stopped_by:
        return Detail(Code.KEY_DELETED_STOPPED, {**facts, "by": request.stopped_by})
    return Detail(Code.KEY_DELETED_LAST_REVEAL, facts)


def delete_not_shown(services: Services, issued: KeyRequest, cause: Code) -> DeliveryFailed:
    """Delete the key of `issued`, which was not shown for certain.

    A process that loses the compare-and-set touches nothing: another one has decided about the key.

    Args:
        services: The dependencies.
        issued: The request as this process stored it, with its key on record.
        cause: Why the key was not shown.

    Returns:
        The error to raise. Its code says what became of the key.
    """
    key_id = issued.access_key_id
    try:
        after = delete_key(services, issued, Event.DELETE_UNDELIVERED, KEYDESK, Detail(cause))
    except (Conflict, WrongState):
        return DeliveryFailed(Code.REQUEST_HAS_MOVED_ON, cause=cause, key_id=key_id)
    except StoreUnavailable:
        return _delete_at_once(services, issued.iam_user, key_id, cause)
    except (IamRefused, Unavailable, OutcomeUnknown) as error:
        aws_code = getattr(error, "aws_code", "")
        return DeliveryFailed(
            Code.KEY_DELETION_PENDING, cause=cause, key_id=key_id, aws_code=aws_code
        )
    if after.status is Status.DELETING or after.detail is None:
        return DeliveryFailed(Code.KEY_DELETION_SLOW, cause=cause, key_id=key_id)
    return DeliveryFailed(Code(after.detail.code), cause=cause, **after.detail.facts)


def discard_unrecorded(services: Services, issuing: KeyRequest, key: AccessKey) -> DeliveryFailed:
    """Delete a key that this process has just made and that may not be on record.

    The deletion is stored first where the database answers.

    Args:
        services: The dependencies.
        issuing: The request before the key was recorded.
        key: The key that IAM made.

    Returns:
        The error to raise. Its code says what became of the key.
    """

    def attempt() -> DeliveryFailed | None:
        stored, record = services.get_request(issuing.id), services.store.key(key.id)
        if stored.access_key_id == key.id:  # It was written. Only the answer was lost.
            return delete_not_shown(services, stored, Code.DATABASE_DID_NOT_ANSWER)
        _store_discarded(services, issuing, stored, key, record)
        return None

    try:
        error = retry_on_conflict(attempt, lambda: Conflict(issuing.name))
    except (Conflict, StoreUnavailable):
        error = None  # It is not stored. The key must go all the same.
    return error or _delete_at_once(services, key.iam_user, key.id, Code.KEY_NOT_RECORDED)


def _store_discarded(
    services: Services,
    issuing: KeyRequest,
    stored: KeyRequest,
    key: AccessKey,
    record: ManagedKey | None,
) -> None:
    """Store that the key must be deleted.

    The request may be revealed again if it still has this lease.

    Raises Conflict or StoreUnavailable.
    """
    now = services.clock.now()
    base = record or managed_key(
        issuing, key, Origin.ISSUED, DesiredState.DELETED, ObservedState.UNKNOWN
    )
    discarded = base.set_desired(DesiredState.DELETED, KEYDESK, now, check_at=services.retry_at())
    if stored.status is Status.ISSUING and stored.lease == issuing.lease:
        approved = stored.transition(
            Event.CREATE_FAILED,
            KEYDESK,
            now,
            lease=None,
            detail=Detail(Code.UNRECORDED_KEY_DISCARDED, {"key_id": key.id}),
            deadline=now + services.settings.claim_ttl,
        )
        services.commit_transition(stored, approved, Change(record, discarded))
    else:
        services.commit(
            Change(record, discarded),
            entry=services.key_entry(discarded, record, "discard", KEYDESK),
        )


def _delete_at_once(services: Services, iam_user: str, key_id: str, cause: Code) -> DeliveryFailed:
    """Delete a key in IAM that the database may not know.

    Return the error to raise.
    """
    try:
        services.issuer.delete_key(iam_user, key_id)
    except (IamRefused, Unavailable, OutcomeUnknown) as error:
        aws_code = getattr(error, "aws_code", "")
        return DeliveryFailed(
            Code.UNRECORDED_KEY_NOT_DELETED, cause=cause, key_id=key_id, aws_code=aws_code
        )
    return DeliveryFailed(Code.UNRECORDED_KEY_DELETED, cause=cause, key_id=key_id)
