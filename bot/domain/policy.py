"""Who may do what? Each check returns nothing, or raises with the reason in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from bot.domain.errors import (
    IdentityChanged,
    KeyIsLeaked,
    NotAllowed,
    NotAMember,
    RequestNotFound,
    TooManyKeys,
    utc_text,
)
from bot.domain.identity import IamUser, Member
from bot.domain.keys import (
    AccessKey,
    DesiredState,
    InactiveReason,
    ManagedKey,
    Origin,
)
from bot.domain.requests import KeyRequest

KEYS_PER_USER = 2
"""IAM's quota of access keys for a user ("IAM and AWS STS quotas", AWS IAM User Guide)."""

NUDGE_INTERVAL = timedelta(hours=1)

EXTENSION = timedelta(days=7)

_DURATION_UNITS = (
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
    (timedelta(seconds=1), "second"),
)

TAG_SEPARATORS = " ,;+/"


def check_member(member: Member, team_id: str) -> None:
    """Only full, present members of the desk's own workspace. Raises NotAMember."""
    if (
        member.deleted
        or member.is_bot
        or member.is_guest
        or member.is_external
        or member.team_id != team_id
    ):
        raise NotAMember


def check_may_report(member: Member, team_id: str) -> None:
    """Anybody present in the desk's own workspace, guests too, may report a leaked key. Raises NotAMember."""
    if member.deleted or member.is_bot or member.is_external or member.team_id != team_id:
        raise NotAMember


def check_owner_tag(member: Member, user: IamUser, owner_tag: str) -> None:
    """Where an owner tag is configured, the IAM user's tag must name this Slack user. Raises NotAllowed."""
    if not owner_tag:
        return
    if member.id not in tagged_owners(user, owner_tag):
        raise NotAllowed(
            f"The IAM user that matches you does not name you in its tag `{owner_tag}`. Ask whoever "
            f"looks after AWS at your place to set that tag to {member.id}, then try again."
        )


def check_iam_path(user: IamUser, path: str) -> None:
    """The desk looks after the IAM users under one path of IAM alone (`IAM_PATH`). Raises NotAllowed."""
    if not user.path.startswith(path):
        raise NotAllowed(
            f"The IAM user {user.name} is not under the path {path} in IAM, and the desk looks after no "
            "others. Whoever looks after AWS at your place can help you with its keys."
        )


def check_still_owner(user: IamUser, key: ManagedKey) -> None:
    """A key with which something is to be done must be of the IAM user that is the person's now. Raises NotAllowed."""
    if user.name.lower() != key.iam_user.lower() or user.account != key.account:
        raise NotAllowed(
            f"{key.id} is a key of the IAM user {key.iam_user}, which is not yours any more, so I have "
            "done nothing. `/key create <reason>` asks for a key of your own."
        )


def tagged_owners(user: IamUser, owner_tag: str) -> frozenset[str]:
    """The Slack user and group IDs that an IAM user's owner tag names."""
    named = user.tags.get(owner_tag, "") if owner_tag else ""
    for separator in TAG_SEPARATORS:
        named = named.replace(separator, " ")
    return frozenset(named.split())


def check_free_slot(keys: Sequence[AccessKey]) -> None:
    """IAM must have a slot left. Raises TooManyKeys, which says which key is older and when each was last used."""
    if len(keys) < KEYS_PER_USER:
        return
    older = min(keys, key=lambda key: key.created_at)
    lines = "; ".join(
        f"{key.id} ({key.status.lower()}, made {utc_text(key.created_at)}, {last_used_text(key)}"
        f"{', the older one' if key is older else ''})"
        for key in keys
    )
    spare = next((key for key in keys if not key.active), older)
    make_room = (
        f"`/key delete {spare.id}` makes room"
        if not spare.active
        else f"Deleting one makes room: `/key disable {spare.id}`, then `/key delete {spare.id}`"
    )
    raise TooManyKeys(
        keys,
        f"You have two access keys already, which is all AWS allows: {lines}. {make_room}; "
        f"`/key rotate {older.id}` gives you another in its place.",
    )


def check_may_decide(
    member: Member, iam_users: frozenset[str], approvers: frozenset[str], request: KeyRequest | None
) -> None:
    """A configured approver, who neither asked nor is mapped to the same IAM user.

    Raises NotAllowed, in the same words whether somebody else's request exists or not (None), or RequestNotFound, which
    approvers alone are told. `iam_users` are the IAM user names that the mapping gives `member`: one, none, or (an
    error in a list) several.
    """
    if request is not None and member.id == request.requester:
        raise NotAllowed(
            "Nobody decides their own request; an approver must. "
            "*Cancel request* in your direct message takes it back."
        )
    check_may_decide_at_all(member, approvers)
    if request is None:
        raise RequestNotFound
    if request.iam_user.lower() in {name.lower() for name in iam_users}:
        raise NotAllowed(
            f"You and the requester share the IAM user {request.iam_user}, so another approver must "
            "decide this."
        )


