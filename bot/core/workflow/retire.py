"""Retiring a key: seeing one's keys, turning one off, deleting one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
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
    NotYourKey,
    StillTrying,
    WrongState,
    at_words,
)
from bot.core.moves import Action, Status
from bot.core.people import IamUser, Member
from bot.core.ports import Change
from bot.core.workflow import intent, ownership
from bot.core.workflow.desk import CONFLICT_TRIES, KEYDESK, Desk


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


def used(desk: Desk, member: Member, key_id: str, service_user: str = "") -> AccessKey:
    """One of a person's own keys, or, for an approver, any key of the account, with its last use.

    Raises NotYourKey, or NotInAccount for an approver.
    """
    try:
        return ownership.own_key(desk, member, key_id, service_user)
    except (NotYourKey, NoIamUser, NoSuchIamUser, NotAllowed):
        if member.id not in desk.directory.approvers():
            raise
    return ownership.anybodys(desk, key_id)[1]


def disable(desk: Desk, member: Member, key_id: str, service_user: str = "") -> Retired:
    """Turns off a person's own key. Doing it twice is well.

    Raises NotYourKey, IamRefused, Unavailable, or StillTrying where AWS did not confirm it.
    """
    user, key = ownership.owned(desk, member, key_id, service_user)
    record = desk.store.key(key_id)
    if not key.active and not (record and record.wanted is Wanted.ACTIVE):
        return Retired(key, already=True)
    if record and record.wanted is Wanted.INACTIVE and policy.ended(record, desk.clock.now()):
        intent.carry_out_or_say(
            desk, record
        )  # who turned it off, and why, stays: who may turn it on depends on that
        return Retired(replace(key, status=KeyStatus.INACTIVE), already=False)
    want(desk, member, user, key, Wanted.INACTIVE, "disable", why=Why.OWNER)
    return Retired(replace(key, status=KeyStatus.INACTIVE), already=not key.active)


def disable_for(desk: Desk, member: Member, key_id: str, reason: str) -> Retired:
    """An approver turns off anybody's key and says why, or, of one that is off already, why it must stay so.

    That is on record, so that its owner does not turn it on alone. Raises NotAllowed, NotInAccount or StillTrying.
    """
    policy.is_approver(member, desk.directory.approvers())
    desk.spare_itself(key_id)
    user, key = ownership.anybodys(desk, key_id)
    record = desk.store.key(key_id)
    if not key.active and record and _stays_off(record):
        return Retired(key, already=True)
    owner, dm = desk.whom_to_tell(user, record)
    want(
        desk,
        member,
        user,
        key,
        Wanted.INACTIVE,
        "disable",
        why=Why.OWNER,
        reason=reason,
        whose=owner,
        note=reason,
        owner=owner,
        dm=dm,
        **_put_down(record),
    )
    return Retired(
        replace(key, status=KeyStatus.INACTIVE),
        already=not key.active,
        noted=True,
        told=owner if dm else "",
    )


def _stays_off(record: ManagedKey) -> bool:
    """Is a key that is off on record as not its owner's to turn on, by an approver, its end, a leak or as found?

    A found key waits for what the approvers decide of it.
    """
    return record.wanted is Wanted.DELETED or (
        record.wanted is Wanted.INACTIVE
        and (record.stays_off or record.undecided or policy.ended_by_approver(record))
    )


def _put_down(record: ManagedKey | None) -> dict[str, Any]:
    """A key that is off and put down for deletion stays so, whoever says why it must be off."""
    return {"delete_at": record.delete_at} if record and record.wanted is Wanted.INACTIVE else {}


def delete(desk: Desk, member: Member, key_id: str, service_user: str = "") -> Retired:
    """Deletes a person's own inactive key. A request that waits for this key's receipt is closed in the same step.

    Raises NotYourKey, KeyIsActive, IamRefused, Unavailable or StillTrying.
    """
    user, key = ownership.owned(desk, member, key_id, service_user)
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
            raise WrongState(
                record.wanted, _found_story(record), record.changed_by, record.changed_at
            )
        ends = ends_again(desk, record) if wanted is Wanted.ACTIVE else record.expires_at
        wants = record.want(wanted, member.id, desk.clock.now(), due=desk.soon(), expires_at=ends)
        try:
            desk.commit(
                Change(record, wants), entry=desk.key_entry(wants, record, action, member.id)
            )
        except Conflict:
            record = desk.store.key(key_id) or record
            continue
        intent.carry_out_or_say(desk, wants)
        return wants
    raise busy(key_id)


def ends_again(desk: Desk, key: ManagedKey) -> datetime | None:
    """When a key ends that is turned on now, by the desk's rules. Raises NotAllowed."""
    return policy.ends_again(
        key, desk.clock.now(), desk.rules.key_ttl_max, desk.rules.break_glass_ttl
    )


