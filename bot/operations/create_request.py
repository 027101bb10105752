"""Create a request for a key or a change of one, or cancel it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from bot.domain import policy
from bot.domain.codes import Code
from bot.domain.commands import check_reason
from bot.domain.errors import AlreadyOpen, MustChooseKey, NotAllowed, NotYourKey
from bot.domain.identity import IamUser, Member
from bot.domain.keys import AccessKey
from bot.domain.outside_errors import Locked
from bot.domain.rate_limits import LimitedAction
from bot.domain.records import BREAK_GLASS, AuditEntry, Change
from bot.domain.requests import KeyRequest
from bot.domain.states import Event
from bot.operations import apply_request, disable_key, identify, key_owner, load_permissions
from bot.operations.services import Services


@dataclass(frozen=True)
class RequestOptions:
    """What a requester may choose.

    Attributes:
        lifetime: How long the key lives (None: as configured, unless `forever`).
        service_user: A service user's name. "" means the member's own IAM user, or the one that has
            the named key.
        urgent: Break glass. Possible for a new key alone.
    """

    lifetime: timedelta | None = None
    forever: bool = False
    service_user: str = ""
    urgent: bool = False


def create(
    services: Services, member: Member, reason: str, options: RequestOptions = RequestOptions()
) -> KeyRequest:
    """Store a request for a new key and ask the approvers. Return it, `pending`.

    Whatever would make it fail later is checked before any approver is asked. Raises BadCommand,
    LooksLikeSecret, NoIamUser, NotAllowed, AlreadyOpen, TooManyKeys, RateLimited, IamRefused or
    Unavailable.
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
    """Raise NotAllowed unless BREAK_GLASS names the member. Its groups are read again.

    Raises SlackUnavailable.
    """
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
    """Store a request for a key in the place of `key_id`.

    With both of IAM's slots taken, `delete_first` says which key is deleted at the reveal. With a
    free slot it must be "". Raises as `create`, NotYourKey, or MustChooseKey with the keys.
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
        raise MustChooseKey(key_id, keys)
    if delete_first:
        _find_key(keys, delete_first)
        if not full:
            raise NotAllowed(Code.NO_KEY_TO_DELETE, key_id=key_id)
    return _store_request(services, member, replace(request, keys=keys, delete_first=delete_first))


def enable(
    services: Services,
    member: Member,
    key_id: str,
    reason: str,
    options: RequestOptions = RequestOptions(),
) -> KeyRequest | None:
    """Request that an own inactive key is turned on, or do it without approval.

    Return the request, `pending`, or None where the key is active now. Raises as `create`,
    NotYourKey, KeyIsLeaked, or ChangePending where AWS did not confirm it.
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
    """Request seven more days for the member's own key.

    Raises as `create`, and NotYourKey.
    """
    record = services.store.key(key_id)
    if record is None or record.owner != member.id:
        raise NotYourKey
    policy.extended_expiry(record, services.settings.key_ttl_max)
    service = record.iam_user if record.is_service_user else ""
    user = identify.identify(services, member, service)
    keys = services.issuer.keys(user.name)
    if not _find_key(keys, key_id).active:
        raise NotAllowed(Code.EXTEND_INACTIVE_KEY, key_id=key_id)
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
    """Cancel the member's own request, `pending` or `approved`.

    Raises NotAllowed or WrongState.
    """
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
    """Return a request that is not stored yet.

    Raises AlreadyOpen where one of this verb is open for the IAM user.
    """
    now, urgent = services.clock.now(), options.urgent and verb == "create"
    # needed until the request is known not to be risky
    extra_approval = services.settings.risky_needs_one_more and not urgent
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
    for lock in sorted(request.locks):
        holder = services.store.lock_holder(lock)
        if holder:
            raise _already_open(services, member, holder)
    return request


def _store_request(services: Services, member: Member, request: KeyRequest) -> KeyRequest:
    """Store the request and render its card. Load its permissions after that."""
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
            usage=services.usage(LimitedAction.REQUEST, member.id, entry.at),
        )
    except Locked as locked:
        raise _already_open(services, member, locked.holder) from locked
    load_permissions.schedule(services, request.id)
    return request


def _find_key(keys: tuple[AccessKey, ...], key_id: str) -> AccessKey:
    for key in keys:
        if key.id == key_id:
            return key
    raise NotYourKey


def _already_open(services: Services, member: Member, request_id: str) -> AlreadyOpen:
    """Return the error about the open request, with less about another's."""
    request = services.store.request(request_id)
    if request is None:
        return AlreadyOpen(request_id, Code.UNKNOWN_REQUEST_OPEN)
    if request.requester != member.id:
        return AlreadyOpen(
            request_id,
            Code.OTHER_REQUEST_OPEN,
            by=request.requester,
            iam_user=request.iam_user,
            at=request.requested_at,
        )
    return AlreadyOpen(
        request_id,
        Code.REQUEST_ALREADY_OPEN,
        status=request.status.value,
        verb=request.verb,
        reason=request.reason,
        key_id=request.access_key_id,
        at=request.requested_at,
    )
