"""The leak switch: a key that got out is turned off, by whoever may, and never turned on again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.core import policy
from bot.core.access_key import (
    AccessKey,
    KeyStatus,
    LastUsed,
    ManagedKey,
    Wanted,
    Why,
    out_of_reach,
)
from bot.core.counting import Count, Deed
from bot.core.errors import (
    Conflict,
    IamDenied,
    IamRefused,
    IamThrottled,
    IamUnavailable,
    NoSuchIamUser,
    NotAllowed,
    NotInAccount,
    NotYourKey,
    Refused,
    SlackUnavailable,
)
from bot.core.people import IamUser, Member
from bot.core.ports import Change
from bot.core.workflow import ownership, retire
from bot.core.workflow.desk import CONFLICT_TRIES, Desk

NEWS_AFTER = timedelta(hours=1)
"""How long after a report another one of the same key is brought before the approvers anew."""


@dataclass(frozen=True)
class Leak:
    """What came of a report: `disabled` says that the key is off now; `ask` is the key an approver is asked about."""

    disabled: bool = False
    ask: AccessKey | None = None


def report(desk: Desk, member: Member, key_id: str) -> Leak:
    """Anybody, a guest too, reports any key of the account. Its owner turns it off with that; an approver is asked.

    For anybody else one urgent card for each key (and one for each later report of a key that is left on) goes to the
    approvers, and what this returns is the same whether or not the key exists, and so is what is counted and, beyond
    the limit, refused: OverLimit. A key that the desk may not touch gets a card as well, which says what to do. While
    Slack does not say who may approve, nobody is taken for an approver.
    Raises NotAllowed for the desk's own credentials and, told to owner and approvers, for a key that it may not touch;
    NotInAccount for approvers alone, StillTrying, IamRefused or Unavailable.
    """
    desk.spare_itself(key_id)
    found = ownership.owner_of(desk, key_id)
    if found is None:
        if _approves(desk, member):
            raise NotInAccount(key_id)
        desk.store.count(_one(desk, member))
        return Leak()
    user = _reached(desk, member, found[0])
    if user is None:
        return _beyond(
            desk, member, AccessKey(key_id, found[0], KeyStatus.ACTIVE, desk.clock.now(), found[1])
        )
    key = _as_listed(desk, user, key_id, found[1])
    if not member.is_guest and _owns(desk, member, user):
        _disable(desk, member, user, key)
        return Leak(disabled=True)
    if _approves(desk, member):
        return Leak(ask=key)
    _ask_approvers(desk, member, user, key)
    return Leak()


def _reached(desk: Desk, member: Member, name: str) -> IamUser | None:
    """The IAM user of a key, or None where the desk may not touch it: not under the path, denied by AWS, or not there.

    Raises what IAM raises where AWS does not say at this moment, to its owner and approvers alone: AWS is asked only
    about a key that exists, so for anybody else it is a user of whom nothing but the name is known.
    """
    try:
        user = desk.issuer.user(name)
        policy.is_served(user, desk.rules.iam_path)
    except (IamDenied, NotAllowed, NoSuchIamUser):
        return None
    except (IamRefused, IamUnavailable):
        if _is_named(desk, member, name) or _approves(desk, member):
            raise
        return _unseen(desk, name)
    return user


def _unseen(desk: Desk, name: str) -> IamUser:
    """An IAM user of whom AWS shows the desk nothing but the name."""
    return IamUser(name, "", "arn:aws:iam:::user", desk.clock.now())


def _is_named(desk: Desk, member: Member, iam_user: str) -> bool:
    """Does the mapping alone, without AWS, make this the person's own IAM user? A guest has none."""
    return not member.is_guest and iam_user.lower() in {
        name.lower() for name in desk.iam_names(member)
    }


def _approves(desk: Desk, member: Member) -> bool:
    """Is this an approver, as far as Slack says? Where it does not, they report a key like anybody."""
    if member.is_guest:
        return False
    try:
        return member.id in desk.directory.approvers()
    except SlackUnavailable:
        return False


def _beyond(desk: Desk, member: Member, key: AccessKey) -> Leak:
    """A key that the desk cannot turn off. Its owner and approvers are told so; for anybody else a card tells them."""
    if _is_named(desk, member, key.iam_user) or _approves(desk, member):
        raise NotAllowed(out_of_reach(key.id, key.iam_user))
    _ask_approvers(desk, member, _unseen(desk, key.iam_user), key, beyond=True)
    return Leak()


