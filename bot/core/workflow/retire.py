"""Retiring a key: seeing one's keys, turning one off, deleting one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bot.core import policy
from bot.core.access_key import (
    AccessKey,
    KeyStatus,
    ManagedKey,
    Origin,
    Wanted,
    Why,
)
from bot.core.counting import Count
from bot.core.errors import (
    Conflict,
    KeyIsActive,
    NoIamUser,
    NoSuchIamUser,
    NotAllowed,
    NotInAccount,
    NotYourKey,
    Refused,
    StillTrying,
    WrongState,
    at_words,
)
from bot.core.moves import Action, Status
from bot.core.people import IamUser, Member
from bot.core.ports import Change
from bot.core.workflow import intent
from bot.core.workflow.desk import CONFLICT_TRIES, KEYDESK, Desk


@dataclass(frozen=True)
class Retired:
    """What became of a key that is retired. `already` is True where it was so before.

    `told` is the Slack user ID of its owner, where somebody else did it and they can be told, else "".
    """

    key: AccessKey
    already: bool
    told: str = ""


def keys_of(desk: Desk, member: Member, service_user: str = "") -> tuple[AccessKey, ...]:
    """A person's own keys, or a service user's, oldest first, with their last use."""
    return desk.issuer.keys(desk.identify(member, service_user).name)


def own_key(desk: Desk, member: Member, key_id: str, service_user: str = "") -> AccessKey:
    """One of a person's own keys with its last use. Raises NotYourKey, whether or not the key exists."""
    return _own(desk, member, key_id, service_user)[1]


def service_user_of(desk: Desk, member: Member, key_id: str) -> str:
    """The service user that a person owns and whose key this is; "" for a key of their own. Raises NotYourKey."""
    return user_of(desk, member, key_id)[1] if desk.rules.owner_tag else ""


def user_of(desk: Desk, member: Member, key_id: str, service_user: str = "") -> tuple[IamUser, str]:
    """The IAM user of a key to ask about, and its name where it is a service user: the one named, or whose key it is.

    Where nobody can own a service user, it is the person's own, whoever's key it is. Raises as `own_key`.
    """
    if service_user or not desk.rules.owner_tag:
        return desk.identify(member, service_user), service_user
    user, _ = _own(desk, member, key_id)
    own = {name.lower() for name in desk.iam_names(member)}
    return user, "" if user.name.lower() in own else user.name


def used(desk: Desk, member: Member, key_id: str, service_user: str = "") -> AccessKey:
    """One of a person's own keys, or, for an approver, any key of the account, with its last use.

    Raises NotYourKey, or NotInAccount for an approver.
    """
    try:
        return own_key(desk, member, key_id, service_user)
    except (NotYourKey, NoIamUser, NoSuchIamUser, NotAllowed):
        if member.id not in desk.directory.approvers():
            raise
    found = desk.issuer.owner(key_id)
    if found is None:
        raise NotInAccount(key_id)
    key = _one_of(desk, _in_reach(desk, found[0]), key_id)
    if key is None:
        raise NotInAccount(key_id)
    return key


def disable(desk: Desk, member: Member, key_id: str, service_user: str = "") -> Retired:
    """Turns off a person's own key. Doing it twice is well.

    Raises NotYourKey, IamRefused, Unavailable, or StillTrying where AWS did not confirm it.
    """
    user, key = _own(desk, member, key_id, service_user)
    record = desk.store.key(key_id)
    if not key.active and not (record and record.wanted is Wanted.ACTIVE):
        return Retired(key, already=True)
    if record and record.wanted is Wanted.INACTIVE and policy.ended(record, desk.clock.now()):
        intent.carry_out_or_say(desk, record)  # who turned it off, and why, stays: who may turn it on depends on that
        return Retired(replace(key, status=KeyStatus.INACTIVE), already=False)
    want(desk, member, user, key, Wanted.INACTIVE, "disable", why=Why.OWNER)
    return Retired(replace(key, status=KeyStatus.INACTIVE), already=not key.active)


