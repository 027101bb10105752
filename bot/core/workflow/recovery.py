"""Recovery: what becomes of a hand-over whose process died or whose answer from AWS was lost?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.core import policy
from bot.core.access_key import PROVES_NOTHING_FOR, AccessKey, ManagedKey, Origin, Shown, Wanted
from bot.core.errors import IamDenied, NoSuchIamUser, NoSuchKey, at_words
from bot.core.moves import Action, Status
from bot.core.ports import Change
from bot.core.request import KeyRequest
from bot.core.workflow import intent
from bot.core.workflow.desk import KEYDESK, Desk
from bot.core.workflow.hand_over import managed, withdraw

CLOCKS_DIFFER = timedelta(minutes=5)
"""By so much IAM's dates may lie before ours."""


def recover(desk: Desk, request: KeyRequest) -> None:
    """The lease of an `issuing` request is over: by anyone, any number of times.

    With a key ID on record the person is asked, and IAM is not, before its word counts: a process that could not
    reach the store may have deleted the key that it could not show. Without one, nothing moves until `look_after`
    later: no call and no paused process is assumed to outlive that. Raises Conflict when somebody was faster.
    """
    now = desk.clock.now()
    if request.lease is None or now < request.lease.ends:
        return
    if request.access_key_id:
        desk.write(
            request,
            request.move(
                Action.RECOVER,
                KEYDESK,
                now,
                handed_over_at=now,
                reminded_at=None,
                deadline=now + desk.rules.receipt_ttl / 2,
            ),
            *_read_later(desk, request),
            why="the lease ran out with a key on record",
        )
    elif now < request.lease.ends + desk.rules.look_after:
        desk.store.postpone(request.name, request.lease.ends + desk.rules.look_after)
    else:
        _look(desk, request)


def _read_later(desk: Desk, request: KeyRequest) -> list[Change]:
    """The key on record is put down to be read in IAM once it is old enough for its absence to prove something."""
    key = desk.store.key(request.access_key_id)
    if key is None or key.due is not None:
        return []
    return [Change(key, key.noted(due=max(desk.clock.now(), key.made_at + PROVES_NOTHING_FOR)))]


def withdraw_if_gone(desk: Desk, key_id: str) -> None:
    """A key that is gone from IAM before anybody said that they have it: another may be revealed. Raises Conflict."""
    key = desk.store.key(key_id)
    request = desk.store.request(key.request_id) if key and key.request_id else None
    if key is None or request is None or (key.shown, key.wanted) != (Shown.DELETED, Wanted.ACTIVE):
        return
    if request.status is Status.DELIVERED and request.access_key_id == key_id:
        withdraw(desk, request, Action.GONE, KEYDESK, "IAM does not know the key any more")


def _look(desk: Desk, request: KeyRequest) -> None:
    """A lease ended long ago without a key ID: did IAM make a key all the same? Found ones are made inactive.

    They are never deleted by themselves: somebody may have made one in the console that minute.
    """
    now = desk.clock.now()
    keys = listed(desk, request)
    began = request.lease.iam_began - CLOCKS_DIFFER if request.lease else now
    changes = [
        found_change(desk, request, key) for key in candidates(desk, request, keys or (), began)
    ]
    found = [change.after for change in changes if isinstance(change.after, ManagedKey)]
    names = ", ".join(key.id for key in found)
    if keys is None:
        note, why = (
            _gone_words(desk, request),
            f"not looked: AWS shows no IAM user {request.iam_user} any more",
        )
    elif found:
        note = (
            f"The last try ended without an answer from AWS. I found {names}, which was shown to nobody here, and "
            f"am making it inactive; the approvers decide what becomes of it. {then(keys)}"
        )
        why = f"found {names}"
    else:
        note = "The last try ended without an answer from AWS, and no key was made. You can reveal one now."
        why = "found nothing"
    moved = request.move(
        Action.LOOK,
        KEYDESK,
        now,
        lease=None,
        note=note,
        turn=request.turn + 1,
        deadline=now + desk.rules.claim_ttl,
    )
    desk.write(request, moved, *changes, why=why)
    for key in found:
        intent.carry_out(desk, key)


def _gone_words(desk: Desk, request: KeyRequest) -> str:
    """Where the user is not seen: whoever deletes one deletes its keys first, whoever renames or moves one does not.

    IAM is asked for users by name alone ("GetUser", IAM API reference), and the desk may not list all of them: the key,
    if there is one, is for people to find.
    """
    began = f", about {at_words(request.lease.iam_began)}" if request.lease else ""
    under = "" if desk.rules.iam_path == "/" else f" under the path {desk.rules.iam_path}"
    return (
        f"The last try{began}, ended without an answer from AWS, and AWS shows the desk no IAM user "
        f"{request.iam_user}{under} any more, so nobody could look. If it was renamed"
        f"{' or moved' if under else ''}, it may have an active key whose secret nobody has: ask whoever looks "
        "after AWS to look for one made at that time, and to delete it."
    )


def found_change(desk: Desk, request: KeyRequest, key: AccessKey) -> Change:
    """The record of a found key, which is wanted inactive. Somebody may have reported the key meanwhile."""
    record, now = desk.store.key(key.id), desk.clock.now()
    found = managed(request, key, Origin.FOUND, Wanted.INACTIVE, Shown.UNKNOWN)
    if record is not None:
        found = replace(
            record,
            origin=Origin.FOUND,
            request_id=request.id,
            owner=request.requester,
            dm=request.dm,
            service=request.service,
            urgent=request.urgent,
            expires_at=found.expires_at,
        )
    return Change(record, found.want(Wanted.INACTIVE, KEYDESK, now, due=desk.soon()))


def then(keys: Sequence[AccessKey]) -> str:
    """What the person can do about a found key: one that takes the last slot at AWS must go first."""
    if len(keys) < policy.KEYS_PER_USER:
        return "You can reveal a new key."
    return "It takes the last of your two slots at AWS: reveal a new key once they have deleted it."


def listed(desk: Desk, request: KeyRequest) -> Sequence[AccessKey] | None:
    """The keys that IAM lists for a request's user; None where AWS shows the desk no such user, so nobody could look.

    Raises what IAM raises, IamDenied also where it may only be a permission that is missing.
    """
    try:
        return desk.issuer.listed(request.iam_user)
    except NoSuchIamUser:
        return None
    except IamDenied as denied:
        if not intent.user_is_out_of_sight(desk, denied, request.iam_user):
            raise
        return None


def candidates(
    desk: Desk, request: KeyRequest, keys: Sequence[AccessKey], since: datetime
) -> list[AccessKey]:
    """Keys that a call which nobody remembers may have made: new `since` then, issued by nobody here, never used."""
    return [
        key
        for key in keys
        if key.id not in request.keys_seen
        and key.created_at >= since
        and _is_nobodys(desk.store.key(key.id))
        and not _used(desk, key)
    ]


def _is_nobodys(record: ManagedKey | None) -> bool:
    """Is a key on no record, or only on one by which it was reported? Nobody has decided about such a key."""
    return record is None or (record.origin is Origin.ADOPTED and record.wanted is Wanted.ACTIVE)


def _used(desk: Desk, key: AccessKey) -> bool:
    """Has a listed key been used? One that IAM lists and does not know yet is too new to have been."""
    try:
        return desk.issuer.last_used(key.id).at is not None
    except NoSuchKey:
        return False
