"""Asking: for a key, for another in its place, for an inactive one back, for more time; and taking it back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from bot.core import policy
from bot.core.access_key import AccessKey
from bot.core.command import check_reason
from bot.core.counting import Deed
from bot.core.errors import AlreadyOpen, ChooseKey, Held, NotAllowed, NotYourKey, at_words
from bot.core.moves import Action, Status
from bot.core.people import IamUser, Member
from bot.core.ports import BREAK_GLASS, Change, Entry
from bot.core.request import KeyRequest
from bot.core.workflow import change, learn, ownership, retire
from bot.core.workflow.desk import Desk


@dataclass(frozen=True)
class Terms:
    """How a key is wanted: how long it lives (None: as long as the desk's rule says, unless `forever`), and for whom.

    `service_user` is an IAM user that is nobody's, "" for the person's own, or for whichever a named key is of.
    `urgent` breaks glass, for a new key alone.
    """

    lifetime: timedelta | None = None
    forever: bool = False
    service_user: str = ""
    urgent: bool = False


def create(desk: Desk, member: Member, reason: str, terms: Terms = Terms()) -> KeyRequest:
    """Stores a person's request for a key and asks the approvers; returns it, `pending`.

    Whatever would make it fail later is found out before any approver is bothered. Raises BadCommand,
    LooksLikeSecret, NoIamUser, NotAllowed, AlreadyOpen, TooManyKeys, OverLimit, IamRefused or Unavailable.
    """
    reason = check_reason(reason)
    if terms.urgent:
        may_be_urgent(desk, member)
    lifetime = _lifetime(desk, terms)
    user = desk.identify(member, terms.service_user)
    request = _new(desk, member, user, "create", reason, terms, lifetime=lifetime)
    keys = desk.issuer.keys(user.name)
    policy.has_room(keys)
    return _ask(desk, member, replace(request, keys=keys, urgent=terms.urgent))


def may_be_urgent(desk: Desk, member: Member) -> None:
    """A person whom BREAK_GLASS names, its groups asked anew. Raises NotAllowed or SlackUnavailable."""
    named = desk.rules.break_glass
    groups = [] if member.id in named else sorted(one for one in named if one.startswith("S"))
    policy.may_break_glass(member, named.union(*(desk.directory.group(group) for group in groups)))


def rotate(
    desk: Desk,
    member: Member,
    key_id: str,
    reason: str = "",
    let_go: str = "",
    terms: Terms = Terms(),
) -> KeyRequest:
    """Stores a request for a key in the place of `key_id`, which stays in use until the new one is; asks approvers.

    With both of IAM's slots taken, `let_go` says which key dies at the reveal click; with a free one, none has to.
    Raises as `create`, and NotYourKey, or ChooseKey with the plan to choose from.
    """
    reason = check_reason(reason, "rotate") if reason.strip() else ""
    lifetime = _lifetime(desk, terms)
    user, service = ownership.user_of(desk, member, key_id, terms.service_user)
    terms = replace(terms, service_user=service)
    request = _new(desk, member, user, "rotate", reason, terms, lifetime=lifetime, target=key_id)
    keys = desk.issuer.keys(user.name)
    _one_of(keys, key_id)
    full = len(keys) >= policy.KEYS_PER_USER
    if full and not let_go:
        raise ChooseKey(key_id, keys, _plan_words(key_id, keys))
    if let_go:
        _one_of(keys, let_go)
        if not full:
            raise NotAllowed(
                f"Only one of your two slots at AWS is taken, so no key has to go, and I have asked for "
                f"nothing. Ask without `--delete`: `/key rotate {key_id}`. The old key stays in use until "
                "the new one is."
            )
    return _ask(desk, member, replace(request, keys=keys, let_go=let_go))


def enable(
    desk: Desk, member: Member, key_id: str, reason: str, terms: Terms = Terms()
) -> KeyRequest | None:
    """Asks for a person's own inactive key to be turned on again; turns it on where that needs no approval.

    Returns the request, `pending`, or None where the key is active now. Raises as `create`, and NotYourKey,
    KeyIsLeaked, or StillTrying where AWS did not confirm it.
    """
    reason = check_reason(reason, "enable")
    user, service = ownership.user_of(desk, member, key_id, terms.service_user)
    terms = replace(terms, service_user=service)
    keys = desk.issuer.keys(user.name)
    key, record = _one_of(keys, key_id), desk.store.key(key_id)
    policy.may_enable(key, record)
    if record:
        retire.ends_again(desk, record)
    if not policy.needs_approval("enable", record, desk.rules.approval_free, desk.clock.now()):
        change.enable_now(desk, member, user, key, reason)
        return None
    return _ask(
        desk, member, _new(desk, member, user, "enable", reason, terms, target=key_id, keys=keys)
    )


def extend(desk: Desk, member: Member, key_id: str) -> KeyRequest:
    """Asks for seven more days for a person's own key. Raises as `create`, and NotYourKey."""
    record = desk.store.key(key_id)
    if record is None or record.owner != member.id:
        raise NotYourKey
    policy.extended(record, desk.rules.key_ttl_max)
    service = record.iam_user if record.service else ""
    user = desk.identify(member, service)
    keys = desk.issuer.keys(user.name)
    if not _one_of(keys, key_id).active:
        raise NotAllowed(f"{key_id} is inactive. `/key enable {key_id} <reason>` asks for it back.")
    return _ask(
        desk,
        member,
        _new(
            desk, member, user, "extend", "", Terms(service_user=service), target=key_id, keys=keys
        ),
    )


def cancel(desk: Desk, member: Member, request_id: str) -> KeyRequest:
    """Takes a person's own request back, while pending and while approved. Raises NotAllowed or WrongState."""
    policy.is_requester(member, desk.store.request(request_id))
    desk.lapse_if_overdue(request_id)
    return desk.move(
        request_id,
        Action.CANCEL,
        member.id,
        deadline=None,
        check=lambda request: policy.is_requester(member, request),
    )


def _lifetime(desk: Desk, terms: Terms) -> timedelta | None:
    lifetime = None if terms.forever else terms.lifetime or desk.rules.key_ttl
    if terms.urgent:
        lifetime = policy.urgent_life(lifetime, desk.rules.break_glass_ttl)
    policy.may_live(lifetime, desk.rules.key_ttl_max)
    return lifetime


def _new(
    desk: Desk,
    member: Member,
    user: IamUser,
    verb: str,
    reason: str,
    terms: Terms,
    *,
    keys: tuple[AccessKey, ...] = (),
    target: str = "",
    lifetime: timedelta | None = None,
) -> KeyRequest:
    """A request that is not stored yet. Raises AlreadyOpen where one of this verb is open for the IAM user."""
    now, urgent = desk.clock.now(), terms.urgent and verb == "create"
    one_more = desk.rules.risky_needs_one_more and not urgent  # until it is known not to be risky
    request = KeyRequest(
        id=desk.new_id(),
        verb=verb,
        requester=member.id,
        dm="",
        account=user.account,
        iam_user=user.name,
        iam_user_id=user.user_id,
        reason=reason,
        keys=keys,
        asked_at=now,
        deadline=now + desk.rules.request_ttl,
        target=target,
        lifetime=lifetime,
        service=bool(terms.service_user),
        needed=policy.approvals_needed(
            desk.rules.approvals_required, one_more=one_more, urgent=urgent
        ),
        one_more=one_more,
    )
    for hold in sorted(request.holds):
        holder = desk.store.holder(hold)
        if holder:
            raise _already_open(desk, member, holder)
    return request


def _ask(desk: Desk, member: Member, request: KeyRequest) -> KeyRequest:
    """Stores the request and has its card drawn; what the key will be able to do is read after that."""
    request = replace(
        request,
        dm=desk.messenger.dm(member.id),
        earlier=learn.earlier(desk, member),
        facts_due=request.asked_at + learn.LEARNT_WITHIN,
    )
    action = BREAK_GLASS if request.urgent else request.verb
    entry = Entry(
        at=request.asked_at,
        by=member.id,
        action=action,
        request_id=request.id,
        key_id=request.target,
        becomes=request.status,
        why=request.reason,
    )
    try:
        desk.commit(
            Change(None, request), entry=entry, count=desk.one(Deed.REQUEST, member.id, entry.at)
        )
    except Held as held:
        raise _already_open(desk, member, held.holder) from held
    learn.soon(desk, request.id)
    return request


def _one_of(keys: tuple[AccessKey, ...], key_id: str) -> AccessKey:
    for key in keys:
        if key.id == key_id:
            return key
    raise NotYourKey


def _plan_words(key_id: str, keys: tuple[AccessKey, ...]) -> str:
    """What can be let go, with the line to type for each."""
    lines = "; ".join(
        f"{key.id}{' (to be replaced)' if key.id == key_id else ''}: {key.status.lower()}, made "
        f"{at_words(key.created_at)}, {policy.last_used_words(key)}"
        for key in keys
    )
    ways = " or ".join(f"`/key rotate {key_id} --delete {key.id}`" for key in keys)
    return (
        f"Both of your slots at AWS are taken, so one key must go when the new one is revealed: {lines}. Choose "
        f"which: {ways}."
    )


def _already_open(desk: Desk, member: Member, request_id: str) -> AlreadyOpen:
    request = desk.store.request(request_id)
    if request is None:
        return AlreadyOpen(
            request_id,
            "You have a request open already; see your direct message with me. One at a "
            "time: ask again when it is finished.",
        )
    if request.requester != member.id:
        return AlreadyOpen(
            request_id,
            f"<@{request.requester}> has had a request open for the IAM user you share, "
            f"{request.iam_user}, since {at_words(request.asked_at)}. One at a time: ask "
            "again when theirs is finished.",
        )
    asked = f"You have a request open since {at_words(request.asked_at)}"
    if request.status is Status.PENDING:
        rest = (
            "it waits for an approver. In your direct message with me, *Nudge* asks them again and *Cancel "
            "request* takes it back."
        )
    elif request.status is Status.APPROVED and request.has_secret:
        rest = "it is approved: click *Reveal my key* in your direct message with me."
    elif request.status in (Status.DELIVERED, Status.UNCLAIMED):
        say = "I have it" if request.status is Status.DELIVERED else "I have it, enable it"
        rest = (
            f"its key {request.access_key_id} was handed over. Say *{say}* in your direct message with me, then "
            "ask again."
        )
    else:
        rest = "it is being carried out now. See your direct message with me, and ask again after that."
    return AlreadyOpen(request_id, f"{asked}; {rest}")