def want(
    desk: Desk,
    member: Member,
    user: IamUser,
    key: AccessKey,
    wanted: Wanted,
    action: str,
    *,
    why: Why = Why.NOTHING,
    reason: str = "",
    whose: str | None = None,
    count: Count | None = None,
    **facts: Any,
) -> None:
    """Writes what is wanted of a key (and closes the request it ends), then carries it out. Raises StillTrying.

    A key made elsewhere gets a record with `whose` Slack user ID ("": nobody known), else the member's.
    """
    for _ in range(CONFLICT_TRIES):
        now = desk.clock.now()
        record = desk.store.key(key.id)
        if record and record.wanted is Wanted.DELETED and wanted is not Wanted.DELETED:
            raise StillTrying(
                f"{key.id} is being deleted already. I keep at it until AWS has done that."
            )
        base = record or adopted(user.account, key, member.id if whose is None else whose)
        wants = base.want(wanted, member.id, now, due=desk.soon(), why=why, **facts)
        try:
            desk.commit(
                Change(record, wants),
                *closes(desk, wants, member.id),
                entry=desk.key_entry(wants, record, action, member.id, why=reason),
                count=count,
            )
        except Conflict:
            continue
        intent.carry_out_or_say(desk, wants)
        return
    raise busy(key.id)


def adopted(account: str, key: AccessKey, owner: str) -> ManagedKey:
    """A record, not stored yet, of a key that was made elsewhere."""
    return ManagedKey(
        id=key.id,
        account=account,
        iam_user=key.iam_user,
        owner=owner,
        request_id="",
        origin=Origin.ADOPTED,
        made_at=key.created_at,
        wanted=Wanted.ACTIVE if key.active else Wanted.INACTIVE,
        version=0,
    )


def closes(desk: Desk, key: ManagedKey, by: str) -> tuple[Change, ...]:
    """What becomes of the request that waits for a receipt of `key`: it ends where its owner deletes the key.

    Where an approver turns it off the receipt is still to come, but this approval brings no other key.
    """
    request = desk.store.request(key.request_id) if key.request_id else None
    if (
        request is None
        or request.access_key_id != key.id
        or request.status not in (Status.DELIVERED, Status.UNCLAIMED)
    ):
        return ()
    if key.wanted is Wanted.DELETED:
        return (Change(request, request.move(Action.DELETE, by, desk.clock.now(), deadline=None)),)
    if policy.ended_by_approver(key) and not request.stopped_by:
        return (Change(request, request.move(Action.STOP, by, desk.clock.now(), stopped_by=by)),)
    return ()


def _found_story(key: ManagedKey) -> str:
    became = "deleted" if key.wanted is Wanted.DELETED else "enabled"
    who = "" if key.changed_by == KEYDESK else f" by <@{key.changed_by}>"
    when = f" on {at_words(key.changed_at)}" if key.changed_at else ""
    return f"{key.id} was already {became}{who}{when}."


def busy(key_id: str) -> StillTrying:
    """What to tell where others change the same key all the time."""
    return StillTrying(
        f"{key_id} is being changed by somebody else at this moment. `/key list` shows how it stands."
    )
