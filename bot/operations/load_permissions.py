"""Learning what a request's key will be able to do: read after the card is posted, by anyone, any number of times."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.errors import Conflict, KeydeskError
from bot.domain.identity import Member
from bot.domain.permissions import Permissions
from bot.domain.requests import KeyRequest, RequestHistory
from bot.domain.states import Event, Status
from bot.operations.services import KEYDESK, MAX_CONFLICTS, Services

LOAD_TIMEOUT = timedelta(seconds=30)
"""How long a process that has taken on the reading may take, before time has it done by another."""

HISTORY_LIMIT = 50
"""How many of a person's requests are looked at for what they asked for before."""


def schedule(services: Services, request_id: str) -> bool:
    """Has the facts read when there is room; returns False where there is none. Nobody waits for it."""
    return services.run_later(lambda: _try_load(services, request_id))


def is_due(request: KeyRequest, now: datetime) -> bool:
    """Must time have the facts read now? Not any more once the request's own time is over."""
    due, ends = request.permissions_due, request.deadline
    return (
        request.awaits_permissions
        and due is not None
        and due <= now
        and (ends is None or now < ends)
    )


def run_overdue(services: Services, request: KeyRequest) -> None:
    """The facts have not come in time (their process died, or it takes long): they are read here. Raises as `learn`."""
    services.store.reschedule(request.name, services.clock.now() + LOAD_TIMEOUT)
    if not schedule(services, request.id):
        load(services, request.id)


def load(services: Services, request_id: str) -> None:
    """Reads what the request's IAM user may do and writes it, where the request still waits for that.

    A request that has been decided meanwhile is left as it is. Raises Conflict when others were always faster, or
    what the store raises; then it stays due.
    """
    request = services.store.request(request_id)
    if request is None or not request.awaits_permissions:
        return
    facts = services.issuer.permissions(request.iam_user)
    for _ in range(MAX_CONFLICTS):
        request = services.get_request(request_id)
        if not request.awaits_permissions:
            return
        now = services.clock.now()
        learnt = request.transition(
            Event.LOAD_PERMISSIONS,
            KEYDESK,
            now,
            permissions=facts,
            permissions_at=now,
            permissions_due=None,
        )
        try:
            services.commit_transition(
                request,
                learnt if request.approvals else without_extra_approval(learnt),
                reason=_audit_reason(facts),
            )
        except Conflict:
            continue
        return
    raise Conflict(f"request:{request_id}")


def request_history(services: Services, member: Member) -> RequestHistory:
    """What a person has asked for before, of their last fifty requests. Raises StoreUnavailable."""
    asked = services.store.requests_of(member.id, HISTORY_LIMIT)
    denied = [one for one in asked if one.status is Status.DENIED]
    last = max(denied, key=lambda one: one.last_event_at or one.requested_at, default=None)
    if last is None:
        return RequestHistory(len(asked))
    return RequestHistory(
        len(asked), len(denied), last.last_event_at, last.last_event_by, last.denial_reason
    )


def without_extra_approval(request: KeyRequest) -> KeyRequest:
    """The request without the one more approval that a risky one needs, where it is known not to be risky.

    It stays where somebody had approved before that was known, who was told how many are missing: until they take
    that back. None is approved by this: that is a click's to do.
    """
    facts = request.permissions
    goes = (
        request.extra_approval
        and facts is not None
        and not facts.risky
        and len(request.approvals) < request.approvals_needed - 1
    )
    return (
        replace(request, approvals_needed=request.approvals_needed - 1, extra_approval=False)
        if goes
        else request
    )


def _try_load(services: Services, request_id: str) -> None:
    try:
        load(services, request_id)
    except KeydeskError:
        return  # it stays due, and the sweeper comes to it


def _audit_reason(permissions: Permissions) -> str:
    """What the audit trail says of it."""
    admin = (
        [f"administrator-like: {', '.join(permissions.admin_like)}"]
        if permissions.admin_like
        else []
    )
    unread = (
        ["could not be read: " + ", ".join(f"iam:{one.action}" for one in permissions.unread)]
        if permissions.unread
        else []
    )
    return "; ".join([*admin, *unread])
