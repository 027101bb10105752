"""Asking: for a key, for another in its place, for an inactive one back, for more time; and taking it back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain import policy
from bot.domain.commands import check_reason
from bot.domain.errors import (
    AlreadyOpen,
    Locked,
    MustChooseKey,
    NotAllowed,
    NotYourKey,
    utc_text,
)
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey
from bot.domain.ports import BREAK_GLASS, AuditEntry, Change
from bot.domain.rate_limits import LimitedAction
from bot.domain.requests import KeyRequest
from bot.domain.states import Event, Status
from bot.operations import (
    apply_request,
    disable_key,
    identify,
    key_owner,
    load_permissions,
)
from bot.operations.services import Services


@dataclass(frozen=True)
class RequestOptions:
    """How a key is wanted: how long it lives (None: as long as the desk's rule says, unless `forever`), and for whom.

    `service_user` is an IAM user that is nobody's, "" for the person's own, or for whichever a named key is of.
    `urgent` breaks glass, for a new key alone.
    """

    lifetime: timedelta | None = None
    forever: bool = False
    service_user: str = ""
    urgent: bool = False


def create(
    services: Services, member: Member, reason: str, options: RequestOptions = RequestOptions()
) -> KeyRequest:
    """Stores a person's request for a key and asks the approvers; returns it, `pending`.

    Whatever would make it fail later is found out before any approver is bothered. Raises BadCommand,
    LooksLikeSecret, NoIamUser, NotAllowed, AlreadyOpen, TooManyKeys, RateLimited, IamRefused or Unavailable.
    """
    reason = check_reason(reason)
    if options.urgent:
        check_may_break_glass(services, member)
    lifetime = _key_lifetime(services, options)
    user = identify.identify(services, member, options.service_user)
    request = _new_request(services, member, user, "create", reason, options, lifetime=lifetime)
    keys = services.issuer.keys(user.name)
    policy.check_free_slot(keys)
    return _store_request(services, member, replace(request, keys=keys, urgent=options.urgent))


def check_may_break_glass(services: Services, member: Member) -> None:
    """A person whom BREAK_GLASS names, its groups asked anew. Raises NotAllowed or SlackUnavailable."""
    named = services.settings.break_glass
    groups = [] if member.id in named else sorted(one for one in named if one.startswith("S"))
    policy.check_may_break_glass(
        member, named.union(*(services.directory.group(group) for group in groups))
    )


def rotate(
    services: Services,
    member: Member,
    key_id: str,
    reason: str = "",
    delete_first: str = "",
    options: RequestOptions = RequestOptions(),
) -> KeyRequest:
    """Stores a request for a key in the place of `key_id`, which stays in use until the new one is; asks approvers.

    With both of IAM's slots taken, `delete_first` says which key dies at the reveal click; with a free one, none has to.
    Raises as `create`, and NotYourKey, or MustChooseKey with the plan to choose from.
    """
    reason = check_reason(reason, "rotate") if reason.strip() else ""
    lifetime = _key_lifetime(services, options)
    user, service = key_owner.key_user(services, member, key_id, options.service_user)
    options = replace(options, service_user=service)
    request = _new_request(
        services, member, user, "rotate", reason, options, lifetime=lifetime, target=key_id
    )
    keys = services.issuer.keys(user.name)
    _find_key(keys, key_id)
    full = len(keys) >= policy.KEYS_PER_USER
    if full and not delete_first:
        raise MustChooseKey(key_id, keys, _choice_text(key_id, keys))
    if delete_first:
        _find_key(keys, delete_first)
        if not full:
            raise NotAllowed(
                f"Only one of your two slots at AWS is taken, so no key has to go, and I have asked for "
                f"nothing. Ask without `--delete`: `/key rotate {key_id}`. The old key stays in use until "
                "the new one is."
            )
    return _store_request(services, member, replace(request, keys=keys, delete_first=delete_first))


def enable(
    services: Services,
    member: Member,
    key_id: str,
    reason: str,
    options: RequestOptions = RequestOptions(),
) -> KeyRequest | None:
    """Asks for a person's own inactive key to be turned on again; turns it on where that needs no approval.

    Returns the request, `pending`, or None where the key is active now. Raises as `create`, and NotYourKey,
    KeyIsLeaked, or ChangePending where AWS did not confirm it.
    """
    reason = check_reason(reason, "enable")
    user, service = key_owner.key_user(services, member, key_id, options.service_user)
    options = replace(options, service_user=service)
    keys = services.issuer.keys(user.name)
    key, record = _find_key(keys, key_id), services.store.key(key_id)
    policy.check_may_enable(key, record)
    if record:
        disable_key.expiry_after_enable(services, record)
    if not policy.needs_approval(
        "enable", record, services.settings.approval_free, services.clock.now()
    ):
        apply_request.enable_without_approval(services, member, user, key, reason)
        return None
    return _store_request(
        services,
        member,
        _new_request(services, member, user, "enable", reason, options, target=key_id, keys=keys),
    )


def extend(services: Services, member: Member, key_id: str) -> KeyRequest:
    """Asks for seven more days for a person's own key. Raises as `create`, and NotYourKey."""
    record = services.store.key(key_id)
    if record is None or record.owner != member.id:
        raise NotYourKey
    policy.extended_expiry(record, services.settings.key_ttl_max)
    service = record.iam_user if record.is_service_user else ""
    user = identify.identify(services, member, service)
    keys = services.issuer.keys(user.name)
    if not _find_key(keys, key_id).active:
        raise NotAllowed(f"{key_id} is inactive. `/key enable {key_id} <reason>` asks for it back.")
    return _store_request(
        services,
        member,
        _new_request(
            services,
            member,
            user,
            "extend",
            "",
            RequestOptions(service_user=service),
            target=key_id,
            keys=keys,
        ),
    )


def cancel(services: Services, member: Member, request_id: str) -> KeyRequest:
    """Takes a person's own request back, while pending and while approved. Raises NotAllowed or WrongState."""
    policy.check_requester(member, services.store.request(request_id))
    services.expire_if_overdue(request_id)
    return services.transition(
        request_id,
        Event.CANCEL,
        member.id,
        deadline=None,
        check=lambda request: policy.check_requester(member, request),
    )


def _key_lifetime(services: Services, options: RequestOptions) -> timedelta | None:
    lifetime = None if options.forever else options.lifetime or services.settings.key_ttl
    if options.urgent:
        lifetime = policy.urgent_lifetime(lifetime, services.settings.break_glass_ttl)
    policy.check_lifetime(lifetime, services.settings.key_ttl_max)
    return lifetime


def _new_request(
    services: Services,
    member: Member,
    user: IamUser,
    verb: str,
    reason: str,
    options: RequestOptions,
    *,
    keys: tuple[AccessKey, ...] = (),
    target: str = "",
    lifetime: timedelta | None = None,
) -> KeyRequest:
    """A request that is not stored yet. Raises AlreadyOpen where one of this verb is open for the IAM user."""
    now, urgent = services.clock.now(), options.urgent and verb == "create"
    extra_approval = (
        services.settings.risky_needs_one_more and not urgent
    )  # until it is known not to be risky
    request = KeyRequest(
        id=services.new_id(),
        verb=verb,
        requester=member.id,
        dm="",
        account=user.account,
        iam_user=user.name,
        iam_user_id=user.user_id,
        reason=reason,
        keys=keys,
        requested_at=now,
        deadline=now + services.settings.request_ttl,
        target=target,
        lifetime=lifetime,
        is_service_user=bool(options.service_user),
        approvals_needed=policy.count_approvals_needed(
            services.settings.approvals_required, extra_approval=extra_approval, urgent=urgent
        ),
        extra_approval=extra_approval,
    )
    for hold in sorted(request.locks):
        holder = services.store.lock_holder(hold)
        if holder:
            raise _already_open(services, member, holder)
    return request


def _store_request(services: Services, member: Member, request: KeyRequest) -> KeyRequest:
    """Stores the request and has its card drawn; what the key will be able to do is read after that."""
    request = replace(
        request,
        dm=services.messenger.dm(member.id),
        history=load_permissions.request_history(services, member),
        permissions_due=request.requested_at + load_permissions.LOAD_TIMEOUT,
    )
    action = BREAK_GLASS if request.urgent else request.verb
    entry = AuditEntry(
        at=request.requested_at,
        by=member.id,
        action=action,
        request_id=request.id,
        key_id=request.target,
        to_status=request.status,
        reason=request.reason,
    )
    try:
        services.commit(
            Change(None, request),
            entry=entry,
            count=services.usage(LimitedAction.REQUEST, member.id, entry.at),
        )
    except Locked as held:
        raise _already_open(services, member, held.holder) from held
    load_permissions.schedule(services, request.id)
    return request


def _find_key(keys: tuple[AccessKey, ...], key_id: str) -> AccessKey:
    for key in keys:
        if key.id == key_id:
            return key
    raise NotYourKey


def _choice_text(key_id: str, keys: tuple[AccessKey, ...]) -> str:
    """What can be let go, with the line to type for each."""
    lines = "; ".join(
        f"{key.id}{' (to be replaced)' if key.id == key_id else ''}: {key.status.lower()}, made "
        f"{utc_text(key.created_at)}, {policy.last_used_text(key)}"
        for key in keys
    )
    ways = " or ".join(f"`/key rotate {key_id} --delete {key.id}`" for key in keys)
    return (
        f"Both of your slots at AWS are taken, so one key must go when the new one is revealed: {lines}. Choose "
        f"which: {ways}."
    )


def _already_open(services: Services, member: Member, request_id: str) -> AlreadyOpen:
    request = services.store.request(request_id)
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
            f"{request.iam_user}, since {utc_text(request.requested_at)}. One at a time: ask "
            "again when theirs is finished.",
        )
    asked = f"You have a request open since {utc_text(request.requested_at)}"
    if request.status is Status.PENDING:
        rest = (
            "it waits for an approver. In your direct message with me, *Nudge* asks them again and *Cancel "
            "request* takes it back."
        )
    elif request.status is Status.APPROVED and request.delivers_secret:
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
