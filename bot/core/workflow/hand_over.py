"""Handing over a key: the one delicate passage. The secret lives in `reveal`, and nowhere else in this process.

It begins there as what `create_key` returns, and is forgotten there, whatever happens. Between the two it is
in AWS's answer and in Slack's message while these calls last. Python cannot wipe a string: what they leave in freed
memory is overwritten when that memory is used again, no sooner.
"""

from __future__ import annotations

from dataclasses import replace

from bot.core import policy
from bot.core.access_key import AccessKey, ManagedKey, Origin, Secret, Shown, Wanted
from bot.core.counting import Deed
from bot.core.errors import (
    Conflict,
    HandOverFailed,
    Held,
    IamRefused,
    IamUnavailable,
    KeydeskError,
    KeyLimit,
    OutcomeUnknown,
    Refused,
    StoreUnavailable,
    TooManyKeys,
    Unavailable,
    WrongState,
)
from bot.core.moves import Action, Status
from bot.core.people import IamUser, Member
from bot.core.ports import Change
from bot.core.request import KeyRequest, Lease
from bot.core.workflow import intent, room
from bot.core.workflow.desk import CONFLICT_TRIES, KEYDESK, Desk, in_words


def reveal(desk: Desk, member: Member, request_id: str) -> KeyRequest:
    """Makes the key and shows it to its requester, once; returns the request as it then stands.

    `member` must have been asked for anew. Raises NotAllowed, IdentityChanged, WrongState, ClockIsOff, OverLimit,
    IamRefused or Unavailable (nothing was made), or HandOverFailed, which says what became of the key.
    """
    policy.is_requester(member, desk.store.request(request_id))
    desk.lapse_if_overdue(request_id)
    request = desk.found(request_id)
    if request.status is not Status.APPROVED:
        raise WrongState(request.status, request.story(), request.moved_by, request.moved_at)
    desk.trust_clock()
    user = desk.identify(member, request.iam_user if request.service else "")
    policy.is_same_identity(user, request)
    room.unchanged(desk, request)

    started = desk.clock.monotonic()
    issuing = _begin(desk, request, user)
    give_up_at = started + desk.rules.lease_ttl.total_seconds() / 3
    try:
        room.make(desk, issuing)
        if desk.clock.monotonic() >= give_up_at:
            raise HandOverFailed(
                "That took too long, so no key was made. Click *Reveal my key* again."
            )
        key, secret = desk.issuer.create_key(request.iam_user, give_up_at=give_up_at)
    except (IamRefused, IamUnavailable, HandOverFailed) as refusal:
        raise _refused(desk, issuing, refusal) from refusal
    except OutcomeUnknown as lost:
        raise HandOverFailed(
            f"AWS did not answer, so I do not know whether a key was made. I will know in about "
            f"{in_words(desk.rules.look_after)} and tell you here; until then nothing is lost."
        ) from lost
    try:
        issued = _record(desk, issuing, key)
        _last_look(desk, issued, key, started)
        failure = _shown(desk, issued, key, secret)
    finally:
        secret.forget()  # here its life ends, however this ends
    if failure:
        raise _not_shown(
            desk,
            issued,
            f"Slack did not confirm that it showed you the key ({failure.sentence.rstrip('.')}).",
        ) from failure
    return _handed_over(desk, issued, key)


def _shown(desk: Desk, issued: KeyRequest, key: AccessKey, secret: Secret) -> KeydeskError | None:
    """Posts the ephemeral. Returns what kept Slack from confirming that it shows it, or None."""
    try:
        desk.messenger.hand_over(issued, key, secret)
    except (Refused, OutcomeUnknown, Unavailable) as failure:
        return failure
    return None


