"""Handing over a key: the one delicate passage. The secret lives in `reveal`, and nowhere else in this process.

It begins there as what `create_key` returns, and is forgotten there, whatever happens. Between the two it is
in AWS's answer and in Slack's message while these calls last. Python cannot wipe a string: what they leave in freed
memory is overwritten when that memory is used again, no sooner.
"""

from __future__ import annotations

from dataclasses import replace

from bot.domain import policy
from bot.domain.errors import (
    AccessKeyLimit,
    Conflict,
    DeliveryFailed,
    IamRefused,
    IamUnavailable,
    KeydeskError,
    Locked,
    OutcomeUnknown,
    Refused,
    StoreUnavailable,
    TooManyKeys,
    Unavailable,
    WrongState,
)
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey, DesiredState, ManagedKey, ObservedState, Origin
from bot.domain.ports import Change
from bot.domain.rate_limits import LimitedAction
from bot.domain.requests import KeyRequest, Lease
from bot.domain.secret import Secret
from bot.domain.states import Event, Status
from bot.operations import free_slot, identify, reconcile
from bot.operations.services import (
    KEYDESK,
    MAX_CONFLICTS,
    Services,
    minutes_text,
)


def reveal(services: Services, member: Member, request_id: str) -> KeyRequest:
    """Makes the key and shows it to its requester, once; returns the request as it then stands.

    `member` must have been asked for anew. Raises NotAllowed, IdentityChanged, WrongState, ClockSkewed, RateLimited,
    IamRefused or Unavailable (nothing was made), or DeliveryFailed, which says what became of the key.
    """
    policy.check_requester(member, services.store.request(request_id))
    services.expire_if_overdue(request_id)
    request = services.get_request(request_id)
    if request.status is not Status.APPROVED:
        raise WrongState(
            request.status, request.story(), request.last_event_by, request.last_event_at
        )
    services.check_clock()
    user = identify.identify(services, member, request.iam_user if request.is_service_user else "")
    policy.check_same_identity(user, request)
    free_slot.check_unchanged(services, request)

    started = services.clock.monotonic()
    issuing = _take_lease(services, request, user)
    give_up_at = started + services.settings.lease_ttl.total_seconds() / 3
    try:
        free_slot.free(services, issuing)
        if services.clock.monotonic() >= give_up_at:
            raise DeliveryFailed(
                "That took too long, so no key was made. Click *Reveal my key* again."
            )
        key, secret = services.issuer.create_key(request.iam_user, give_up_at=give_up_at)
    except (IamRefused, IamUnavailable, DeliveryFailed) as refusal:
        raise _key_not_created(services, issuing, refusal) from refusal
    except OutcomeUnknown as lost:
        raise DeliveryFailed(
            f"AWS did not answer, so I do not know whether a key was made. I will know in about "
            f"{minutes_text(services.settings.look_after)} and tell you here; until then nothing is lost."
        ) from lost
    try:
        issued = _record_key(services, issuing, key)
        _last_check(services, issued, key, started)
        failure = _post_ephemeral(services, issued, key, secret)
    finally:
        secret.forget()  # here its life ends, however this ends
    if failure:
        raise _key_not_shown(
            services,
            issued,
            f"Slack did not confirm that it showed you the key ({failure.sentence.rstrip('.')}).",
        ) from failure
    return _mark_delivered(services, issued, key)


def _post_ephemeral(
    services: Services, issued: KeyRequest, key: AccessKey, secret: Secret
) -> KeydeskError | None:
    """Posts the ephemeral. Returns what kept Slack from confirming that it shows it, or None."""
    try:
        services.messenger.deliver(issued, key, secret)
    except (Refused, OutcomeUnknown, Unavailable) as failure:
        return failure
    return None