def disable_for(desk: Desk, member: Member, key_id: str, reason: str) -> Retired:
    """An approver turns off anybody's key and says why. Raises NotAllowed, NotInAccount, StillTrying."""
    policy.is_approver(member, desk.directory.approvers())
    desk.spare_itself(key_id)
    found = desk.issuer.owner(key_id)
    if found is None:
        raise NotInAccount(key_id)
    user = _in_reach(desk, found[0])
    key = _one_of(desk, user, key_id)
    if key is None:
        raise NotInAccount(key_id)
    record = desk.store.key(key_id)
    if not key.active and not (record and record.wanted is Wanted.ACTIVE):  # it may be about to be turned on
        return Retired(key, already=True)
    owner, dm = desk.whom_to_tell(user, record)
    want(desk, member, user, key, Wanted.INACTIVE, "disable", why=Why.OWNER, reason=reason, whose=owner, note=reason,
         owner=owner, dm=dm)
    return Retired(replace(key, status=KeyStatus.INACTIVE), already=False, told=owner if dm else "")


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
    record, approvers = desk.store.key(key_id), desk.directory.approvers()
    if record is None or record.origin is not Origin.FOUND:
        policy.decides(member, approvers)
        raise NotYourKey
    policy.may_decide(member, desk.iam_names(member), approvers, desk.found(record.request_id))
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
        intent.carry_out_or_say(desk, wants)
        return wants
    raise busy(key_id)


def want(desk: Desk, member: Member, user: IamUser, key: AccessKey, wanted: Wanted, action: str, *,
         why: Why = Why.NOTHING, reason: str = "", whose: str | None = None, count: Count | None = None,
         **facts: Any) -> None:
    """Writes what is wanted of a key (and closes the request it ends), then carries it out. Raises StillTrying.

    A key made elsewhere gets a record with `whose` Slack user ID ("": nobody known), else the member's.
    """
    for _ in range(CONFLICT_TRIES):
        now = desk.clock.now()
        record = desk.store.key(key.id)
        if record and record.wanted is Wanted.DELETED and wanted is not Wanted.DELETED:
            raise StillTrying(f"{key.id} is being deleted already. I keep at it until AWS has done that.")
        base = record or adopted(user.account, key, member.id if whose is None else whose)
        wants = base.want(wanted, member.id, now, due=desk.soon(), why=why, **facts)
        try:
            desk.commit(Change(record, wants), *closes(desk, wants, member.id),
                        entry=desk.key_entry(wants, record, action, member.id, why=reason), count=count)
        except Conflict:
            continue
        intent.carry_out_or_say(desk, wants)
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

    A key of anybody else and one that does not exist are answered alike: NotYourKey, or, for who has no IAM user of
    their own, in the words that say so. Such a person may own a service user all the same.
    """
    refusal: Refused = NotYourKey()
    key = None
    try:
        user = desk.identify(member, service_user)
        key = _one_of(desk, user, key_id)
    except (NoIamUser, NoSuchIamUser, NotAllowed) as none:
        if not desk.rules.owner_tag or service_user:
            raise
        refusal = none
    if key is not None:
        return user, key
    found = desk.issuer.owner(key_id) if desk.rules.owner_tag and not service_user else None
    if found is None:
        raise refusal
    try:
        user = desk.identify(member, found[0])
    except NotAllowed:
        raise refusal from None
    key = _one_of(desk, user, key_id)
    if key is None:
        raise refusal
    return user, key


def _in_reach(desk: Desk, iam_user: str) -> IamUser:
    """The IAM user of a key that an approver asks about. Raises NotAllowed for one that is not under `IAM_PATH`."""
    user = desk.issuer.user(iam_user)
    policy.is_served(user, desk.rules.iam_path)
    return user


def _one_of(desk: Desk, user: IamUser, key_id: str) -> AccessKey | None:
    return next((key for key in desk.issuer.keys(user.name) if key.id == key_id), None)


def _found_story(key: ManagedKey) -> str:
    became = "deleted" if key.wanted is Wanted.DELETED else "enabled"
    who = "" if key.changed_by == KEYDESK else f" by <@{key.changed_by}>"
    when = f" on {at_words(key.changed_at)}" if key.changed_at else ""
    return f"{key.id} was already {became}{who}{when}."


def busy(key_id: str) -> StillTrying:
    """What to tell where others change the same key all the time."""
    return StillTrying(f"{key_id} is being changed by somebody else at this moment. `/key list` shows how it stands.")
