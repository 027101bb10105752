"""Create an access key and show it to its requester, once.

Only `reveal` holds the secret, from the return of `create_key` to a `finally` block that forgets
it, however the reveal ends. While two calls last, the secret is also in the answer from AWS and in
the message to Slack. It is never stored, logged or put into an error.

Python cannot erase a string. What the calls leave in freed memory stays there until the memory is
used again.

The order of the steps makes sure that no key stays active unless its requester may have it:

1. Take the lease: only one process may create a key for this IAM user.
2. Delete the old key of a rotation where both slots are taken (`free_slot`).
3. Create the key in IAM.
4. Store the key ID and the record of the key, in one commit.
5. Read both again, just before the key is shown.
6. Show the key in an ephemeral message.
7. Forget the secret.
8. Store that the key was delivered.

Where step 4, 5 or 6 fails, `delete_undelivered` deletes the key. Where step 8 fails, the key stays,
and the requester is asked for a receipt. Where the process dies, `recover_delivery` finds the key
after the lease has ended.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.errors import DeliveryFailed, KeydeskError, Refused, TooManyKeys, WrongState
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey, DesiredState, ObservedState, Origin
from bot.domain.outside_errors import (
    AccessKeyLimit,
    Conflict,
    IamRefused,
    IamUnavailable,
    Locked,
    OutcomeUnknown,
    StoreUnavailable,
    Unavailable,
)
from bot.domain.rate_limits import LimitedAction
from bot.domain.records import Change
from bot.domain.requests import KeyRequest, Lease
from bot.domain.secret import Secret
from bot.domain.states import Event, Status
from bot.operations import delete_undelivered, free_slot, identify
from bot.operations.key_record import managed_key
from bot.operations.services import KEYDESK, Services


def reveal(services: Services, member: Member, request_id: str) -> KeyRequest:
    """Create the key of an approved request and show it to its requester, once.

    Args:
        services: The dependencies.
        member: The member who clicked, as Slack describes them now and not from a cache.
        request_id: The request to reveal.

    Returns:
        The request as it stands after the reveal.

    Raises:
        NotAllowed: The member is not the requester, or does not own the IAM user any more.
        WrongState: The request is not approved, or another reveal is running.
        ClockSkewed: The clocks of this process and of the database differ.
        IdentityChanged: The requester's IAM user is not the one of the request any more.
        Refused: The key that would be deleted first has changed. Nothing was deleted.
        RateLimited: The requester has revealed too often in this hour.
        IamRefused, Unavailable: No key was created.
        DeliveryFailed: No key was delivered. The code says what became of the key.
    """
    policy.check_requester(member, services.store.request(request_id))
    services.expire_if_overdue(request_id)
    request = services.get_request(request_id)
    if request.status is not Status.APPROVED:
        raise request.wrong_state()
    services.check_clock()
    user = identify.identify(services, member, request.iam_user if request.is_service_user else "")
    policy.check_same_identity(user, request)
    free_slot.check_unchanged(services, request)

    started = services.clock.monotonic()
    issuing = _take_lease(services, request, user)
    key, secret = _free_slot_and_create_key(services, issuing, started)
    try:
        issued = _record_key(services, issuing, key)
        _check_before_showing(services, issued, key, started)
        failure = _post_ephemeral(services, issued, key, secret)
    finally:
        secret.forget()  # The life of the secret ends here, however the reveal ends.
    if failure:
        raise delete_undelivered.delete_not_shown(
            services, issued, Code.SLACK_DID_NOT_CONFIRM
        ) from failure
    return _mark_delivered(services, issued, key)


def _free_slot_and_create_key(
    services: Services, issuing: KeyRequest, started: float
) -> tuple[AccessKey, Secret]:
    """Free a slot if the request says so, then create the key.

    It gives up after a third of the lease, counted from `started` (monotonic seconds).
    """
    give_up_at = started + services.settings.lease_ttl.total_seconds() / 3
    try:
        free_slot.free(services, issuing)
        if services.clock.monotonic() >= give_up_at:
            raise DeliveryFailed(Code.REVEAL_TOOK_TOO_LONG)
        return services.issuer.create_key(issuing.iam_user, give_up_at=give_up_at)
    except (IamRefused, IamUnavailable, DeliveryFailed) as error:
        raise _key_not_created(services, issuing, error) from error
    except OutcomeUnknown as lost:
        wait = services.settings.look_after.total_seconds()
        raise DeliveryFailed(Code.KEY_CREATION_UNCONFIRMED, wait=wait) from lost


def _post_ephemeral(
    services: Services, issued: KeyRequest, key: AccessKey, secret: Secret
) -> KeydeskError | None:
    """Show the key in an ephemeral message.

    Returns None where Slack confirmed it, otherwise the error that says why it did not. The error
    is returned so that the caller forgets the secret before it deletes the key.
    """
    try:
        services.messenger.deliver(issued, key, secret)
    except (Refused, OutcomeUnknown, Unavailable) as failure:
        return failure
    return None


def _take_lease(services: Services, request: KeyRequest, user: IamUser) -> KeyRequest:
    """Take the right to create one key, by compare-and-set.

    Each lease has its own token, so that two clicks never write the same value. The deletion of an
    old key is stored in the same commit.

    Returns the request, now `issuing`. Raises WrongState or RateLimited: nothing was done.
    """
    now = services.clock.now()
    lease = Lease(
        token=services.new_id(),
        started_at=now,
        ends=now + services.settings.lease_ttl,
        iam_started_at=user.read_at,
    )
    issuing = request.transition(
        Event.REVEAL,
        request.requester,
        now,
        lease=lease,
        access_key_id="",
        detail=None,
        delete_first_at=request.delete_first_at or (now if request.delete_first else None),
        deadline=lease.ends,
    )
    deletions = free_slot.deletion_changes(services, request, user)
    freed = Detail(Code.SLOT_FREED, {"key_id": request.delete_first}) if deletions else None
    try:
        return services.commit_transition(
            request,
            issuing,
            *deletions,
            detail=freed,
            usage=services.usage(LimitedAction.REVEAL, request.requester, now),
        )
    except Conflict:
        raise _reveal_overtaken(services, request.id) from None
    except Locked:
        raise WrongState(Code.OTHER_REVEAL_RUNNING, status=Status.ISSUING.value) from None


def _reveal_overtaken(services: Services, request_id: str) -> WrongState:
    """Return the error for a click that lost the compare-and-set for the lease."""
    current = services.get_request(request_id)
    codes = {Status.ISSUING: Code.REVEAL_RUNNING, Status.APPROVED: Code.REQUEST_JUST_CHANGED}
    return current.wrong_state(codes.get(current.status, Code.REQUEST_MOVED_ON))


def _key_not_created(services: Services, issuing: KeyRequest, error: KeydeskError) -> KeydeskError:
    """Allow another reveal, since IAM created no key for certain.

    Returns the error to raise. At IAM's limit it names the two keys that fill the slots. Where the
    old key was deleted for the new one, it says so.
    """
    reason = error
    if isinstance(error, AccessKeyLimit):
        try:
            policy.check_free_slot(services.issuer.keys(issuing.iam_user))
        except TooManyKeys as full:
            reason = full
        except (IamRefused, Unavailable):
            reason = error  # The limit is certain. Which keys fill the slots is not worth an error.
    facts = {"cause": reason.code, "aws_code": getattr(error, "aws_code", "")}
    if isinstance(error, DeliveryFailed):
        detail = error.detail()
    elif issuing.delete_first:
        reason = DeliveryFailed(
            Code.OLD_KEY_DELETED_NO_NEW_KEY, key_id=issuing.delete_first, **facts
        )
        detail = reason.detail()
    else:
        detail = Detail(Code.KEY_NOT_CREATED, facts)
    now = services.clock.now()
    approved = issuing.transition(
        Event.CREATE_FAILED,
        KEYDESK,
        now,
        lease=None,
        detail=detail,
        deadline=now + services.settings.claim_ttl,
    )
    try:
        services.commit_transition(issuing, approved, detail=detail)
    except (Conflict, StoreUnavailable):
        return reason  # The lease runs out, and the orphan check finds nothing.
    return reason


def _record_key(services: Services, issuing: KeyRequest, key: AccessKey) -> KeyRequest:
    """Store the key ID and the record of the key, in one commit.

    Returns the request with its key. Raises DeliveryFailed where that fails: the key is not shown.
    """
    issued = issuing.transition(
        Event.RECORD_KEY, issuing.requester, services.clock.now(), access_key_id=key.id
    )
    record = replace(
        managed_key(issuing, key, Origin.ISSUED, DesiredState.ACTIVE, ObservedState.ACTIVE),
        replaces=issuing.target if issuing.target != issuing.delete_first else "",
    )
    try:
        return services.commit_transition(issuing, issued, Change(None, record))
    except (Conflict, StoreUnavailable):
        raise delete_undelivered.discard_unrecorded(services, issuing, key) from None


def _check_before_showing(
    services: Services, issued: KeyRequest, key: AccessKey, started: float
) -> None:
    """Check that the lease still runs and that the key is still to be active.

    `started` is the monotonic time in seconds at which the lease was taken. Raises DeliveryFailed,
    after the key was deleted, where the key must not be shown.
    """
    late = services.clock.monotonic() - started >= services.settings.lease_ttl.total_seconds()
    try:
        stored, record = services.store.request(issued.id), services.store.key(key.id)
    except StoreUnavailable:
        raise delete_undelivered.delete_not_shown(
            services, issued, Code.DATABASE_DID_NOT_ANSWER
        ) from None
    unchanged = (
        stored is not None and stored.version == issued.version and stored.lease == issued.lease
    )
    if record is not None and record.desired is not DesiredState.ACTIVE:
        raise delete_undelivered.delete_not_shown(services, issued, Code.KEY_STOPPED_BEFORE_SHOWN)
    if late or not unchanged or record is None:
        raise delete_undelivered.delete_not_shown(services, issued, Code.LEASE_EXPIRED)


def _mark_delivered(services: Services, issued: KeyRequest, key: AccessKey) -> KeyRequest:
    """Store that Slack accepted the ephemeral. Return the request as it stands.

    Raises DeliveryFailed where the key that was shown is not active any more.
    """
    now = services.clock.now()
    delivered = issued.transition(
        Event.DELIVER,
        issued.requester,
        now,
        reveals=issued.reveals + 1,
        delivered_at=now,
        reminded_at=None,
        deadline=now + services.settings.receipt_ttl / 2,
    )
    try:
        return services.commit_transition(issued, delivered)
    except StoreUnavailable:
        return issued  # The lease runs out with a key ID on record, and the requester is asked.
    except Conflict:
        return _check_shown_key(services, issued, key)


def _check_shown_key(services: Services, issued: KeyRequest, key: AccessKey) -> KeyRequest:
    """Return the request, which changed while Slack showed the key.

    Raises DeliveryFailed where the key is not to be active, or where the database cannot say.
    """
    try:
        record, request = services.store.key(key.id), services.get_request(issued.id)
    except StoreUnavailable:
        raise DeliveryFailed(Code.SHOWN_KEY_UNCERTAIN, key_id=key.id) from None
    if record is None or record.desired is not DesiredState.ACTIVE:
        raise DeliveryFailed(Code.SHOWN_KEY_INACTIVE, key_id=key.id)
    return request
