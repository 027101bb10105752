"""The leak switch: a key that got out is turned off, by whoever may, and never turned on again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain import policy
from bot.domain.errors import (
    Conflict,
    IamDenied,
    IamRefused,
    IamThrottled,
    IamUnavailable,
    IamUserNotFound,
    KeyNotInAccount,
    NotAllowed,
    NotYourKey,
    Refused,
    SlackUnavailable,
)
from bot.domain.identity import IamUser, Member
from bot.domain.keys import (
    AccessKey,
    DesiredState,
    InactiveReason,
    KeyStatus,
    LastUsed,
    ManagedKey,
    out_of_reach,
)
from bot.domain.ports import Change
from bot.domain.rate_limits import LimitedAction, Usage
from bot.operations import disable_key, identify, key_owner
from bot.operations.services import MAX_CONFLICTS, Services

REPORT_AGAIN_AFTER = timedelta(hours=1)
"""How long after a report another one of the same key is brought before the approvers anew."""


@dataclass(frozen=True)
class LeakResult:
    """What came of a report: `disabled` says that the key is off now; `ask` is the key an approver is asked about."""

    disabled: bool = False
    ask: AccessKey | None = None


def report(services: Services, member: Member, key_id: str) -> LeakResult:
    """Anybody, a guest too, reports any key of the account. Its owner turns it off with that; an approver is asked.

    For anybody else one urgent card for each key (and one for each later report of a key that is left on) goes to the
    approvers, and what this returns is the same whether or not the key exists, and so is what is counted and, beyond
    the limit, refused: RateLimited. A key that the desk may not touch gets a card as well, which says what to do. While
    Slack does not say who may approve, nobody is taken for an approver.
    Raises NotAllowed for the desk's own credentials and, told to owner and approvers, for a key that it may not touch;
    KeyNotInAccount for approvers alone, ChangePending, IamRefused or Unavailable.
    """
    identify.check_not_own_key(services, key_id)
    found = key_owner.owner_of(services, key_id)
    if found is None:
        if _is_approver(services, member):
            raise KeyNotInAccount(key_id)
        services.store.count(_usage(services, member))
        return LeakResult()
    user = _manageable_user(services, member, found[0])
    if user is None:
        return _report_unmanageable(
            services,
            member,
            AccessKey(key_id, found[0], KeyStatus.ACTIVE, services.clock.now(), found[1]),
        )
    key = _listed_key(services, user, key_id, found[1])
    if not member.is_guest and _is_owner(services, member, user):
        _disable(services, member, user, key)
        return LeakResult(disabled=True)
    if _is_approver(services, member):
        return LeakResult(ask=key)
    _ask_approvers(services, member, user, key)
    return LeakResult()


def _manageable_user(services: Services, member: Member, name: str) -> IamUser | None:
    """The IAM user of a key, or None where the desk may not touch it: not under the path, denied by AWS, or not there.

    Raises what IAM raises where AWS does not say at this moment, to its owner and approvers alone: AWS is asked only
    about a key that exists, so for anybody else it is a user of whom nothing but the name is known.
    """
    try:
        user = services.issuer.user(name)
        policy.check_iam_path(user, services.settings.iam_path)
    except (IamDenied, NotAllowed, IamUserNotFound):
        return None
    except (IamRefused, IamUnavailable):
        if _is_mapped(services, member, name) or _is_approver(services, member):
            raise
        return _unknown_user(services, name)
    return user


def _unknown_user(services: Services, name: str) -> IamUser:
    """An IAM user of whom AWS shows the desk nothing but the name."""
    return IamUser(name, "", "arn:aws:iam:::user", services.clock.now())


def _is_mapped(services: Services, member: Member, iam_user: str) -> bool:
    """Does the mapping alone, without AWS, make this the person's own IAM user? A guest has none."""
    return not member.is_guest and iam_user.lower() in {
        name.lower() for name in identify.iam_user_names(services, member)
    }


def _is_approver(services: Services, member: Member) -> bool:
    """Is this an approver, as far as Slack says? Where it does not, they report a key like anybody."""
    if member.is_guest:
        return False
    try:
        return member.id in services.directory.approvers()
    except SlackUnavailable:
        return False


def _report_unmanageable(services: Services, member: Member, key: AccessKey) -> LeakResult:
    """A key that the desk cannot turn off. Its owner and approvers are told so; for anybody else a card tells them."""
    if _is_mapped(services, member, key.iam_user) or _is_approver(services, member):
        raise NotAllowed(out_of_reach(key.id, key.iam_user))
    _ask_approvers(services, member, _unknown_user(services, key.iam_user), key, beyond=True)
    return LeakResult()


