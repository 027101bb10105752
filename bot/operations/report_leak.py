"""Report a leaked key, and disable it for good."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain import policy
from bot.domain.codes import Code, Detail
from bot.domain.errors import KeyNotInAccount, NotAllowed, NotYourKey, Refused
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey, DesiredState, InactiveReason, KeyStatus, LastUsed, ManagedKey
from bot.domain.outside_errors import (
    IamDenied,
    IamRefused,
    IamThrottled,
    IamUnavailable,
    IamUserNotFound,
    SlackUnavailable,
)
from bot.domain.rate_limits import LimitedAction, Usage
from bot.domain.records import Change
from bot.operations import disable_key, identify, key_owner
from bot.operations.services import Services, retry_on_conflict

REPORT_AGAIN_AFTER = timedelta(hours=1)
"""How long after a report a further one of the key is shown to the approvers."""


@dataclass(frozen=True)
class LeakResult:
    """The outcome: the key is `disabled`, or an approver must decide about `ask`."""

    disabled: bool = False
    ask: AccessKey | None = None


def report(services: Services, member: Member, key_id: str) -> LeakResult:
    """Report any key of the account as leaked. Every member and guest may do so.

    An owner disables the key with the report. An approver is asked first. For others, the approvers
    get one urgent card for each key, and one more if it is reported again later while still active.
    Those others get the same answer, and count against the same limit, whether or not the key
    exists. While Slack does not say who may approve, everyone else counts as one of those others. A
    key that Keydesk does not manage gets a card that says what to do.

    Raises:
        NotAllowed: Keydesk itself uses the key. Owners and approvers also get it for a key not
            managed here.
        KeyNotInAccount: The account has no such key. Only approvers are told.
        RateLimited: The member reported too many keys.
        ChangePending: AWS did not confirm the change.
        IamRefused: AWS refused a call.
        Unavailable: AWS or the database did not respond.
    """
    identify.check_not_own_key(services, key_id)
    found = key_owner.owner_of(services, key_id)
    if found is None:
        if _is_approver(services, member):
            raise KeyNotInAccount(key_id)
        services.store.record_usage(_usage(services, member))
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
    """Return the IAM user of a key, or None if Keydesk does not manage it.

    That is a user outside the path, one that AWS denies, or one that is missing. If AWS does not
    respond, only the owner and approvers get the error. AWS is asked only about a key that exists,
    so for others the error would tell that it does. For them, a user is returned of whom only the
    name is known.
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
    """Return an IAM user of whom only the name is known."""
    return IamUser(name, "", "arn:aws:iam:::user", services.clock.now())


def _is_mapped(services: Services, member: Member, iam_user: str) -> bool:
    """Return True if the mapping alone makes this the member's IAM user.

    A guest has none.
    """
    return not member.is_guest and iam_user.lower() in {
        name.lower() for name in identify.iam_user_names(services, member)
    }


def _is_approver(services: Services, member: Member) -> bool:
    """Return True if Slack says that the member may approve."""
    if member.is_guest:
        return False
    try:
        return member.id in services.directory.approvers()
    except SlackUnavailable:
        return False


def _report_unmanageable(services: Services, member: Member, key: AccessKey) -> LeakResult:
    """Report a key that Keydesk does not manage.

    Raises NotAllowed for its owner and for approvers.
    """
    if _is_mapped(services, member, key.iam_user) or _is_approver(services, member):
        raise _not_managed(key.id, key.iam_user)
    _ask_approvers(services, member, _unknown_user(services, key.iam_user), key, unmanaged=True)
    return LeakResult()


def disable(services: Services, member: Member, key_id: str) -> ManagedKey:
    """Disable a leaked key for good, for an approver or its owner.

    Raises:
        NotAllowed: The member may not do this, or Keydesk does not manage the key.
        KeyNotInAccount: The account has no such key.
        ChangePending: AWS did not confirm the change.
    """
    identify.check_not_own_key(services, key_id)
    found = key_owner.owner_of(services, key_id)
    user = _manageable_user(services, member, found[0]) if found else None
    if user is None or not _is_owner(services, member, user):
        policy.check_approver(member, services.directory.approvers())
    if found is None:
        raise KeyNotInAccount(key_id)
    if user is None:
        raise _not_managed(key_id, found[0])
    return _disable(services, member, user, _listed_key(services, user, key_id, found[1]))