def withdraw(desk: Desk, request: KeyRequest, action: Action, by: str, why: str = "") -> KeyRequest:
    """Stores that the key on record must go, then deletes it. Raises Conflict, or as `finish_withdrawal`.

    Where an approver has turned the key off, the request closes with it: else a click would take that back.

    The request alone comes due soon: were the key deleted on its own account, the request would meet its absence,
    which proves nothing for minutes.
    """
    now = desk.clock.now()
    key = desk.store.key(request.access_key_id)
    stopped_by = key.changed_by if key and policy.ended_by_approver(key) else request.stopped_by
    withdrawing = request.move(action, by, now, deadline=desk.soon(), stopped_by=stopped_by)
    others = (
        [Change(key, key.want(Wanted.DELETED, by, now, due=now + desk.rules.look_after))]
        if key and (key.wanted is not Wanted.DELETED)
        else []
    )
    desk.write(request, withdrawing, *others, why=why)
    return finish_withdrawal(desk, withdrawing)


def finish_withdrawal(desk: Desk, request: KeyRequest) -> KeyRequest:
    """Deletes the key of a `withdrawing` request, then lets its person reveal again, or closes it where none is left.

    Returns the request, still `withdrawing` where the deletion is not certain yet. Raises IamRefused,
    IamUnavailable or OutcomeUnknown; the sweeper comes back.
    """
    key = desk.store.key(request.access_key_id)
    if key is None or not (key.shown is Shown.DELETED or intent.carry_out(desk, key)):
        desk.store.postpone(request.name, intent.next_try(desk, key) if key else desk.soon())
        return request
    now = desk.clock.now()
    again = request.reveals_left > 0
    note = f"{key.id} is withdrawn and does not work, even if it still stands above. " + (
        "You can reveal another."
        if again
        else f"{_why_closed(request)}, so this request is closed: ask again "
        f"with `/key {request.verb_again}`."
    )
    moved = request.move(
        Action.WITHDRAWN if again else Action.CLOSE,
        KEYDESK,
        now,
        lease=None,
        access_key_id="",
        withdrawn=(*request.withdrawn, key.id),
        turn=request.turn + int(again),
        note=note,
        deadline=now + desk.rules.claim_ttl if again else None,
    )
    return desk.write(request, moved)


def _why_closed(request: KeyRequest) -> str:
    return (
        f"<@{request.stopped_by}> turned it off"
        if request.stopped_by
        else "That was the last of three reveals"
    )


def _begin(desk: Desk, request: KeyRequest, user: IamUser) -> KeyRequest:
    """Takes the lease by compare-and-set. Two clicks never write the same value: each lease has its own token."""
    now = desk.clock.now()
    lease = Lease(
        token=desk.new_id(), began=now, ends=now + desk.rules.lease_ttl, iam_began=user.read_at
    )
    let_go_at = request.let_go_at or (now if request.let_go else None)
    issuing = request.move(
        Action.REVEAL,
        request.requester,
        now,
        lease=lease,
        access_key_id="",
        note="",
        let_go_at=let_go_at,
        deadline=lease.ends,
    )
    gone = room.lets_go(desk, request, user)
    try:
        return desk.write(
            request,
            issuing,
            *gone,
            why=f"{request.let_go} is deleted to make room" if gone else "",
            count=desk.one(Deed.REVEAL, request.requester, now),
        )
    except Conflict:
        current = desk.found(request.id)
        words = {
            Status.ISSUING: "The key is already being issued; I will tell you here.",
            Status.APPROVED: "Something changed at that very moment, so I have done nothing. Click *Reveal my "
            "key* again.",
        }.get(current.status) or current.story()
        raise WrongState(current.status, words, current.moved_by, current.moved_at) from None
    except Held:
        raise WrongState(
            Status.ISSUING,
            "Another key for your IAM user is being issued at this moment. Try again in a minute.",
        ) from None