def disable(services: Services, member: Member, key_id: str) -> ManagedKey:
    """**Disable now**: an approver, or its owner, turns a leaked key off, in use or not.

    Raises NotAllowed, KeyNotInAccount or ChangePending.
    """
    identify.check_not_own_key(services, key_id)
    found = key_owner.owner_of(services, key_id)
    user = _manageable_user(services, member, found[0]) if found else None
    if user is None or not _is_owner(services, member, user):
        policy.check_approver(member, services.directory.approvers())
    if found is None:
        raise KeyNotInAccount(key_id)
    if user is None:
        raise NotAllowed(out_of_reach(key_id, found[0]))
    return _disable(services, member, user, _listed_key(services, user, key_id, found[1]))


def _disable(services: Services, member: Member, user: IamUser, key: AccessKey) -> ManagedKey:
    record = services.store.key(key.id)
    owner, dm = identify.owner_and_dm(services, user, record)
    now = services.clock.now()
    reported = record if record and record.reported_at else None
    disable_key.set_desired_state(
        services,
        member,
        user,
        key,
        DesiredState.INACTIVE,
        "leaked",
        inactive_reason=InactiveReason.LEAKED,
        reason="reported as leaked",
        whose=owner,
        leaked=True,
        snapshot=(key,),
        snapshot_at=now,
        owner=owner,
        dm=dm,
        delete_at=record.delete_at if record else None,
        reported_by=reported.reported_by if reported else member.id,
        reported_at=reported.reported_at if reported else now,
        count=_usage(services, member, free=True),
    )
    kept = services.store.key(key.id)
    if kept is None:
        raise NotYourKey
    return kept


def _ask_approvers(
    services: Services, member: Member, user: IamUser, key: AccessKey, *, beyond: bool = False
) -> None:
    """One urgent card for each key, however often it is reported; a new one where that was a while ago and it is on."""
    for _ in range(MAX_CONFLICTS):
        record, now = services.store.key(key.id), services.clock.now()
        if record and not _is_new_report(record, key, now):
            services.store.count(_usage(services, member))
            return
        owner, dm = identify.owner_and_dm(services, user, record)
        base = record or disable_key.adopted_key(user.account, key, owner)
        again = base.reported_at is not None
        by = (
            {"reported_again_by": member.id, "reported_again_at": now}
            if again
            else {"reported_by": member.id, "reported_at": now}
        )
        reported = base.updated(
            snapshot=(key,), snapshot_at=now, owner=owner, dm=dm, out_of_reach=beyond, **by
        )
        entry = services.key_entry(
            reported, record, "report", member.id, reason="reported again" if again else ""
        )
        try:
            services.commit(Change(record, reported), entry=entry, count=_usage(services, member))
            return
        except Conflict:
            continue
    raise disable_key.concurrent_change(key.id)


def _is_new_report(record: ManagedKey, key: AccessKey, now: datetime) -> bool:
    """Is a report of this key one that the approvers have not been shown, or were shown a while ago, to no effect?"""
    if record.desired is DesiredState.DELETED:
        return False
    if record.reported_at is None:
        return True
    last = record.reported_again_at or record.reported_at
    return key.active and not record.leaked and now - last >= REPORT_AGAIN_AFTER


def _usage(services: Services, member: Member, *, free: bool = False) -> Usage:
    """A report, to be counted. Turning a key off is `free`: it is safe, so nobody who may do it is ever refused."""
    return services.usage(LimitedAction.LEAK_REPORT, member.id, services.clock.now(), free=free)


def _listed_key(services: Services, user: IamUser, key_id: str, used: LastUsed | None) -> AccessKey:
    """The key as its user's list shows it; one that is not listed, or not yet, counts as active, since it may work."""
    try:
        listed = services.issuer.listed(user.name)
    except (
        IamRefused,
        IamUnavailable,
    ):  # nobody is refused for that: a stranger would learn that the key exists
        listed = ()
    for key in listed:
        if key.id == key_id:
            return AccessKey(key.id, key.iam_user, key.status, key.created_at, used)
    return AccessKey(key_id, user.name, KeyStatus.ACTIVE, user.read_at, used)


def _is_owner(services: Services, member: Member, user: IamUser) -> bool:
    """Is this the person's own IAM user, or a service user whose owner tag names them?

    Raises IamUnavailable or IamThrottled where AWS does not say so of a person whose own it is by the mapping.
    """
    if member.id in policy.tagged_owners(user, services.settings.iam_owner_tag):
        return True
    for service_user in ("", user.name) if services.settings.iam_owner_tag else ("",):
        try:
            if identify.identify(services, member, service_user).user_id == user.user_id:
                return True
        except (IamThrottled, IamUnavailable):
            if _is_mapped(services, member, user.name):
                raise
        except (
            Refused,
            SlackUnavailable,
        ):  # who cannot be told to be its owner reports it like anybody
            continue
    return False