def check_may_decide_at_all(member: Member, approvers: frozenset[str]) -> None:
    """Whether this person decides at all, whatever there is to decide. Raises NotAllowed."""
    if member.id not in approvers:
        raise NotAllowed("Only the desk's approvers can decide this. Ask one of them.")


def check_not_approved_yet(member: Member, request: KeyRequest) -> None:
    """Nobody's approval counts twice. Raises NotAllowed, with how many are missing."""
    if member.id in request.approvers:
        late = (
            request.extra_approval
            and request.permissions is not None
            and not request.permissions.risky
        )
        again = (
            (
                " You did before it was known that it is not risky: *Take back my approval*, then approve it again, "
                "and one less is needed."
            )
            if late
            else ""
        )
        raise NotAllowed(f"You have approved this already; {request.more_words()}.{again}")


def check_distinct_iam_user(
    iam_users: frozenset[str], standing: Mapping[str, frozenset[str]]
) -> None:
    """Two Slack accounts of one IAM user are one approver. Raises NotAllowed.

    `iam_users` are the IAM user names of who approves now, `standing` those of each Slack user ID whose approval
    stands, in lower case.
    """
    for other, theirs in standing.items():
        for shared in sorted(iam_users & theirs):
            raise NotAllowed(
                f"You and <@{other}>, who has approved this, share the IAM user {shared}, which is one "
                "approver: another one must give the next approval."
            )


def count_approvals_needed(required: int, *, extra_approval: bool, urgent: bool) -> int:
    """How many approvers must say yes: as many as the desk requires, and `extra_approval` where a request may be risky.

    One where glass was broken, whatever the quorum.
    """
    return 1 if urgent else required + extra_approval


def check_lifetime(lifetime: timedelta | None, longest: timedelta | None) -> None:
    """A key's life (None: for ever) is at most `longest` (None: no limit). Raises NotAllowed."""
    if longest is not None and (lifetime is None or lifetime > longest):
        asked = "one without an end" if lifetime is None else duration_text(lifetime)
        raise NotAllowed(
            f"A key may live {duration_text(longest)} here at most, and you asked for {asked}. "
            f"{_shorter_lifetime_hint(longest)}"
        )


def check_may_break_glass(member: Member, named: frozenset[str]) -> None:
    """Who may ask urgently: the people whom BREAK_GLASS names, groups resolved. Raises NotAllowed."""
    instead = (
        "Ask without `--urgent`: `/key create <reason>`; *Nudge* in your direct message with me then asks the "
        "approvers again."
    )
    if not named:
        raise NotAllowed(
            f"Urgent requests are not set up here: `BREAK_GLASS` would say who may make them. {instead}"
        )
    if member.id not in named:
        raise NotAllowed(
            "Only those whom `BREAK_GLASS` names may ask urgently, and you are not among them; whoever "
            f"runs Keydesk can add you. {instead}"
        )


def urgent_lifetime(lifetime: timedelta | None, longest: timedelta) -> timedelta:
    """How long an urgent key lives: as long as was asked for (None: for ever), and `longest` at most."""
    return longest if lifetime is None else min(lifetime, longest)


def check_may_nudge(request: KeyRequest, now: datetime) -> None:
    """Its requester may ask the approvers again once in NUDGE_EVERY. Raises NotAllowed."""
    again = request.nudged_at and request.nudged_at + NUDGE_INTERVAL
    if again and now < again:
        raise NotAllowed(
            f"You asked the approvers again less than an hour ago. *Nudge* works once an hour: again from "
            f"{utc_text(again)}."
        )


def extended_expiry(record: ManagedKey, longest: timedelta | None) -> datetime:
    """When a key ends that gets more time; one that was asked for urgently, one approver's word, gets none.

    Nor does one that would live longer than `longest` (None: no limit) in all. Raises NotAllowed.
    """
    if record.expires_at is None:
        raise NotAllowed(f"{record.id} has no end, so it needs no more time.")
    if record.urgent:
        raise NotAllowed(
            f"{record.id} was asked for urgently, so it gets no more time. `/key rotate {record.id}` asks "
            "for a usual one in its place."
        )
    if longest is not None and record.expires_at + EXTENSION > record.created_at + longest:
        raise NotAllowed(
            f"{record.id} cannot live longer than {duration_text(longest)}. `/key rotate {record.id}` gives "
            "you another in its place."
        )
    return record.expires_at + EXTENSION


