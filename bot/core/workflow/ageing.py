"""What becomes of a key in time: reminders and its end, the grace of the key it replaces, deletion.

A key that was changed or deleted in AWS meanwhile is noticed and recorded first, not tripped over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from bot.core import policy
from bot.core.access_key import DELETION, DELETION_NOTICE, AccessKey, ManagedKey, Shown, Wanted, Why
from bot.core.errors import (
    Conflict,
    IamRefused,
    IamUnavailable,
    KeyIsLeaked,
    NotYourKey,
    Unavailable,
    WrongState,
)
from bot.core.people import Member
from bot.core.ports import Change
from bot.core.request import KeyRequest
from bot.core.workflow import intent, ownership, retire
from bot.core.workflow.desk import CONFLICT_TRIES, KEYDESK, Desk

A_DAY = timedelta(days=1)

QUIET_FOR = timedelta(days=2)
"""How long an old key that was found in use must have been quiet at least: a daily job may run a little later."""


def age(desk: Desk, key: ManagedKey) -> None:
    """Does what is due for a key besides looking at it. Raises what IAM raises.

    While a look after a change of ours is still due, IAM may show what was before it: nobody has changed the key then.
    """
    now = desk.clock.now()
    shown = intent.read(desk, key)
    nearing = tuple(name for name, at in key.expiry_notices() if at <= now)
    turned_off = shown is Shown.INACTIVE and key.wanted is Wanted.ACTIVE
    turned_on = shown is Shown.ACTIVE and key.wanted is Wanted.INACTIVE
    if (turned_off or turned_on) and (key.shown is Shown.UNKNOWN or key.stays_off):
        intent.carry_out(desk, key)  # what is wanted was not done yet, or its end is a promise
    elif shown is Shown.DELETED or (key.due is None and (turned_off or turned_on)):
        notice(desk, key, shown)
    elif key.wanted is Wanted.INACTIVE and key.delete_at:
        _delete_or_warn(desk, key)
    elif key.expires_at and key.expires_at <= now:
        _expire(desk, key)
    elif nearing:
        _remind(desk, key, nearing)
    elif key.grace_ends and key.grace_ends <= now:
        _end_grace(desk, key)


def grace(desk: Desk, key: ManagedKey, request: KeyRequest) -> dict[str, Any]:
    """The facts with which the receipt of a rotation's new key begins the old one's grace; {} where it replaces none.

    They go into whatever change the receipt makes to the key, so that this is one step of its record.
    """
    if not key.replaces:
        return {}
    now = desk.clock.now()
    try:
        facts, facts_at = _facts(key, desk.issuer.keys(key.iam_user)), now
    except (IamRefused, Unavailable):
        facts, facts_at = (), None  # *Check again* asks anew
    return {
        "handed_over_at": request.handed_over_at or now,
        "grace_ends": now + desk.rules.rotation_grace,
        "facts": facts,
        "facts_at": facts_at,
    }


def check(desk: Desk, member: Member, key_id: str) -> ManagedKey:
    """**Check again**: reads when old and new key were last used. Raises as `_rotating`."""
    for _ in range(CONFLICT_TRIES):
        key = _rotating(desk, member, key_id)
        noted = key.noted(
            facts=_facts(key, desk.issuer.keys(key.iam_user)), facts_at=desk.clock.now()
        )
        if _written(desk, key, noted, "check", member.id):
            return noted
    raise retire.busy(key_id)


def not_yet(desk: Desk, member: Member, key_id: str) -> ManagedKey:
    """**Not yet**: the old key's grace begins anew. Raises as `_rotating`."""
    for _ in range(CONFLICT_TRIES):
        key = _rotating(desk, member, key_id)
        noted = key.noted(grace_ends=desk.clock.now() + desk.rules.rotation_grace)
        if _written(desk, key, noted, "not_yet", member.id):
            return noted
    raise retire.busy(key_id)


def disable_old(desk: Desk, member: Member, key_id: str) -> ManagedKey:
    """**Disable the old key** that `key_id` replaces. Raises as `_rotating`, WrongState or StillTrying."""
    for _ in range(CONFLICT_TRIES):
        key = _rotating(desk, member, key_id)
        keys = {one.id: one for one in desk.issuer.keys(key.iam_user)}
        ended = _ended(desk, key, keys.get(key.replaces), member.id)
        if ended is None:
            _written(desk, key, key.noted(replaces="", grace_ends=None), "noticed", member.id)
            raise WrongState(key.wanted, f"{key.replaces} is gone from AWS, or inactive, already.")
        if _retired(desk, key, ended, member.id):
            intent.carry_out_or_say(desk, ended.off)
            return key
    raise retire.busy(key_id)