def delete_key(
    services: Services, request: KeyRequest, action: Event, by: str, why: str = ""
) -> KeyRequest:
    """Stores that the key on record must go, then deletes it. Raises Conflict, or as `finish_withdrawal`.

    Where an approver has turned the key off, the request closes with it: else a click would take that back.

    The request alone comes due soon: were the key deleted on its own account, the request would meet its absence,
    which proves nothing for minutes.
    """
    now = services.clock.now()
    key = services.store.key(request.access_key_id)
    stopped_by = key.changed_by if key and policy.disabled_by_approver(key) else request.stopped_by
    withdrawing = request.transition(
        action, by, now, deadline=services.retry_at(), stopped_by=stopped_by
    )
    others = (
        [
            Change(
                key,
                key.set_desired(
                    DesiredState.DELETED, by, now, check_at=now + services.settings.look_after
                ),
            )
        ]
        if key and (key.desired is not DesiredState.DELETED)
        else []
    )
    services.commit_transition(request, withdrawing, *others, reason=why)
    return finish_deletion(services, withdrawing)


def finish_deletion(services: Services, request: KeyRequest) -> KeyRequest:
    """Deletes the key of a `withdrawing` request, then lets its person reveal again, or closes it where none is left.

    Returns the request, still `withdrawing` where the deletion is not certain yet. Raises IamRefused,
    IamUnavailable or OutcomeUnknown; the sweeper comes back.
    """
    key = services.store.key(request.access_key_id)
    if key is None or not (key.observed is ObservedState.DELETED or reconcile.apply(services, key)):
        services.store.reschedule(
            request.name, reconcile.next_retry(services, key) if key else services.retry_at()
        )
        return request
    now = services.clock.now()
    again = request.reveals_left > 0
    note = f"{key.id} is withdrawn and does not work, even if it still stands above. " + (
        "You can reveal another."
        if again
        else f"{_why_closed(request)}, so this request is closed: ask again "
        f"with `/key {request.verb_again}`."
    )
    moved = request.transition(
        Event.KEY_DELETED if again else Event.CLOSE,
        KEYDESK,
        now,
        lease=None,
        access_key_id="",
        deleted_keys=(*request.deleted_keys, key.id),
        reveal_round=request.reveal_round + int(again),
        note=note,
        deadline=now + services.settings.claim_ttl if again else None,
    )
    return services.commit_transition(request, moved)


def _why_closed(request: KeyRequest) -> str:
    return (
        f"<@{request.stopped_by}> turned it off"
        if request.stopped_by
        else "That was the last of three reveals"
    )


def _take_lease(services: Services, request: KeyRequest, user: IamUser) -> KeyRequest:
    """Takes the lease by compare-and-set. Two clicks never write the same value: each lease has its own token."""
    now = services.clock.now()
    lease = Lease(
        token=services.new_id(),
        started_at=now,
        ends=now + services.settings.lease_ttl,
        iam_started_at=user.read_at,
    )
    delete_first_at = request.delete_first_at or (now if request.delete_first else None)
    issuing = request.transition(
        Event.REVEAL,
        request.requester,
        now,
        lease=lease,
        access_key_id="",
        note="",
        delete_first_at=delete_first_at,
        deadline=lease.ends,
    )
    gone = free_slot.deletion_changes(services, request, user)
    try:
        return services.commit_transition(
            request,
            issuing,
            *gone,
            reason=f"{request.delete_first} is deleted to make room" if gone else "",
            count=services.usage(LimitedAction.REVEAL, request.requester, now),
        )
    except Conflict:
        current = services.get_request(request.id)
        words = {
            Status.ISSUING: "The key is already being issued; I will tell you here.",
            Status.APPROVED: "Something changed at that very moment, so I have done nothing. Click *Reveal my "
            "key* again.",
        }.get(current.status) or current.story()
        raise WrongState(
            current.status, words, current.last_event_by, current.last_event_at
        ) from None
    except Locked:
        raise WrongState(
            Status.ISSUING,
            "Another key for your IAM user is being issued at this moment. Try again in a minute.",
        ) from None