def _refused(desk: Desk, issuing: KeyRequest, refusal: KeydeskError) -> KeydeskError:
    """No key was made, for certain: back to `approved`. Returns what to tell, with the two keys at the limit."""
    told = refusal
    if isinstance(refusal, KeyLimit):
        try:
            policy.has_room(desk.issuer.keys(issuing.iam_user))
        except TooManyKeys as full:
            told = full
        except (IamRefused, Unavailable):
            told = refusal  # the limit is certain; which keys fill it is not worth a second refusal
    if issuing.let_go and not isinstance(refusal, HandOverFailed):
        why = (
            told.sentence
            if told is not refusal or isinstance(refusal, KeyLimit | IamUnavailable)
            else (f"AWS made no new key ({getattr(refusal, 'code', '')}).")
        )  # its own sentence says that nothing was changed
        told = HandOverFailed(
            f"{why} The old key {issuing.let_go} is gone, so reveal again: click *Reveal my key*."
        )
    now = desk.clock.now()
    try:
        desk.write(
            issuing,
            issuing.move(
                Action.REFUSE,
                KEYDESK,
                now,
                lease=None,
                note=told.sentence,
                deadline=now + desk.rules.claim_ttl,
            ),
            why=told.sentence,
        )
    except (Conflict, StoreUnavailable):
        return told  # the lease runs out and the look finds nothing
    return told


def _record(desk: Desk, issuing: KeyRequest, key: AccessKey) -> KeyRequest:
    """Puts the key ID on record, in one commit with the new managed key. Whoever cannot shows nothing."""
    issued = issuing.move(Action.ISSUE, issuing.requester, desk.clock.now(), access_key_id=key.id)
    made = managed(issuing, key, Origin.ISSUED, Wanted.ACTIVE, Shown.ACTIVE)
    old = issuing.target if issuing.target != issuing.let_go else ""
    record = replace(made, replaces=old)
    try:
        return desk.write(issuing, issued, Change(None, record))
    except (Conflict, StoreUnavailable):
        raise _abandon(desk, issuing, key) from None


def _abandon(desk: Desk, issuing: KeyRequest, key: AccessKey) -> HandOverFailed:
    """The key just made may not be on record: it goes, by a stored intent where the store answers."""
    fresh = managed(issuing, key, Origin.ISSUED, Wanted.DELETED, Shown.UNKNOWN)
    for _ in range(CONFLICT_TRIES):
        try:
            stored, known = desk.found(issuing.id), desk.store.key(key.id)
            if stored.access_key_id == key.id:  # it was written after all; only the answer was lost
                return _not_shown(desk, stored, "The desk's memory did not answer in time.")
            now = desk.clock.now()
            discard = (known or fresh).want(Wanted.DELETED, KEYDESK, now, due=desk.soon())
            if stored.status is Status.ISSUING and stored.lease == issuing.lease:
                note = f"{key.id} could not be put on record and goes again: do not use it. You can reveal another."
                desk.write(
                    stored,
                    stored.move(
                        Action.REFUSE,
                        KEYDESK,
                        now,
                        lease=None,
                        note=note,
                        deadline=now + desk.rules.claim_ttl,
                    ),
                    Change(known, discard),
                )
            else:
                desk.commit(
                    Change(known, discard), entry=desk.key_entry(discard, known, "discard", KEYDESK)
                )
            break
        except Conflict:
            continue
        except StoreUnavailable:
            break
    return _delete_unrecorded(desk, key.iam_user, key.id, "I could not put the new key on record.")


def _delete_unrecorded(desk: Desk, iam_user: str, key_id: str, why: str) -> HandOverFailed:
    """A key that this process has just made goes at once, though the store may not know it. Returns what to tell."""
    try:
        desk.issuer.delete_key(iam_user, key_id)
    except (IamRefused, Unavailable, OutcomeUnknown) as problem:
        return HandOverFailed(
            f"{why} {key_id} could not be deleted yet either ({problem.sentence.rstrip('.')}): do "
            "not use it. I keep at it and tell you here."
        )
    return HandOverFailed(
        f"{why} {key_id} is deleted again: do not use it. When the desk is back, your newest "
        "message here says what comes next."
    )