def undo(desk: Desk, member: Member, key_id: str) -> None:
    """**Undo**: the old key of a rotation is on again, while it lasts.

    Raises NotYourKey, WrongState, NotAllowed or NoIamUser where its IAM user is not theirs any more, or StillTrying.
    """
    for _ in range(CONFLICT_TRIES):
        key = desk.store.key(key_id)
        if key is None or key.owner != member.id:
            raise NotYourKey
        if key.leaked:
            raise KeyIsLeaked(key_id)
        if key.wanted is not Wanted.INACTIVE or key.why is not Why.ROTATED:
            back = (
                f" `/key enable {key_id} <reason>` asks for it back."
                if key.wanted is Wanted.INACTIVE
                else ""
            )
            raise WrongState(
                key.wanted,
                f"{key_id} is {key.wanted.value} by now; there is nothing to undo.{back}",
            )
        if key.is_over(desk.clock.now()):
            raise WrongState(
                key.wanted,
                f"{key_id} has reached its end meanwhile, so *Undo* does not bring it back. "
                f"`/key enable {key_id} <reason>` asks for it back.",
            )
        if key.reported_at:
            raise WrongState(
                key.wanted,
                f"{key_id} was reported as leaked and the approvers have not decided yet, so "
                f"*Undo* does not bring it back. `/key enable {key_id} <reason>` asks for it.",
            )
        policy.is_still_theirs(desk.identify(member, key.iam_user if key.service else ""), key)
        wants = key.want(Wanted.ACTIVE, member.id, desk.clock.now(), due=desk.soon(), notices=())
        if _written(desk, key, wants, "undo", member.id):
            intent.carry_out_or_say(desk, wants)
            return
    raise retire.busy(key_id)


def _rotating(desk: Desk, member: Member, key_id: str) -> ManagedKey:
    """The new key of a rotation that is not over. Raises NotYourKey or WrongState.

    Whose its IAM user is now is asked, as where a key is turned off: NotAllowed, NoIamUser, IamRefused or Unavailable.
    """
    key = desk.store.key(key_id)
    if key is None or key.owner != member.id:
        raise NotYourKey
    if not key.replaces or key.grace_ends is None:
        raise WrongState(key.wanted, f"The rotation to {key_id} is finished; nothing was changed.")
    if key.wanted is not Wanted.ACTIVE:
        raise WrongState(
            key.wanted,
            f"{key_id} is {key.wanted.value} by now, so the old key {key.replaces} stays as "
            "it is; nothing was changed.",
        )
    ownership.is_own(desk, member, key)
    return key


def _written(
    desk: Desk, before: ManagedKey, after: ManagedKey, action: str, by: str, why: str = ""
) -> bool:
    """Commits a change to a key; False where somebody was faster."""
    try:
        desk.commit(Change(before, after), entry=desk.key_entry(after, before, action, by, why=why))
    except Conflict:
        return False
    return True


def notice_if_gone(desk: Desk, key_id: str) -> None:
    """A key that was to be active and is gone from IAM: that is recorded, so that its owner is told."""
    key = desk.store.key(key_id)
    if key and (key.shown, key.wanted) == (Shown.DELETED, Wanted.ACTIVE):
        notice(desk, key, Shown.DELETED)


def notice(desk: Desk, key: ManagedKey, shown: Shown) -> None:
    """Somebody changed the key in AWS: that is recorded, and the desk wants it so from now on."""
    now = desk.clock.now()
    wants = key.want(
        Wanted(shown.value), KEYDESK, now, due=now, why=Why.CONSOLE, replaces="", grace_ends=None
    )
    _written(
        desk,
        key,
        replace(wants, shown=shown, due=None),
        "noticed",
        KEYDESK,
        why=f"IAM shows {shown}",
    )


def _delete_or_warn(desk: Desk, key: ManagedKey) -> None:
    """Nothing is deleted unannounced: where nobody was there to tell its owner in time, it is deleted later instead."""
    now = desk.clock.now()
    if DELETION not in key.notices:
        later = max(key.delete_at or now, now + min(DELETION_NOTICE, desk.rules.delete_after))
        _written(
            desk,
            key,
            key.noted(notices=(*key.notices, DELETION), delete_at=later),
            "remind",
            KEYDESK,
        )
    elif key.delete_at and key.delete_at <= now:
        gone = key.want(Wanted.DELETED, KEYDESK, now, due=desk.soon(), why=key.why)
        if _written(desk, key, gone, "delete", KEYDESK, why=f"{key.why}, and its time is over"):
            intent.carry_out(desk, gone)


