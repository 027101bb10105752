"""Load an IAM user's permissions after the card is posted. Idempotent."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.codes import Code, Detail
from bot.domain.errors import KeydeskError
from bot.domain.identity import Member
from bot.domain.outside_errors import Conflict
from bot.domain.permissions import Permissions
from bot.domain.requests import KeyRequest, RequestHistory
from bot.domain.states import Event, Status
from bot.operations.services import KEYDESK, Services, retry_on_conflict

LOAD_TIMEOUT = timedelta(seconds=30)
"""How long a process may take to load them, before the scheduler has it done again."""

HISTORY_LIMIT = 50
"""How many of a requester's latest requests count for their history."""


def schedule(services: Services, request_id: str) -> bool:
    """Load the permissions in the background. Return False if there is no room."""
    return services.run_later(lambda: _try_load(services, request_id))


def is_due(request: KeyRequest, now: datetime) -> bool:
    """Return True if the scheduler must load them now, before the request's deadline."""
    due, ends = request.permissions_due, request.deadline
    return (
        request.awaits_permissions
        and due is not None
        and due <= now
        and (ends is None or now < ends)
    )


def run_overdue(services: Services, request: KeyRequest) -> None:
    """Load the permissions that did not come in time. Raises as `load`."""
    services.store.reschedule(request.name, services.clock.now() + LOAD_TIMEOUT)
    if not schedule(services, request.id):
        load(services, request.id)


def load(services: Services, request_id: str) -> None:
    """Load the IAM user's permissions, if the request still waits for them.

    A request that was decided meanwhile stays as it is. Raises what the store raises, or Conflict
    if other commits came first each time. Then it stays due.
    """
    request = services.store.request(request_id)
    if request is None or not request.awaits_permissions:
        return
    permissions = services.issuer.permissions(request.iam_user)

    def attempt() -> None:
        request = services.get_request(request_id)
        if not request.awaits_permissions:
            return
        now = services.clock.now()
        loaded = request.transition(
            Event.LOAD_PERMISSIONS,
            KEYDESK,
            now,
            permissions=permissions,
            permissions_at=now,
            permissions_due=None,
        )
        services.commit_transition(
            request,
            loaded if request.approvals else without_extra_approval(loaded),
            detail=_audit_detail(permissions),
        )

    retry_on_conflict(attempt, lambda: Conflict(f"request:{request_id}"))


def request_history(services: Services, member: Member) -> RequestHistory:
    """Return what a requester asked for before. Raises StoreUnavailable."""
    asked = services.store.requests_of(member.id, HISTORY_LIMIT)
    denied = [one for one in asked if one.status is Status.DENIED]
    last = max(denied, key=lambda one: one.last_event_at or one.requested_at, default=None)
    if last is None:
        return RequestHistory(len(asked))
    return RequestHistory(
        len(asked), len(denied), last.last_event_at, last.last_event_by, last.denial_reason
    )


def without_extra_approval(request: KeyRequest) -> KeyRequest:
    """Return the request without the extra approval, if it is known not to be risky.

    It stays needed where an approver approved before that was known, since they were told how many
    are missing. It goes when they withdraw their approval. This approves nothing by itself.
    """
    permissions = request.permissions
    unneeded = (
        request.extra_approval
        and permissions is not None
        and not permissions.risky
        and len(request.approvals) < request.approvals_needed - 1
    )
    return (
        replace(request, approvals_needed=request.approvals_needed - 1, extra_approval=False)
        if unneeded
        else request
    )


def _try_load(services: Services, request_id: str) -> None:
    try:
        load(services, request_id)
    except KeydeskError:
        return  # it stays due, and the scheduler runs it


def _audit_detail(permissions: Permissions) -> Detail | None:
    """Return the admin access and the unread permissions for the audit trail."""
    facts = {}
    if permissions.admin_like:
        facts["admin"] = ", ".join(permissions.admin_like)
    if permissions.unread:
        facts["unread"] = ", ".join(f"iam:{one.action}" for one in permissions.unread)
    return Detail(Code.PERMISSIONS_LOADED, facts) if facts else None
