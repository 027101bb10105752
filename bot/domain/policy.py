"""Rules about who may do what. A check returns nothing, or raises a refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.codes import Code
from bot.domain.errors import (
    IdentityChanged,
    KeyIsLeaked,
    NotAllowed,
    NotAMember,
    RequestNotFound,
    TooManyKeys,
)
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey, DesiredState, InactiveReason, ManagedKey, Origin
from bot.domain.requests import KeyRequest

KEYS_PER_USER = 2
"""IAM's quota of access keys for a user ("IAM and AWS STS quotas", AWS IAM User Guide)."""

NUDGE_INTERVAL = timedelta(hours=1)

EXTENSION = timedelta(days=7)

TAG_SEPARATORS = " ,;+/"


def check_member(member: Member, team_id: str) -> None:
    """Raise NotAMember unless the user is a full, active member of this workspace."""
    if member.is_guest:
        raise NotAMember
    check_may_report(member, team_id)


def check_may_report(member: Member, team_id: str) -> None:
    """Raise NotAMember unless the user may report a leaked key, as guests may, too."""
    if member.deleted or member.is_bot or member.is_external or member.team_id != team_id:
        raise NotAMember


def check_owner_tag(member: Member, user: IamUser, owner_tag: str) -> None:
    """Raise NotAllowed unless the configured owner tag names the member."""
    if owner_tag and member.id not in tagged_owners(user, owner_tag):
        raise NotAllowed(Code.NOT_IN_OWNER_TAG, tag=owner_tag, slack_user=member.id)


def check_iam_path(user: IamUser, path: str) -> None:
    """Raise NotAllowed for an IAM user outside the configured `IAM_PATH`."""
    if not user.path.startswith(path):
        raise NotAllowed(Code.USER_OUTSIDE_PATH, iam_user=user.name, path=path)


def check_still_owner(user: IamUser, key: ManagedKey) -> None:
    """Raise NotAllowed unless the key belongs to `user`, the member's IAM user."""
    if user.name.lower() != key.iam_user.lower() or user.account != key.account:
        raise NotAllowed(Code.KEY_OF_FORMER_USER, key_id=key.id, iam_user=key.iam_user)


def tagged_owners(user: IamUser, owner_tag: str) -> frozenset[str]:
    """Return the Slack user and group IDs that an IAM user's owner tag names."""
    named = user.tags.get(owner_tag, "") if owner_tag else ""
    for separator in TAG_SEPARATORS:
        named = named.replace(separator, " ")
    return frozenset(named.split())


def check_free_slot(keys: Sequence[AccessKey]) -> None:
    """Raise TooManyKeys, with the keys, unless IAM has a free slot for another one."""
    if len(keys) >= KEYS_PER_USER:
        raise TooManyKeys(keys)


def check_may_decide(
    member: Member, iam_users: frozenset[str], approvers: frozenset[str], request: KeyRequest | None
) -> None:
    """Check that the member is an approver of another IAM user's request.

    Args:
        member: Who wants to decide.
        iam_users: The IAM user names that the mapping gives them.
        approvers: The Slack user IDs of all approvers.
        request: What is to be decided. None means that it does not exist.

    Raises:
        NotAllowed: Also for a request that does not exist, so that only approvers learn that.
        RequestNotFound: The request does not exist, and the member is an approver.
    """
    if request is not None and member.id == request.requester:
        raise NotAllowed(Code.OWN_REQUEST)
    check_approver(member, approvers)
    if request is None:
        raise RequestNotFound
    if request.iam_user.lower() in {name.lower() for name in iam_users}:
        raise NotAllowed(Code.SAME_IAM_USER, iam_user=request.iam_user)


def check_approver(member: Member, approvers: frozenset[str]) -> None:
    """Raise NotAllowed unless the member is an approver."""
    if member.id not in approvers:
        raise NotAllowed(Code.NOT_AN_APPROVER)


def check_not_approved_yet(member: Member, request: KeyRequest) -> None:
    """Raise NotAllowed if the member's approval counts already."""
    if member.id in request.approvers:
        not_risky = request.permissions is not None and not request.permissions.risky
        raise NotAllowed(
            Code.ALREADY_APPROVED,
            missing=request.approvals_missing,
            repeat_helps=request.extra_approval and not_risky,
        )


def check_distinct_iam_user(
    iam_users: frozenset[str], standing: Mapping[str, frozenset[str]]
) -> None:
    """Raise NotAllowed if an earlier approver uses the same IAM user.

    Two Slack accounts of one IAM user count as one approver.

    Args:
        iam_users: The IAM user names of the approver, in lower case.
        standing: The same of each Slack user ID whose approval counts.
    """
    for other, theirs in standing.items():
        for shared in sorted(iam_users & theirs):
            raise NotAllowed(Code.IAM_USER_HAS_APPROVED, by=other, iam_user=shared)


def count_approvals_needed(required: int, *, extra_approval: bool, urgent: bool) -> int:
    """Return how many approvals a request needs: one if urgent, else `required`.

    With `extra_approval`, a request that may be risky needs one more.
    """
    return 1 if urgent else required + extra_approval


def check_lifetime(lifetime: timedelta | None, longest: timedelta | None) -> None:
    """Raise NotAllowed for a lifetime beyond `longest`.

    A `lifetime` of None never ends. A `longest` of None means that there is no limit.
    """
    if longest is not None and (lifetime is None or lifetime > longest):
        raise NotAllowed(Code.LIFETIME_TOO_LONG, longest=longest, lifetime=lifetime)