def ended_now(desk: Desk, key: ManagedKey, **facts: Any) -> ManagedKey:
    """The key, not stored yet, with its life over: off, and deleted in a while."""
    now = desk.clock.now()
    return key.want(
        Wanted.INACTIVE,
        KEYDESK,
        now,
        due=desk.soon(),
        why=Why.EXPIRED,
        notices=("expired",),
        delete_at=now + desk.rules.delete_after,
        **facts,
    )


def _expire(desk: Desk, key: ManagedKey) -> None:
    """The key's life is over, in use or not: it is disabled, never deleted at once."""
    ended = ended_now(
        desk, key, facts=_facts(key, desk.issuer.keys(key.iam_user)), facts_at=desk.clock.now()
    )
    if _written(desk, key, ended, "expire", KEYDESK):
        intent.carry_out(desk, ended)


def _remind(desk: Desk, key: ManagedKey, nearing: tuple[str, ...]) -> None:
    """The nearest reminder is recorded, then drawn; those it makes late are let go with it."""
    _written(
        desk, key, key.noted(notices=(*key.notices, *nearing)), "remind", KEYDESK, why=nearing[-1]
    )


def _end_grace(desk: Desk, key: ManagedKey) -> None:
    """The old key is disabled if it was quiet since the hand-over; one in use is not broken: its owner is told."""
    now = desk.clock.now()
    keys = desk.issuer.keys(key.iam_user)
    old = next((one for one in keys if one.id == key.replaces), None)
    ended = _ended(desk, key, old, KEYDESK)
    if ended is None or old is None:
        _written(
            desk,
            key,
            key.noted(replaces="", grace_ends=None),
            "noticed",
            KEYDESK,
            why="the old key is gone, or inactive, already",
        )
        return
    if old.last_used is None:
        raise IamUnavailable("GetAccessKeyLastUsed")  # not known to be quiet: asked again later
    used_at = old.last_used.at
    # Once it was found in use, it must only have been quiet of late: a roll-out's last use must not keep it for ever.
    quiet_since = (
        now - max(desk.rules.rotation_grace, QUIET_FOR) if key.days_used else key.handed_over_at
    )
    if used_at and quiet_since and used_at > quiet_since:
        _written(
            desk,
            key,
            key.noted(
                days_used=key.days_used + 1,
                grace_ends=now + A_DAY,
                facts=_facts(key, keys),
                facts_at=now,
            ),
            "remind",
            KEYDESK,
            why=f"the old key {old.id} is still in use",
        )
    elif _retired(desk, key, ended, KEYDESK):
        intent.carry_out(desk, ended.off)


@dataclass(frozen=True)
class _Ended:
    """The end of a rotation: the new key stands alone, the old one, with its record so far, is to be off."""

    alone: ManagedKey
    record: ManagedKey | None
    off: ManagedKey


def _ended(desk: Desk, key: ManagedKey, old: AccessKey | None, by: str) -> _Ended | None:
    """The end of a rotation: the new key stands alone, the old one is to be off. None where it is so already."""
    record = desk.store.key(key.replaces)
    if old is None or not old.active or (record and record.wanted is Wanted.DELETED):
        return None
    base = record or retire.adopted(key.account, old, key.owner)
    now = desk.clock.now()
    kept = base.wanted is Wanted.INACTIVE and policy.ended(
        base, now
    )  # who ended it, and why, stays
    why = Why.LEAKED if base.leaked else base.why if kept else Why.ROTATED
    off = base.want(
        Wanted.INACTIVE,
        base.changed_by if kept else by,
        now,
        due=desk.soon(),
        why=why,
        note=base.note if kept else "",
        owner=key.owner,
        dm=key.dm,
        service=key.service,
        account=base.account or key.account,
        facts=(old,),
        facts_at=now,
        delete_at=now + desk.rules.delete_after,
        notices=(),
    )
    return _Ended(key.noted(replaces="", grace_ends=None), record, off)


def _retired(desk: Desk, key: ManagedKey, ended: _Ended, by: str) -> bool:
    try:
        desk.commit(
            Change(key, ended.alone),
            Change(ended.record, ended.off),
            entry=desk.key_entry(
                ended.off, ended.record, "disable", by, why=f"replaced by {key.id}"
            ),
        )
    except Conflict:
        return False
    return True


def _facts(key: ManagedKey, keys: Sequence[AccessKey]) -> tuple[AccessKey, ...]:
    """What IAM shows of this key and of the one it replaces."""
    return tuple(one for one in keys if one.id in (key.id, key.replaces))
