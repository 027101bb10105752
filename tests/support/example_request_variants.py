"""Variants of the example requests: waiting, decided, per verb, permissions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.domain.permissions import Group, Permissions, Unread
from bot.domain.requests import KeyRequest, RequestHistory
from bot.domain.states import Event
from tests.support.example_requests import (
    APPROVED,
    APPROVER,
    NOW,
    PENDING,
    REQUESTER,
    REQUESTS,
    VERBS,
    WHY,
    decided,
)

URGENT = replace(PENDING, urgent=True, lifetime=timedelta(hours=4))
REVIEWED = PENDING.transition(
    Event.START_REVIEW, APPROVER, NOW, reviewer=APPROVER, review_started_at=NOW
)
REMINDED = PENDING.transition(Event.REMIND, "keydesk", NOW, reminders=("1",))
REMINDED_TWICE = REMINDED.transition(Event.REMIND, "keydesk", NOW, reminders=("1", "2"))
NUDGED_REQUEST = REMINDED_TWICE.transition(Event.NUDGE, REQUESTER, NOW, nudged_at=NOW)
EVERYTHING = replace(NUDGED_REQUEST, reviewer=APPROVER, review_started_at=NOW, urgent=True)
WAITING: dict[str, KeyRequest] = {
    "untouched": PENDING,
    "urgent": URGENT,
    "reviewed": REVIEWED,
    "reminded": REMINDED,
    "reminded twice": REMINDED_TWICE,
    "nudged": NUDGED_REQUEST,
    "urgent, nudged and reviewed": EVERYTHING,
}
OVER: dict[str, KeyRequest] = {
    "approved": EVERYTHING.transition(
        Event.APPROVE, APPROVER, NOW, decided_by=APPROVER, decided_at=NOW
    ),
    "denied": EVERYTHING.transition(
        Event.DENY, APPROVER, NOW, decided_by=APPROVER, decided_at=NOW, denial_reason=WHY
    ),
    "cancelled": EVERYTHING.transition(Event.CANCEL, REQUESTER, NOW, deadline=None),
    "expired": EVERYTHING.transition(Event.EXPIRE, "keydesk", NOW, deadline=None),
}


def verb_states(request: KeyRequest) -> dict[str, KeyRequest]:
    """Return the states that a request of any verb may have without a key of its own."""
    approved = decided(request)
    found = {
        "pending": request,
        "approved": approved,
        "denied": request.transition(
            Event.DENY, APPROVER, NOW, decided_by=APPROVER, decided_at=NOW, deadline=None
        ),
        "cancelled": request.transition(Event.CANCEL, REQUESTER, NOW, deadline=None),
        "cancelled after approval": approved.transition(
            Event.CANCEL, REQUESTER, NOW, deadline=None
        ),
        "not decided": request.transition(Event.EXPIRE, "keydesk", NOW, deadline=None),
    }
    expired = approved.transition(Event.EXPIRE, "keydesk", NOW, deadline=None)
    if request.delivers_secret:
        return found | {"not revealed": expired}
    applied = approved.transition(Event.APPLY, "keydesk", NOW, deadline=None)
    return found | {"applied": applied, "not applied": expired}


VERB_STATES: dict[str, KeyRequest] = {
    f"{verb}: {state}": request
    for verb, requested in VERBS.items()
    for state, request in verb_states(requested).items()
}
USUAL = Permissions(
    attached=("ReadOnlyAccess", "reports"),
    inline=("backup",),
    mfa=True,
    groups=(Group("developers", ("builds",), ("logs",)), Group("readers")),
)
PERMISSIONS: dict[str, KeyRequest] = {
    "permissions not loaded": replace(PENDING, permissions_due=NOW),
    "permissions": replace(
        PENDING, permissions=USUAL, permissions_at=NOW, history=RequestHistory(3)
    ),
    "admin access": replace(
        PENDING,
        permissions=replace(USUAL, admin_like=("AdministratorAccess (group ops)",), mfa=False),
        permissions_at=NOW,
        history=RequestHistory(3, 1, NOW, APPROVER, "Use the build server's role"),
    ),
    "permissions unread": replace(
        PENDING,
        permissions=Permissions(
            unread=(Unread("ListAttachedUserPolicies", denied=True), Unread("ListMFADevices"))
        ),
        permissions_at=NOW,
        history=RequestHistory(),
    ),
    "decided before permissions were loaded": replace(APPROVED, permissions_due=NOW),
}
ALL_REQUESTS: dict[str, KeyRequest] = {
    **REQUESTS,
    **{f"waiting: {name}": one for name, one in WAITING.items()},
    **{f"no longer waiting: {name}": one for name, one in OVER.items()},
    **VERB_STATES,
    **PERMISSIONS,
}