def expiry_after_enable(
    record: ManagedKey, now: datetime, longest: timedelta | None, urgent: timedelta
) -> datetime | None:
    """When a key ends that is turned on now: one whose life is over gets seven days, within `longest` in all.

    One that was asked for urgently gets as long as an `urgent` key may live. Raises NotAllowed where all that is over.
    """
    if not record.is_over(now):
        return record.expires_at
    more = min(EXTENSION, urgent) if record.urgent else EXTENSION
    ends = now + more if longest is None else min(now + more, record.created_at + longest)
    if ends <= now:
        raise NotAllowed(
            f"{record.id} has lived {duration_text(longest or EXTENSION)}, as long as a key may here. "
            "`/key create <reason>` asks for another."
        )
    return ends


def check_may_enable(key: AccessKey, record: ManagedKey | None) -> None:
    """An inactive key that is not leaked may be turned on again. Raises NotAllowed or KeyIsLeaked."""
    if record and record.leaked:
        raise KeyIsLeaked(key.id)
    if record and record.desired is DesiredState.DELETED:
        raise NotAllowed(
            f"{key.id} is being deleted; it cannot be turned on again. `/key create <reason>` asks "
            "for another."
        )
    if key.active:
        raise NotAllowed(
            f"{key.id} is active already; there is nothing to turn on. `/key used {key.id}` shows when "
            "it was last used."
        )


def needs_approval(
    verb: str, record: ManagedKey | None, free: frozenset[str], now: datetime
) -> bool:
    """Does a verb on one's own key need an approver?

    Turning a key on always does where the desk or an approver ended it, its life is over, or it was reported.
    """
    return verb not in free or (
        verb == "enable" and record is not None and needs_approver_to_enable(record, now)
    )


def needs_approver_to_enable(record: ManagedKey, now: datetime) -> bool:
    """Did the desk or an approver end this key, or is it reported? Then it is not its owner's alone to turn it on."""
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
    """Did somebody else turn this key off, for a reason that they gave or as leaked? What its owner clicks leaves that.

    Only approvers may, and of a service user's key, as leaked, its other owners.
    """
    for_a_reason = record.inactive_reason is InactiveReason.LEAKED or (
        record.inactive_reason is InactiveReason.DISABLED and bool(record.disable_note)
    )
    return (
        record.desired is DesiredState.INACTIVE
        and for_a_reason
        and record.changed_by != record.owner
    )


def duration_text(span: timedelta) -> str:
    """A span of time in words, in the longest unit of which it is whole: "30 days", "36 hours", "90 minutes"."""
    unit, name = next(
        (one for one in _DURATION_UNITS if span >= one[0] and not span % one[0]),
        _DURATION_UNITS[-1],
    )
    count = round(span / unit)
    return f"{count} {name}{'s' if count != 1 else ''}"


def _shorter_lifetime_hint(longest: timedelta) -> str:
    """How to ask for a life within `longest`: of whole days, else hours, since `--for` takes no less."""
    if longest < timedelta(hours=1):
        return "Ask without `--for`."
    most = f"{longest.days}d" if longest.days else f"{longest // timedelta(hours=1)}h"
    return f"Ask for less: `--for {most}`."


def check_approver(member: Member, approvers: frozenset[str]) -> None:
    """A configured approver. Raises NotAllowed."""
    if member.id not in approvers:
        raise NotAllowed("Only the desk's approvers can do that. Ask one of them.")


def check_requester(member: Member, request: KeyRequest | None) -> None:
    """The person who asked, and nobody else. Raises NotAllowed, for a request that does not exist (None), too."""
    if request is None or member.id != request.requester:
        raise NotAllowed(
            "Only the person who asked can do that. `/key create <reason>` asks for a key of your own."
        )


def check_same_identity(user: IamUser, request: KeyRequest) -> None:
    """The IAM user found now must be the one of the request, name and UserId. Raises IdentityChanged.

    A UserId is unique for ever, so a user deleted and made again has another ("IAM identifiers", AWS).
    """
    if user.name.lower() != request.iam_user.lower():
        raise IdentityChanged(
            f"You are matched to another IAM user ({user.name})", request.verb_again
        )
    if user.user_id != request.iam_user_id or user.account != request.account:
        raise IdentityChanged(f"The IAM user {user.name} has been made anew", request.verb_again)


def last_used_text(key: AccessKey) -> str:
    """When and for what a key was last used, in words."""
    if key.last_used is None:
        return "last use unknown"
    if key.last_used.at is None:
        return "never used"
    where = (
        f" for {key.last_used.service} in {key.last_used.region}" if key.last_used.service else ""
    )
    return f"last used {utc_text(key.last_used.at)}{where}"