def disable(desk: Desk, member: Member, key_id: str) -> ManagedKey:
    """**Disable now**: an approver, or its owner, turns a leaked key off, in use or not.

    Raises NotAllowed, NotInAccount or StillTrying.
    """
    desk.spare_itself(key_id)
    found = ownership.owner_of(desk, key_id)
    user = _reached(desk, member, found[0]) if found else None
    if user is None or not _owns(desk, member, user):
        policy.is_approver(member, desk.directory.approvers())
    if found is None:
        raise NotInAccount(key_id)
    if user is None:
        raise NotAllowed(out_of_reach(key_id, found[0]))
    return _disable(desk, member, user, _as_listed(desk, user, key_id, found[1]))


def _disable(desk: Desk, member: Member, user: IamUser, key: AccessKey) -> ManagedKey:
    record = desk.store.key(key.id)
    owner, dm = desk.whom_to_tell(user, record)
    now = desk.clock.now()
    reported = record if record and record.reported_at else None
    retire.want(
        desk,
        member,
        user,
        key,
        Wanted.INACTIVE,
        "leaked",
        why=Why.LEAKED,
        reason="reported as leaked",
        whose=owner,
        leaked=True,
        facts=(key,),
        facts_at=now,
        owner=owner,
        dm=dm,
        delete_at=record.delete_at if record else None,
        reported_by=reported.reported_by if reported else member.id,
        reported_at=reported.reported_at if reported else now,
        count=_one(desk, member, free=True),
    )
    kept = desk.store.key(key.id)
    if kept is None:
        raise NotYourKey
    return kept


def _ask_approvers(
    desk: Desk, member: Member, user: IamUser, key: AccessKey, *, beyond: bool = False
) -> None:
    """One urgent card for each key, however often it is reported; a new one where that was a while ago and it is on."""
    for _ in range(CONFLICT_TRIES):
        record, now = desk.store.key(key.id), desk.clock.now()
        if record and not _is_news(record, key, now):
            desk.store.count(_one(desk, member))
            return
        owner, dm = desk.whom_to_tell(user, record)
        base = record or retire.adopted(user.account, key, owner)
        again = base.reported_at is not None
        by = (
            {"reported_again_by": member.id, "reported_again_at": now}
            if again
            else {"reported_by": member.id, "reported_at": now}
        )
        reported = base.noted(
            facts=(key,), facts_at=now, owner=owner, dm=dm, out_of_reach=beyond, **by
        )
        entry = desk.key_entry(
            reported, record, "report", member.id, why="reported again" if again else ""
        )
        try:
            desk.commit(Change(record, reported), entry=entry, count=_one(desk, member))
            return
        except Conflict:
            continue
    raise retire.busy(key.id)


def _is_news(record: ManagedKey, key: AccessKey, now: datetime) -> bool:
    """Is a report of this key one that the approvers have not been shown, or were shown a while ago, to no effect?"""
    if record.wanted is Wanted.DELETED:
        return False
    if record.reported_at is None:
        return True
    last = record.reported_again_at or record.reported_at
    return key.active and not record.leaked and now - last >= NEWS_AFTER


def _one(desk: Desk, member: Member, *, free: bool = False) -> Count:
    """A report, to be counted. Turning a key off is `free`: it is safe, so nobody who may do it is ever refused."""
    return desk.one(Deed.LEAK_REPORT, member.id, desk.clock.now(), free=free)


def _as_listed(desk: Desk, user: IamUser, key_id: str, used: LastUsed | None) -> AccessKey:
    """The key as its user's list shows it; one that is not listed, or not yet, counts as active, since it may work."""
    try:
        listed = desk.issuer.listed(user.name)
    except (
        IamRefused,
        IamUnavailable,
    ):  # nobody is refused for that: a stranger would learn that the key exists
        listed = ()
    for key in listed:
        if key.id == key_id:
            return AccessKey(key.id, key.iam_user, key.status, key.created_at, used)
    return AccessKey(key_id, user.name, KeyStatus.ACTIVE, user.read_at, used)


def _owns(desk: Desk, member: Member, user: IamUser) -> bool:
    """Is this the person's own IAM user, or a service user whose owner tag names them?

    Raises IamUnavailable or IamThrottled where AWS does not say so of a person whose own it is by the mapping.
    """
    if member.id in policy.tagged(user, desk.rules.owner_tag):
        return True
    for service_user in ("", user.name) if desk.rules.owner_tag else ("",):
        try:
            if desk.identify(member, service_user).user_id == user.user_id:
                return True
        except (IamThrottled, IamUnavailable):
            if _is_named(desk, member, user.name):
                raise
        except (
            Refused,
            SlackUnavailable,
        ):  # who cannot be told to be its owner reports it like anybody
            continue
    return False