def _key_not_created(
    services: Services, issuing: KeyRequest, refusal: KeydeskError
) -> KeydeskError:
    """No key was made, for certain: back to `approved`. Returns what to tell, with the two keys at the limit."""
    told = refusal
    if isinstance(refusal, AccessKeyLimit):
        try:
            policy.check_free_slot(services.issuer.keys(issuing.iam_user))
        except TooManyKeys as full:
            told = full
        except (IamRefused, Unavailable):
            told = refusal  # the limit is certain; which keys fill it is not worth a second refusal
    if issuing.delete_first and not isinstance(refusal, DeliveryFailed):
        why = (
            told.sentence
            if told is not refusal or isinstance(refusal, AccessKeyLimit | IamUnavailable)
            else (f"AWS made no new key ({getattr(refusal, 'aws_code', '')}).")
        )  # its own sentence says that nothing was changed
        told = DeliveryFailed(
            f"{why} The old key {issuing.delete_first} is gone, so reveal again: click *Reveal my key*."
        )
    now = services.clock.now()
    try:
        services.commit_transition(
            issuing,
            issuing.transition(
                Event.CREATE_FAILED,
                KEYDESK,
                now,
                lease=None,
                note=told.sentence,
                deadline=now + services.settings.claim_ttl,
            ),
            reason=told.sentence,
        )
    except (Conflict, StoreUnavailable):
        return told  # the lease runs out and the look finds nothing
    return told


def _record_key(services: Services, issuing: KeyRequest, key: AccessKey) -> KeyRequest:
    """Puts the key ID on record, in one commit with the new managed key. Whoever cannot shows nothing."""
    issued = issuing.transition(
        Event.RECORD_KEY, issuing.requester, services.clock.now(), access_key_id=key.id
    )
    made = managed_key(issuing, key, Origin.ISSUED, DesiredState.ACTIVE, ObservedState.ACTIVE)
    old = issuing.target if issuing.target != issuing.delete_first else ""
    record = replace(made, replaces=old)
    try:
        return services.commit_transition(issuing, issued, Change(None, record))
    except (Conflict, StoreUnavailable):
        raise _discard_key(services, issuing, key) from None


def _discard_key(services: Services, issuing: KeyRequest, key: AccessKey) -> DeliveryFailed:
    """The key just made may not be on record: it goes, by a stored intent where the store answers."""
    fresh = managed_key(issuing, key, Origin.ISSUED, DesiredState.DELETED, ObservedState.UNKNOWN)
    for _ in range(MAX_CONFLICTS):
        try:
            stored, known = services.get_request(issuing.id), services.store.key(key.id)
            if stored.access_key_id == key.id:  # it was written after all; only the answer was lost
                return _key_not_shown(services, stored, "The desk's memory did not answer in time.")
            now = services.clock.now()
            discard = (known or fresh).set_desired(
                DesiredState.DELETED, KEYDESK, now, check_at=services.retry_at()
            )
            if stored.status is Status.ISSUING and stored.lease == issuing.lease:
                note = f"{key.id} could not be put on record and goes again: do not use it. You can reveal another."
                services.commit_transition(
                    stored,
                    stored.transition(
                        Event.CREATE_FAILED,
                        KEYDESK,
                        now,
                        lease=None,
                        note=note,
                        deadline=now + services.settings.claim_ttl,
                    ),
                    Change(known, discard),
                )
            else:
                services.commit(
                    Change(known, discard),
                    entry=services.key_entry(discard, known, "discard", KEYDESK),
                )
            break
        except Conflict:
            continue
        except StoreUnavailable:
            break
    return _delete_unrecorded(
        services, key.iam_user, key.id, "I could not put the new key on record."
    )


def _delete_unrecorded(services: Services, iam_user: str, key_id: str, why: str) -> DeliveryFailed:
    """A key that this process has just made goes at once, though the store may not know it. Returns what to tell."""
    try:
        services.issuer.delete_key(iam_user, key_id)
    except (IamRefused, Unavailable, OutcomeUnknown) as problem:
        return DeliveryFailed(
            f"{why} {key_id} could not be deleted yet either ({problem.sentence.rstrip('.')}): do "
            "not use it. I keep at it and tell you here."
        )
    return DeliveryFailed(
        f"{why} {key_id} is deleted again: do not use it. When the desk is back, your newest "
        "message here says what comes next."
    )


