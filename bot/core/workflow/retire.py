"""Retiring a key: seeing one's keys, turning one off, deleting one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from bot.core import policy
from bot.core.access_key import (
    AccessKey,
    KeyStatus,
    LastUsed,
    ManagedKey,
    Origin,
    Shown,
    Wanted,
    Why,
)
from bot.core.counting import Count
from bot.core.errors import (
    Conflict,
    IamRefused,
    IamUnavailable,
    KeyIsActive,
    NoIamUser,
    NoSuchIamUser,
    NotAllowed,
    NotInAccount,
    NotYourKey,
    Refused,
    SlackUnavailable,
    StillTrying,
    WrongState,
    at_words,
)
from bot.core.moves import Action, Status
from bot.core.people import IamUser, Member
from bot.core.ports import Change
from bot.core.workflow import intent
from bot.core.workflow.desk import CONFLICT_TRIES, KEYDESK, Desk

_NOT_SEEN = ("You have no access key with that ID, nor do I see a service user of yours that has it. `/key list` shows "
             "yours; if it is of a service user that you own, try again in a minute.")
"""Said of somebody else's key, of one that does not exist, and while Slack or AWS does not say who owns its user."""


@dataclass(frozen=True)
class Retired:
    """What became of a key that is retired. `already` is True where it was so before.

    `noted` says that an approver's reason is on record now. `told` is the Slack user ID of its owner, where somebody
    else did it and they can be told, else "".
    """

    key: AccessKey
    already: bool
    told: str = ""
    noted: bool = False


def keys_of(desk: Desk, member: Member, service_user: str = "") -> tuple[AccessKey, ...]:
    """A person's own keys, or a service user's, oldest first, with their last use."""
    return desk.issuer.keys(desk.identify(member, service_user).name)


def own_key(desk: Desk, member: Member, key_id: str, service_user: str = "") -> AccessKey:
    """One of a person's own keys with its last use. Raises NotYourKey, whether or not the key exists."""
    return _own(desk, member, key_id, service_user)[1]


def service_user_of(desk: Desk, member: Member, key_id: str) -> str:
    """The service user that a person owns and whose key this is; "" for a key of their own. Raises NotYourKey."""
    if not desk.rules.owner_tag:
        return ""
    user, _ = _own(desk, member, key_id)
    own = {name.lower() for name in desk.iam_names(member)}
    return "" if user.name.lower() in own else user.name


def used(desk: Desk, member: Member, key_id: str, service_user: str = "") -> AccessKey:
    """One of a person's own keys, or, for an approver, any key of the account, with its last use.

    Raises NotYourKey, or NotInAccount for an approver.
    """
    try:
        return own_key(desk, member, key_id, service_user)
    except (NotYourKey, NoIamUser, NoSuchIamUser, NotAllowed):
        if member.id not in desk.directory.approvers():
            raise
    return _anybodys(desk, key_id)[1]


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
    """An approver turns off anybody's key and says why, or, of one that is off already, why it must stay so.

    That is on record, so that its owner does not turn it on alone. Raises NotAllowed, NotInAccount or StillTrying.
    """
    policy.is_approver(member, desk.directory.approvers())
    desk.spare_itself(key_id)
    user, key = _anybodys(desk, key_id)
    record = desk.store.key(key_id)
    if not key.active and record and _stays_off(record):
        return Retired(key, already=True)
    owner, dm = desk.whom_to_tell(user, record)
    want(desk, member, user, key, Wanted.INACTIVE, "disable", why=Why.OWNER, reason=reason, whose=owner, note=reason,
         owner=owner, dm=dm, **_put_down(record))
    return Retired(replace(key, status=KeyStatus.INACTIVE), already=not key.active, noted=True,
                   told=owner if dm else "")


def _stays_off(record: ManagedKey) -> bool:
    """Is a key that is off on record as not its owner's to turn on, by an approver, its end, a leak or as found?

    A found key waits for what the approvers decide of it.
    """
    return record.wanted is Wanted.DELETED or (record.wanted is Wanted.INACTIVE and (
        record.stays_off or record.undecided or policy.ended_by_approver(record)))


def _put_down(record: ManagedKey | None) -> dict[str, Any]:
    """A key that is off and put down for deletion stays so, whoever says why it must be off."""
    return {"delete_at": record.delete_at} if record and record.wanted is Wanted.INACTIVE else {}


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

    One that is ours lives as long as was asked for, as if it had been handed over. Raises NotAllowed (also where it
    would live too long), NotYourKey (no such found key), WrongState (decided already) or StillTrying.
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
        ends = ends_again(desk, record) if wanted is Wanted.ACTIVE else record.expires_at
        wants = record.want(wanted, member.id, desk.clock.now(), due=desk.soon(), expires_at=ends)
        try:
            desk.commit(Change(record, wants), entry=desk.key_entry(wants, record, action, member.id))
        except Conflict:
            record = desk.store.key(key_id) or record
            continue
        intent.carry_out_or_say(desk, wants)
        return wants
    raise busy(key_id)


