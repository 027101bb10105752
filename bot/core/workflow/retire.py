"""Retiring a key: seeing one's keys, turning one off, deleting one, and doing in IAM what is wanted of a key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from bot.core import policy
from bot.core.access_key import (
    PROVES_NOTHING_FOR,
    AccessKey,
    KeyStatus,
    ManagedKey,
    Origin,
    Shown,
    Wanted,
    Why,
)
from bot.core.errors import (
    Conflict,
    IamRefused,
    KeyIsActive,
    NoIamUser,
    NoSuchIamUser,
    NoSuchKey,
    NotAllowed,
    NotInAccount,
    NotYourKey,
    OutcomeUnknown,
    StillTrying,
    Unavailable,
    WrongState,
    at_words,
)
from bot.core.people import IamUser, Member
from bot.core.ports import Change
from bot.core.request import Action, Status
from bot.core.workflow.desk import CONFLICT_TRIES, KEYDESK, Desk

YOUNGEST = timedelta(minutes=1)
"""In its first minute a key that IAM does not know is asked for again soon: it mostly knows it after seconds."""


@dataclass(frozen=True)
class Retired:
    """What became of a key that its owner retires. `already` is True where it was so before."""

    key: AccessKey
    already: bool


def keys_of(desk: Desk, member: Member, service_user: str = "") -> tuple[AccessKey, ...]:
    """A person's own keys, or a service user's, oldest first, with their last use."""
    return desk.issuer.keys(desk.identify(member, service_user).name)


def own_key(desk: Desk, member: Member, key_id: str, service_user: str = "") -> AccessKey:
    """One of a person's own keys with its last use. Raises NotYourKey, whether or not the key exists."""
    return _own(desk, member, key_id, service_user)[1]


def disable(desk: Desk, member: Member, key_id: str, service_user: str = "") -> Retired:
    """Turns off a person's own key. Doing it twice is well.

    Raises NotYourKey, IamRefused, Unavailable, or StillTrying where AWS did not confirm it.
    """
    user, key = _own(desk, member, key_id, service_user)
    record = desk.store.key(key_id)
    if not key.active and not (record and record.wanted is Wanted.ACTIVE):
        return Retired(key, already=True)
    want(desk, member, user, key, Wanted.INACTIVE, "disable", why=Why.OWNER)
    return Retired(replace(key, status=KeyStatus.INACTIVE), already=not key.active)


def disable_for(desk: Desk, member: Member, key_id: str, reason: str) -> Retired:
    """An approver turns off anybody's key and says why. Raises NotAllowed, NotInAccount, StillTrying."""
    policy.is_approver(member, desk.directory.approvers())
    desk.spare_itself(key_id)
    found = desk.issuer.owner(key_id)
    if found is None:
        raise NotInAccount(key_id)
    user = desk.issuer.user(found[0])
    key, owner = _one_of(desk, user, key_id), desk.person_of(user)
    if key is None:
        raise NotInAccount(key_id)
    if not key.active:
        return Retired(key, already=True)
    want(desk, member, user, key, Wanted.INACTIVE, "disable", why=Why.OWNER, reason=reason, whose=owner, note=reason,
         dm=desk.messenger.dm(owner) if owner else "")
    return Retired(replace(key, status=KeyStatus.INACTIVE), already=False)


def delete(desk: Desk, member: Member, key_id: str, service_user: str = "") -> Retired:
    """Deletes a person's own inactive key. A request that waits for this key's receipt is closed in the same step.

    Raises NotYourKey, KeyIsActive, IamRefused, Unavailable or StillTrying.
    """
    user, key = _own(desk, member, key_id, service_user)
    may_delete(key)
    want(desk, member, user, key, Wanted.DELETED, "delete")
    return Retired(key, already=False)


def may_delete(key: AccessKey) -> None:
    """Only an inactive key may be deleted: what still uses it is seen first. Raises KeyIsActive."""
    if key.active:
        raise KeyIsActive(key.id)