def check_may_break_glass(member: Member, named: frozenset[str]) -> None:
    """Raise NotAllowed unless `named` has the member.

    `named` are the users of BREAK_GLASS, with its groups resolved.
    """
    if not named:
        raise NotAllowed(Code.URGENT_REQUESTS_OFF)
    if member.id not in named:
        raise NotAllowed(Code.URGENT_NOT_ALLOWED)


def urgent_lifetime(lifetime: timedelta | None, longest: timedelta) -> timedelta:
    """Return the lifetime of an urgent key: what was asked for, `longest` at most."""
    return longest if lifetime is None else min(lifetime, longest)


def check_may_nudge(request: KeyRequest, now: datetime) -> None:
    """Raise NotAllowed if the requester nudged less than NUDGE_INTERVAL ago."""
    again = request.nudged_at and request.nudged_at + NUDGE_INTERVAL
    if again and now < again:
        raise NotAllowed(Code.NUDGED_RECENTLY, at=request.nudged_at, again_at=again)


def extended_expiry(record: ManagedKey, longest: timedelta | None) -> datetime:
    """Return when a key will expire that gets EXTENSION more.

    An urgent key was approved by one approver alone, so it gets none. Nor does a key that would
    live longer than `longest` in all (None: no limit). Raises NotAllowed.
    """
    if record.expires_at is None:
        raise NotAllowed(Code.KEY_NEVER_EXPIRES, key_id=record.id)
    if record.urgent:
        raise NotAllowed(Code.URGENT_KEY_NOT_EXTENDED, key_id=record.id)
    if longest is not None and record.expires_at + EXTENSION > record.created_at + longest:
        raise NotAllowed(Code.KEY_NOT_EXTENDED, key_id=record.id, longest=longest)
    return record.expires_at + EXTENSION


def expiry_after_enable(
    record: ManagedKey, now: datetime, longest: timedelta | None, urgent: timedelta
) -> datetime | None:
    """Return when a key will expire that is turned on now.

    An expired key gets EXTENSION more, or as long as an `urgent` key may live, within `longest`
    in all. Raises NotAllowed where that is over.
    """
    if not record.is_over(now):
        return record.expires_at
    more = min(EXTENSION, urgent) if record.urgent else EXTENSION
    ends = now + more if longest is None else min(now + more, record.created_at + longest)
    if ends <= now:
        raise NotAllowed(Code.KEY_LIFETIME_OVER, key_id=record.id, longest=longest or EXTENSION)
    return ends


def check_may_enable(key: AccessKey, record: ManagedKey | None) -> None:
    """Raise NotAllowed or KeyIsLeaked unless the key may be turned on again."""
    if record and record.leaked:
        raise KeyIsLeaked(key.id)
    if record and record.desired is DesiredState.DELETED:
        raise NotAllowed(Code.KEY_IS_BEING_DELETED, key_id=key.id)
    if key.active:
        raise NotAllowed(Code.KEY_ALREADY_ACTIVE, key_id=key.id)


def needs_approval(
    verb: str, record: ManagedKey | None, free: frozenset[str], now: datetime
) -> bool:
    """Return True if a verb on one's own key needs an approver.

    Verbs that are not in `free` do. `enable` does, too, where `needs_approver_to_enable`.
    """
    return verb not in free or (
        verb == "enable" and record is not None and needs_approver_to_enable(record, now)
    )


def needs_approver_to_enable(record: ManagedKey, now: datetime) -> bool:
    """Return True if the owner alone may not turn this key on.

    That is so where Keydesk or an approver turned it off, it has expired, or it was reported.
    """
    return (
        disabled_by_approver(record)
        or record.is_over(now)
        or record.reported_at is not None
        or record.origin is Origin.ORPHANED
        or record.inactive_reason
        in (
            InactiveReason.EXPIRED,
            InactiveReason.UNCLAIMED,
            InactiveReason.ORPHANED,
            InactiveReason.LEAKED,
        )
    )


def disabled_by_approver(record: ManagedKey) -> bool:
    """Return True if another user turned this key off, with a reason or as leaked.

    Only approvers may do that. Other owners of a service user may report its keys as leaked.
    """
    for_a_reason = record.inactive_reason is InactiveReason.LEAKED or (
        record.inactive_reason is InactiveReason.DISABLED and bool(record.disable_note)
    )
    return (
        record.desired is DesiredState.INACTIVE
        and for_a_reason
        and record.changed_by != record.owner
    )


def check_requester(member: Member, request: KeyRequest | None) -> None:
    """Raise NotAllowed unless the member made the request (None: no request)."""
    if request is None or member.id != request.requester:
        raise NotAllowed(Code.NOT_THE_REQUESTER)


def check_same_identity(user: IamUser, request: KeyRequest) -> None:
    """Raise IdentityChanged unless the IAM user found now is the one of the request.

    A UserId is unique for ever, so a user deleted and made again has another ("IAM identifiers",
    AWS IAM User Guide).
    """
    if user.name.lower() != request.iam_user.lower():
        raise IdentityChanged(Code.MATCHED_TO_OTHER_USER, iam_user=user.name, **request.again_facts)
    if user.user_id != request.iam_user_id or user.account != request.account:
        raise IdentityChanged(Code.IAM_USER_RECREATED, iam_user=user.name, **request.again_facts)