def ends_again(desk: Desk, key: ManagedKey) -> datetime | None:
    """When a key ends that is turned on now, by the desk's rules. Raises NotAllowed."""
    return policy.ends_again(key, desk.clock.now(), desk.rules.key_ttl_max, desk.rules.break_glass_ttl)


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
    """What becomes of the request that waits for a receipt of `key`: it ends where its owner deletes the key.

    Where an approver turns it off the receipt is still to come, but this approval brings no other key.
    """
    request = desk.store.request(key.request_id) if key.request_id else None
    if (request is None or request.access_key_id != key.id
            or request.status not in (Status.DELIVERED, Status.UNCLAIMED)):
        return ()
    if key.wanted is Wanted.DELETED:
        return (Change(request, request.move(Action.DELETE, by, desk.clock.now(), deadline=None)),)
    if policy.ended_by_approver(key) and not request.stopped_by:
        return (Change(request, request.move(Action.STOP, by, desk.clock.now(), stopped_by=by)),)
    return ()


def _own(desk: Desk, member: Member, key_id: str, service_user: str = "") -> tuple[IamUser, AccessKey]:
    """A person's own key, or one of a service user that they own, with its IAM user, as IAM lists it.

    A key of anybody else and one that does not exist are answered alike: NotYourKey, or, for who has no IAM user of
    their own, in the words that say so. Such a person may own a service user all the same.
    """
    refusal: Refused = NotYourKey(_NOT_SEEN if desk.rules.owner_tag and not service_user else "")
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
    found = owner_of(desk, key_id) if desk.rules.owner_tag and not service_user else None
    if found is None:
        raise refusal
    try:
        user = desk.identify(member, found[0])
    except NotAllowed:
        raise refusal from None
    except (IamRefused, IamUnavailable, SlackUnavailable) as silent:  # asked only about a user that is there
        raise refusal from silent
    key = _one_of(desk, user, key_id)
    if key is None:
        raise refusal
    return user, key


def is_own(desk: Desk, member: Member, key: ManagedKey) -> None:
    """A key on record must be the person's own still, as `_own` tells it, though it need not be in AWS any more.

    Raises NotAllowed, NoIamUser, IamRefused or Unavailable.
    """
    try:
        policy.is_still_theirs(desk.identify(member, key.iam_user if key.service else ""), key)
    except (NoIamUser, NoSuchIamUser, NotAllowed) as refusal:
        if not desk.rules.owner_tag or key.service:
            raise
        try:
            policy.is_still_theirs(desk.identify(member, key.iam_user), key)
        except NotAllowed:
            raise refusal from None


def owner_of(desk: Desk, key_id: str) -> tuple[str, LastUsed | None] | None:
    """The IAM user of any key of the account, and its last use where AWS tells it; None for a key of no user here.

    AWS may not know a key that is seconds old. The desk's own record then says whose it is, unless it is gone.
    """
    found = desk.issuer.owner(key_id)
    if found is not None:
        return found
    record = desk.store.key(key_id)
    if record is None or record.wanted is Wanted.DELETED or record.shown is Shown.DELETED or _is_gone(desk, record):
        return None
    return record.iam_user, None


def _is_gone(desk: Desk, record: ManagedKey) -> bool:
    """Does IAM show for certain that a key is not there any more?"""
    try:
        return intent.read(desk, record) is Shown.DELETED
    except (IamRefused, IamUnavailable):
        return False


def _anybodys(desk: Desk, key_id: str) -> tuple[IamUser, AccessKey]:
    """Any key of the account with its IAM user, for an approver; one too young to be listed counts as active.

    Raises NotInAccount, or NotAllowed for one whose user is not under `IAM_PATH`.
    """
    found = owner_of(desk, key_id)
    if found is None:
        raise NotInAccount(key_id)
    user = desk.issuer.user(found[0])
    policy.is_served(user, desk.rules.iam_path)
    key, record = _one_of(desk, user, key_id), desk.store.key(key_id)
    if key is None and record and not record.absence_proves(desk.clock.now()):
        key = AccessKey(key_id, user.name, KeyStatus.ACTIVE, record.made_at)
    if key is None:
        raise NotInAccount(key_id)
    return user, key


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