def decide_found(desk: Desk, member: Member, key_id: str, wanted: Wanted) -> ManagedKey:
    """An approver says what is to become of a key that was found after a lost answer: active, or deleted.

    Raises NotAllowed, NotYourKey (no such found key), WrongState (decided already) or StillTrying.
    """
    record = desk.store.key(key_id)
    if record is None or record.origin is not Origin.FOUND:
        raise NotYourKey
    policy.may_decide(member, desk.iam_names(member), desk.directory.approvers(), desk.found(record.request_id))
    action = "enable" if wanted is Wanted.ACTIVE else "delete"
    for _ in range(CONFLICT_TRIES):
        if record.wanted is not Wanted.INACTIVE:
            raise WrongState(record.wanted, _found_story(record), record.changed_by, record.changed_at)
        wants = record.want(wanted, member.id, desk.clock.now(), due=desk.soon())
        try:
            desk.commit(Change(record, wants), entry=desk.key_entry(wants, record, action, member.id))
        except Conflict:
            record = desk.store.key(key_id) or record
            continue
        carry_out_or_say(desk, wants)
        return wants
    raise busy(key_id)


def settle(desk: Desk, key: ManagedKey) -> None:
    """Time has come to look at a key: what IAM shows is noted, and put right where it is not what is wanted.

    A key gone from IAM, whatever was wanted of it, needs no more looks once the change has been read back.
    Each change is read back once more `look_after` later, since a call whose answer was lost may run late.
    """
    shown = read(desk, key)
    if shown.value != key.wanted.value and shown is not Shown.DELETED:
        carry_out(desk, key)
        return
    desk.store.commit(Change(key, key.show(shown, due=_next_look(desk, key))),
                      entry=desk.key_entry(key, key, "read", KEYDESK, why=f"IAM shows {shown}"))


def carry_out(desk: Desk, key: ManagedKey) -> bool:
    """Does in IAM what is wanted of `key`, reads it back and notes what IAM shows. May run twice.

    Returns whether that is certain: for a deletion, that IAM did it, or that the key is old enough for its
    absence to prove it. Raises IamRefused (NoSuchKey for a key that was to be turned on and is gone), IamUnavailable
    or OutcomeUnknown when IAM did not do it.
    """
    absent = False
    try:
        if key.wanted is Wanted.DELETED:
            desk.issuer.delete_key(key.iam_user, key.id)
        else:
            status = KeyStatus.ACTIVE if key.wanted is Wanted.ACTIVE else KeyStatus.INACTIVE
            desk.issuer.set_status(key.iam_user, key.id, status)
    except (NoSuchKey, NoSuchIamUser):
        absent = True
    certain = not absent or key.absence_proves(desk.clock.now())
    try:
        shown = read(desk, key)
    except (IamRefused, Unavailable):
        shown = Shown.UNKNOWN  # what was wanted is done; the look after it reads what came of it
    if not certain and shown is key.shown:
        desk.store.postpone(key.name, next_try(desk, key))
        return False
    try:
        desk.commit(Change(key, key.show(shown, due=_after_change(desk, key, certain))),
                    entry=desk.key_entry(key, key, f"{key.wanted}", KEYDESK, why=f"IAM shows {shown}"))
    except Conflict:
        return certain  # somebody wants something else of it by now, and looks after that
    if absent and certain and key.wanted is Wanted.ACTIVE:
        raise NoSuchKey("UpdateAccessKey")
    return certain


def carry_out_or_say(desk: Desk, key: ManagedKey) -> None:
    """Carries out what is wanted of `key`. Raises StillTrying, worded for the person, where it is not certain."""
    does = {Wanted.ACTIVE: "turned on", Wanted.INACTIVE: "turned off", Wanted.DELETED: "deleted"}[key.wanted]
    try:
        certain = carry_out(desk, key)
    except NoSuchKey as gone:
        raise StillTrying(f"{key.id} cannot be {does}: AWS does not know it any more.") from gone
    except (IamRefused, Unavailable, OutcomeUnknown) as problem:
        raise StillTrying(f"AWS has not confirmed yet that {key.id} is {does}: {problem.sentence} I keep trying; "
                          "`/key list` shows how it stands.") from problem
    if not certain:
        raise StillTrying(f"{key.id} is so new that AWS does not know it everywhere yet. I keep trying until it is "
                          f"{does}; `/key list` shows how it stands.")


def want(desk: Desk, member: Member, user: IamUser, key: AccessKey, wanted: Wanted, action: str, *,
         why: Why = Why.NOTHING, reason: str = "", whose: str | None = None, **facts: Any) -> None:
    """Writes what is wanted of a key (and closes the request it ends), then carries it out. Raises StillTrying.

    A key made elsewhere gets a record with `whose` Slack user ID ("": nobody known), else the member's.
    """
    for _ in range(CONFLICT_TRIES):
        now = desk.clock.now()
        record = desk.store.key(key.id)
        if record and record.wanted is Wanted.DELETED and wanted is not Wanted.DELETED:
            raise StillTrying(f"{key.id} is being deleted already; there is nothing to turn off.")
        base = record or adopted(user.account, key, member.id if whose is None else whose)
        wants = base.want(wanted, member.id, now, due=desk.soon(), why=why, **facts)
        try:
            desk.commit(Change(record, wants), *closes(desk, wants, member.id),
                        entry=desk.key_entry(wants, record, action, member.id, why=reason))
        except Conflict:
            continue
        carry_out_or_say(desk, wants)
        return
    raise busy(key.id)