def _last_look(desk: Desk, issued: KeyRequest, key: AccessKey, started: float) -> None:
    """Just before posting: the lease is not over, and the key is still wanted. Else it is withdrawn, unseen."""
    late = desk.clock.monotonic() - started >= desk.rules.lease_ttl.total_seconds()
    try:
        stored, record = desk.store.request(issued.id), desk.store.key(key.id)
    except StoreUnavailable:
        raise _not_shown(
            desk, issued, "The desk's memory did not answer, so I did not show the key."
        ) from None
    stands = (
        stored is not None and stored.version == issued.version and stored.lease == issued.lease
    )
    if record is not None and record.wanted is not Wanted.ACTIVE:
        raise _not_shown(desk, issued, "The key was turned off meanwhile, so I did not show it.")
    if late or not stands or record is None:
        raise _not_shown(desk, issued, "That took too long, so I did not show the key.")


def _not_shown(desk: Desk, issued: KeyRequest, why: str) -> HandOverFailed:
    """The key must go. Returns what to tell; who loses the compare-and-set touches nothing."""
    key_id = issued.access_key_id
    try:
        after = withdraw(desk, issued, Action.WITHDRAW, KEYDESK, why)
    except (Conflict, WrongState):
        return HandOverFailed(
            f"{why} The request has moved on meanwhile; your newest message here says how "
            f"{key_id} stands."
        )
    except StoreUnavailable:
        return _delete_unrecorded(desk, issued.iam_user, key_id, why)
    except (IamRefused, Unavailable, OutcomeUnknown):
        return HandOverFailed(
            f"{why} {key_id} is being withdrawn: do not use it. When it is gone, I tell you here "
            "what comes next."
        )
    if after.status is Status.WITHDRAWING:
        return HandOverFailed(
            f"{why} {key_id} is being withdrawn, which AWS takes a few minutes for: do not use it."
        )
    then = (
        "Click *Reveal my key* for another."
        if after.reveals_left
        else (f"{_why_closed(after)}, so this request is closed.")
    )
    return HandOverFailed(
        f"{why} {key_id} is withdrawn and does not work, even if it stands above. {then}"
    )


def _handed_over(desk: Desk, issued: KeyRequest, key: AccessKey) -> KeyRequest:
    """Slack accepted the ephemeral. Where that cannot be noted any more, the person is told if the key is gone."""
    now = desk.clock.now()
    delivered = issued.move(
        Action.HAND_OVER,
        issued.requester,
        now,
        reveals=issued.reveals + 1,
        handed_over_at=now,
        reminded_at=None,
        deadline=now + desk.rules.receipt_ttl / 2,
    )
    try:
        return desk.write(issued, delivered)
    except StoreUnavailable:
        return issued  # the lease runs out with a key ID on record, and the person is asked
    except Conflict:
        return _overtaken(desk, issued, key)


def _overtaken(desk: Desk, issued: KeyRequest, key: AccessKey) -> KeyRequest:
    """The request moved on while Slack showed the key. Raises HandOverFailed unless the key is still wanted active."""
    try:
        record, request = desk.store.key(key.id), desk.found(issued.id)
    except StoreUnavailable:
        raise HandOverFailed(
            f"The desk's memory does not answer, so I cannot say whether {key.id} above still stands: "
            "do not use it before your newest message here says so."
        ) from None
    if record is None or record.wanted is not Wanted.ACTIVE:
        raise HandOverFailed(
            f"{key.id} above is withdrawn or turned off: do not use it. Your newest message here says "
            "what comes next."
        )
    return request


def managed(
    request: KeyRequest, key: AccessKey, origin: Origin, wanted: Wanted, shown: Shown
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
        made_at=key.created_at,
        wanted=wanted,
        shown=shown,
        dm=request.dm,
        service=request.service,
        urgent=request.urgent,
        expires_at=ends,
        version=1,
    )