def _last_check(services: Services, issued: KeyRequest, key: AccessKey, started: float) -> None:
    """Just before posting: the lease is not over, and the key is still wanted. Else it is withdrawn, unseen."""
    late = services.clock.monotonic() - started >= services.settings.lease_ttl.total_seconds()
    try:
        stored, record = services.store.request(issued.id), services.store.key(key.id)
    except StoreUnavailable:
        raise _key_not_shown(
            services, issued, "The desk's memory did not answer, so I did not show the key."
        ) from None
    stands = (
        stored is not None and stored.version == issued.version and stored.lease == issued.lease
    )
    if record is not None and record.desired is not DesiredState.ACTIVE:
        raise _key_not_shown(
            services, issued, "The key was turned off meanwhile, so I did not show it."
        )
    if late or not stands or record is None:
        raise _key_not_shown(services, issued, "That took too long, so I did not show the key.")


def _key_not_shown(services: Services, issued: KeyRequest, why: str) -> DeliveryFailed:
    """The key must go. Returns what to tell; who loses the compare-and-set touches nothing."""
    key_id = issued.access_key_id
    try:
        after = delete_key(services, issued, Event.DELETE_UNDELIVERED, KEYDESK, why)
    except (Conflict, WrongState):
        return DeliveryFailed(
            f"{why} The request has moved on meanwhile; your newest message here says how "
            f"{key_id} stands."
        )
    except StoreUnavailable:
        return _delete_unrecorded(services, issued.iam_user, key_id, why)
    except (IamRefused, Unavailable, OutcomeUnknown):
        return DeliveryFailed(
            f"{why} {key_id} is being withdrawn: do not use it. When it is gone, I tell you here "
            "what comes next."
        )
    if after.status is Status.DELETING:
        return DeliveryFailed(
            f"{why} {key_id} is being withdrawn, which AWS takes a few minutes for: do not use it."
        )
    then = (
        "Click *Reveal my key* for another."
        if after.reveals_left
        else (f"{_why_closed(after)}, so this request is closed.")
    )
    return DeliveryFailed(
        f"{why} {key_id} is withdrawn and does not work, even if it stands above. {then}"
    )


def _mark_delivered(services: Services, issued: KeyRequest, key: AccessKey) -> KeyRequest:
    """Slack accepted the ephemeral. Where that cannot be noted any more, the person is told if the key is gone."""
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
        return issued  # the lease runs out with a key ID on record, and the person is asked
    except Conflict:
        return _overtaken(services, issued, key)


def _overtaken(services: Services, issued: KeyRequest, key: AccessKey) -> KeyRequest:
    """The request moved on while Slack showed the key. Raises DeliveryFailed unless the key is still wanted active."""
    try:
        record, request = services.store.key(key.id), services.get_request(issued.id)
    except StoreUnavailable:
        raise DeliveryFailed(
            f"The desk's memory does not answer, so I cannot say whether {key.id} above still stands: "
            "do not use it before your newest message here says so."
        ) from None
    if record is None or record.desired is not DesiredState.ACTIVE:
        raise DeliveryFailed(
            f"{key.id} above is withdrawn or turned off: do not use it. Your newest message here says "
            "what comes next."
        )
    return request


def managed_key(
    request: KeyRequest,
    key: AccessKey,
    origin: Origin,
    desired: DesiredState,
    observed: ObservedState,
) -> ManagedKey:
    """The record, not stored yet, of a key that a request made. Its life is counted from when IAM made it."""
    ends = None if request.lifetime is None else key.created_at + request.lifetime
    return ManagedKey(
        id=key.id,
        account=request.account,
        iam_user=request.iam_user,
        owner=request.requester,
        request_id=request.id,
        origin=origin,
        created_at=key.created_at,
        desired=desired,
        observed=observed,
        dm=request.dm,
        is_service_user=request.is_service_user,
        urgent=request.urgent,
        expires_at=ends,
        version=1,
    )