def adopted(account: str, key: AccessKey, owner: str) -> ManagedKey:
    """A record, not stored yet, of a key that was made elsewhere."""
    return ManagedKey(id=key.id, account=account, iam_user=key.iam_user, owner=owner, request_id="",
                      origin=Origin.ADOPTED, made_at=key.created_at,
                      wanted=Wanted.ACTIVE if key.active else Wanted.INACTIVE, version=0)


def closes(desk: Desk, key: ManagedKey, by: str) -> tuple[Change, ...]:
    """The end of the request that waits for a receipt of `key`, where its owner deletes the key."""
    request = desk.store.request(key.request_id) if key.request_id else None
    if (key.wanted is not Wanted.DELETED or request is None or request.access_key_id != key.id
            or request.status not in (Status.DELIVERED, Status.UNCLAIMED)):
        return ()
    return (Change(request, request.move(Action.DELETE, by, desk.clock.now(), deadline=None)),)


def _own(desk: Desk, member: Member, key_id: str, service_user: str = "") -> tuple[IamUser, AccessKey]:
    """A person's own key, or one of a service user that they own, with its IAM user, as IAM lists it.

    A key of anybody else and one that does not exist are answered alike: NotYourKey.
    """
    try:
        user = desk.identify(member, service_user)
        key = _one_of(desk, user, key_id)
    except NoIamUser:
        if not desk.rules.owner_tag:
            raise
        key = None
    if key is not None:
        return user, key
    found = desk.issuer.owner(key_id) if desk.rules.owner_tag and not service_user else None
    if found is None:
        raise NotYourKey
    try:
        user = desk.identify(member, found[0])
    except NotAllowed:
        raise NotYourKey from None
    key = _one_of(desk, user, key_id)
    if key is None:
        raise NotYourKey
    return user, key


def _one_of(desk: Desk, user: IamUser, key_id: str) -> AccessKey | None:
    return next((key for key in desk.issuer.keys(user.name) if key.id == key_id), None)


def read(desk: Desk, key: ManagedKey) -> Shown:
    """What IAM shows of a key now; absence counts only once the key is old enough to prove something."""
    try:
        listed = {k.id: k for k in desk.issuer.listed(key.iam_user)}
    except NoSuchIamUser:
        listed = {}
    if key.id in listed:
        return Shown.ACTIVE if listed[key.id].active else Shown.INACTIVE
    return Shown.DELETED if key.absence_proves(desk.clock.now()) else Shown.UNKNOWN


def next_try(desk: Desk, key: ManagedKey) -> datetime:
    """When to ask again about a key too young for IAM to know it everywhere: a few times soon, then when it is not.

    Few times, since each wait counts like a failure for the sweeper, which waits longer and longer after those.
    """
    now = desk.clock.now()
    return desk.soon() if now - key.made_at < YOUNGEST else max(desk.soon(), key.made_at + PROVES_NOTHING_FOR)


def _next_look(desk: Desk, key: ManagedKey) -> datetime | None:
    look = (key.changed_at or key.made_at) + desk.rules.look_after
    return look if desk.clock.now() < look else None


def _after_change(desk: Desk, key: ManagedKey, certain: bool) -> datetime | None:
    """When to look again after a change."""
    if not certain:
        return next_try(desk, key)
    # A key is turned on again once at most: whoever turns it off in the console after that is right.
    if key.wanted is Wanted.ACTIVE:
        return _next_look(desk, key)
    return _next_look(desk, key) or desk.clock.now() + desk.rules.look_after


def _found_story(key: ManagedKey) -> str:
    became = "deleted" if key.wanted is Wanted.DELETED else "enabled"
    who = "" if key.changed_by == KEYDESK else f" by <@{key.changed_by}>"
    when = f" on {at_words(key.changed_at)}" if key.changed_at else ""
    return f"{key.id} was already {became}{who}{when}."


def busy(key_id: str) -> StillTrying:
    """What to tell where others change the same key all the time."""
    return StillTrying(f"{key_id} is being changed by somebody else at this moment. `/key list` shows how it stands.")