def _not_managed(key_id: str, iam_user: str) -> NotAllowed:
    return NotAllowed(Code.KEY_NOT_MANAGED, key_id=key_id, iam_user=iam_user)


def _disable(services: Services, member: Member, user: IamUser, key: AccessKey) -> ManagedKey:
    record = services.store.key(key.id)
    owner, dm = identify.owner_and_dm(services, user, record)
    now = services.clock.now()
    earlier = record if record and record.reported_at else None
    disable_key.set_desired_state(
        services,
        member,
        user,
        key,
        DesiredState.INACTIVE,
        "leaked",
        inactive_reason=InactiveReason.LEAKED,
        detail=Detail(Code.REPORTED_AS_LEAKED),
        leaked=True,
        snapshot=(key,),
        snapshot_at=now,
        owner=owner,
        dm=dm,
        delete_at=record.delete_at if record else None,
        reported_by=earlier.reported_by if earlier else member.id,
        reported_at=earlier.reported_at if earlier else now,
        usage=_usage(services, member, free=True),
    )
    disabled = services.store.key(key.id)
    if disabled is None:
        raise NotYourKey
    return disabled


def _ask_approvers(
    services: Services, member: Member, user: IamUser, key: AccessKey, *, unmanaged: bool = False
) -> None:
    """Record the report, which shows one urgent card for each key.

    A further report shows another card only if `_is_new_report` says so. `unmanaged` is for a key
    of an IAM user that Keydesk does not manage.
    """

    def attempt() -> None:
        record, now = services.store.key(key.id), services.clock.now()
        if record and not _is_new_report(record, key, now):
            services.store.record_usage(_usage(services, member))
            return
        owner, dm = identify.owner_and_dm(services, user, record)
        base = record or disable_key.adopted_key(user.account, key, owner)
        again = base.reported_at is not None
        reporter = (
            {"reported_again_by": member.id, "reported_again_at": now}
            if again
            else {"reported_by": member.id, "reported_at": now}
        )
        after = base.updated(
            snapshot=(key,),
            snapshot_at=now,
            owner=owner,
            dm=dm,
            out_of_reach=unmanaged,
            **reporter,
        )
        detail = Detail(Code.REPORTED_AGAIN) if again else None
        entry = services.key_entry(after, record, "report", member.id, detail=detail)
        services.commit(Change(record, after), entry=entry, usage=_usage(services, member))

    retry_on_conflict(attempt, lambda: disable_key.concurrent_change(key.id))


def _is_new_report(record: ManagedKey, key: AccessKey, now: datetime) -> bool:
    """Return True if the approvers must see this report.

    They have seen none of this key, or saw one a while ago and left the key active.
    """
    if record.desired is DesiredState.DELETED:
        return False
    if record.reported_at is None:
        return True
    last = record.reported_again_at or record.reported_at
    return key.active and not record.leaked and now - last >= REPORT_AGAIN_AFTER


def _usage(services: Services, member: Member, *, free: bool = False) -> Usage:
    """Return the usage to count for a report.

    It is `free` for a report that disables the key, so that it is never refused.
    """
    return services.usage(LimitedAction.LEAK_REPORT, member.id, services.clock.now(), free=free)


def _listed_key(services: Services, user: IamUser, key_id: str, used: LastUsed | None) -> AccessKey:
    """Return the key as IAM lists it.

    One that is not listed, or not yet, counts as active, since it may work.

    An error of IAM is ignored, since it would tell a member that the key exists.
    """
    try:
        listed = services.issuer.listed(user.name)
    except (IamRefused, IamUnavailable):
        listed = ()
    for key in listed:
        if key.id == key_id:
            return AccessKey(key.id, key.iam_user, key.status, key.created_at, used)
    return AccessKey(key_id, user.name, KeyStatus.ACTIVE, user.read_at, used)


def _is_owner(services: Services, member: Member, user: IamUser) -> bool:
    """Return True if this is the member's IAM user, or a service user of theirs.

    Raises IamUnavailable or IamThrottled if AWS does not respond and the mapping makes it the
    member's own.
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
        except (Refused, SlackUnavailable):
            continue  # a member who cannot be identified as the owner reports it like others
    return False
